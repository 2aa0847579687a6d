// SPDX-License-Identifier: AGPL-3.0-or-later
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import MailComposer from 'nodemailer/lib/mail-composer';
import { zipOf } from '../zip.ts';
import type { ZippedFile } from './event-files.ts';

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
        content: Readable.from(zipped(manifest, files, pathOf)),
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

/** The manifest, and behind it the files in order of their names. */
function zipped(
  manifest: Buffer,
  files: readonly ZippedFile[],
  pathOf: (name: string) => string,
): AsyncGenerator<Buffer> {
  const sorted = files.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return zipOf([
    { name: MANIFEST, bytes: () => [manifest] },
    ...sorted.map(({ name, from }) => ({
      name,
      bytes: (): Iterable<Uint8Array> | AsyncIterable<Uint8Array> =>
        'text' in from ? [Buffer.from(from.text)] : createReadStream(pathOf(from.path)),
    })),
  ]);
}
