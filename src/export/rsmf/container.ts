// SPDX-License-Identifier: AGPL-3.0-or-later
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { Zip, ZipPassThrough } from 'fflate';
import MailComposer from 'nodemailer/lib/mail-composer';
import type { ZippedFile } from './event-files.ts';

/** The earliest a ZIP can say, in the fields it is read from: the same bytes in every time zone. */
const zipTime = (): Date => new Date(1980, 0, 1, 0, 0, 0);
const MANIFEST = 'rsmf_manifest.json';

export interface Envelope {
  readonly from: { readonly name: string; readonly address: string };
  readonly to: readonly { readonly name: string; readonly address: string }[];
  readonly subject: string;
  readonly dateMs: number;
  /** Hex: makes the message's id and the boundary between its parts. */
  readonly id: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

/** The file: a mail message of 7 bits, its text, and the zip, as a stream. */
export function container(
  envelope: Envelope,
  manifest: Buffer,
  files: readonly ZippedFile[],
  pathOf: (name: string) => string,
): Readable {
  const { from, to, subject, dateMs, id, headers, text } = envelope;
  const exact = new Map(Object.keys(headers).map((name) => [name.toLowerCase(), name]));
  const message = new MailComposer({
    from,
    to: [...to],
    subject,
    date: new Date(dateMs),
    messageId: `<${id.slice(0, 32)}@export.invalid>`,
    headers: { ...headers },
    text,
    textEncoding: 'quoted-printable',
    attachments: [
      {
        filename: 'rsmf.zip',
        contentType: 'application/zip',
        contentTransferEncoding: 'base64',
        content: Readable.from(zipOf(manifest, files, pathOf)),
      },
    ],
    // Names of fields are columns in the reviewer’s workspace: as they are written here.
    normalizeHeaderKey: (key) => exact.get(key.toLowerCase()) ?? key,
    // Else it is drawn by lot.
    baseBoundary: id.slice(0, 24),
    disableUrlAccess: true,
    disableFileAccess: true,
  });
  return message.compile().createReadStream();
}

/** Entries stored, in order of their names behind the manifest, all dated the same. */
async function* zipOf(
  manifest: Buffer,
  files: readonly ZippedFile[],
  pathOf: (name: string) => string,
): AsyncGenerator<Buffer> {
  let ready: Buffer[] = [];
  const zip = new Zip((error, chunk) => {
    if (error !== null) throw error;
    ready.push(Buffer.from(chunk));
  });
  function* taken(): Generator<Buffer> {
    const some = ready;
    ready = [];
    yield* some;
  }
  const add = (name: string): ZipPassThrough => {
    const entry = new ZipPassThrough(name);
    entry.mtime = zipTime();
    zip.add(entry);
    return entry;
  };
  add(MANIFEST).push(manifest, true);
  yield* taken();
  for (const { name, from } of files.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const entry = add(name);
    if ('text' in from) entry.push(Buffer.from(from.text), true);
    else {
      for await (const chunk of createReadStream(pathOf(from.path))) {
        entry.push(chunk as Buffer);
        yield* taken();
      }
      entry.push(new Uint8Array(0), true);
    }
    yield* taken();
  }
  zip.end();
  yield* taken();
}
