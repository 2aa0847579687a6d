// SPDX-License-Identifier: AGPL-3.0-or-later
import { create } from 'content-disposition';
import { fileTypeFromBuffer } from 'file-type';
import { z } from 'zod';
import { Failure } from '../../base/failure.ts';
import { FileError, type ArchiveFiles, type FileRecord } from '../../export/files/archive-files.ts';
import { endingOf, safeName } from '../../export/files/file-name.ts';
import { plainLine } from '../../search/plain-text.ts';
import { partOf, type Part } from '../byte-range.ts';
import { leafInPath } from '../forms.ts';
import { route } from '../route.ts';
import { assertWithin } from '../within.ts';

const UNKNOWN_TYPE = 'application/octet-stream';
/** What a browser may show in its place if it is asked to: it runs nothing there. Everything else is only saved. */
const SHOWN = new Set([
  'image/jpeg',
  'image/png',
  'image/gif',
  'image/webp',
  'audio/mpeg',
  'audio/ogg',
  'video/mp4',
  'video/webm',
]);
const MOST_NAME = 150;

export const fileRoute = route({
  method: 'GET',
  path: '/files/:leaf',
  permission: 'file',
  isLimited: true,
  summary: 'The bytes of a file, opened. What it claims to be and what its bytes say are told apart in the headers',
  forms: {
    params: z.strictObject({ leaf: leafInPath }),
    query: z.strictObject({
      show: z
        .enum(['yes', 'no'])
        .default('no')
        .meta({ description: 'To show it in place, where its bytes say that it is a picture, sound or film.' }),
    }),
  },
  answer: async ({ params: { leaf }, query, identity, range, signal }, { index, files }) => {
    await assertWithin(index, leaf, identity, signal);
    const { attachment, object, id } = await index.ask('file', [leaf], signal);
    const record = { leaf, id, object };
    const tag = `"${object.sha256}"`;
    const part = partOf(range, tag, object.size);
    const bytes = files.open(record);
    // Opened so far that it is known to be there, and what it begins with; not a byte of it goes out before the deed is recorded.
    const first = await beginning(bytes);
    const found = (await fileTypeFromBuffer(first))?.mime ?? null;
    const claimed = typeof attachment.contentType === 'string' ? plainLine(attachment.contentType).slice(0, 100) : '';
    const isShown = query.show === 'yes' && found !== null && SHOWN.has(found);
    if (part !== null) await bytes.return(undefined);
    const answered = part === null ? inWhole(object.size, first, bytes) : await inPart(part, files, record);
    return {
      deeds: [{ act: 'file', leaf, sha256: object.sha256 }],
      ...answered,
      headers: {
        ...answered.headers,
        'content-type': isShown ? found : UNKNOWN_TYPE,
        'accept-ranges': 'bytes',
        etag: tag,
        'content-disposition': dispositionOf(attachment.fileName, found, isShown),
        'holdfast-claimed-type': ascii(claimed),
        'holdfast-found-type': found ?? 'unknown',
        'holdfast-type-verdict': verdictOf(claimed, found),
        'holdfast-sha256': object.sha256,
      },
    };
  },
});

interface Answered {
  readonly status?: 206;
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: AsyncIterable<Uint8Array>;
  readonly letGo: () => Promise<unknown>;
}

function inWhole(size: number, first: Buffer, rest: AsyncGenerator<Buffer>): Answered {
  return {
    headers: { 'content-length': String(size) },
    bytes: whole(first, rest),
    letGo: () => rest.return(undefined),
  };
}

async function inPart({ from, to }: Part, files: ArchiveFiles, record: FileRecord): Promise<Answered> {
  const { size } = record.object;
  const headers = { 'content-length': String(to - from + 1), 'content-range': `bytes ${from}-${to}/${size}` };
  const bytes = files.openRange(record, from, to);
  const first = await beginning(bytes);
  return { status: 206, headers, bytes: whole(first, bytes), letGo: () => bytes.return(undefined) };
}

async function beginning(bytes: AsyncGenerator<Buffer>): Promise<Buffer> {
  try {
    const { value, done } = await bytes.next();
    return done === true ? Buffer.alloc(0) : value;
  } catch (error) {
    throw told(error);
  }
}

/**
 * The last piece is held back until the whole is known to be what was captured: what is not never arrives as if it were. It may take as
 * long as the client takes; whoever has gone is not read for any more, because the server then closes this.
 */
async function* whole(first: Buffer, rest: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  let held = first;
  try {
    for await (const piece of rest) {
      yield held;
      held = piece;
    }
  } catch (error) {
    throw told(error);
  }
  yield held;
}

function dispositionOf(claimed: string | null, found: string | null, isShown: boolean): string {
  const ending = endingOf(found === null ? null : (found.split('/')[1] ?? null), claimed);
  const fallback = safeName(claimed, ending);
  const stem = plainLine(claimed ?? '')
    .replaceAll(/[\p{C}\p{Z}/\\:*?"<>|%]+/gu, ' ')
    .replace(/\.[A-Za-z0-9]{1,5}$/, '')
    .replace(/^[. ]+|[. ]+$/g, '');
  const named = Array.from(stem).slice(0, MOST_NAME).join('').trim();
  return create(named === '' ? fallback : `${named}.${ending}`, { type: isShown ? 'inline' : 'attachment', fallback });
}

function verdictOf(claimed: string, found: string | null): string {
  if (found === null) return 'not-known-by-its-bytes';
  const [plain = ''] = claimed.toLowerCase().split(';');
  return plain.trim() === found ? 'as-claimed' : 'not-as-claimed';
}

const ascii = (text: string): string => text.replaceAll(/[^ -~]/g, '?');

function told(error: unknown): unknown {
  if (!(error instanceof FileError)) return error;
  const [code, got] =
    error.defect === 'missing'
      ? (['web/file-missing', 'none'] as const)
      : (['web/file-damaged', 'other bytes'] as const);
  return new Failure(code, {
    expected: 'the file as it was captured',
    got,
    fix: 'run `holdfast verify` on the archive',
  });
}
