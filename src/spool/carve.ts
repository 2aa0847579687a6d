// SPDX-License-Identifier: AGPL-3.0-or-later
import { open, type FileHandle } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { PAGE_BYTES } from './schema.ts';
import { FRAME_HEADER_BYTES, LOG_HEADER_BYTES } from './write-log.ts';

/*
 * Reads rows out of a SQLite file page by page, without SQLite: nothing is needed but the page that holds a row, and the pages its
 * long values run over. Rows that were deleted or changed may come too, and so may garbage: every caller's rows carry their own hash.
 * https://sqlite.org/fileformat2.html
 */

/** One value of a row; integers beyond 2^53 and floating point numbers do not occur in a spool. */
export type Value = null | number | string | Buffer;

const WAL = '-wal';
const FILE_HEADER_BYTES = 100;
const LEAF_TABLE = 0x0d;
const LEAF_HEADER_BYTES = 8;
/** What a leaf page holds of a row at most; the rest runs over to pages of its own. */
const MAX_LOCAL = PAGE_BYTES - 35;
const MIN_LOCAL = Math.floor(((PAGE_BYTES - 12) * 32) / 255) - 23;
const OVERFLOW_BYTES = PAGE_BYTES - 4;
const MOST_ROW_BYTES = 1024 * 1024;
const PAGES_PER_TURN = 256;

/** The newest version of every page: of the log, else of the file. */
interface Pages {
  readonly file: FileHandle | null;
  readonly log: FileHandle | null;
  readonly pages: number;
  readonly frames: number;
  /** Page number → number of the last frame that holds its newest version. */
  readonly latest: ReadonlyMap<number, number>;
}

/** Every row of every ordinary table that can be read, in the order of pages; first those of the file, then those of its log. */
export async function* carveRows(path: string): AsyncGenerator<readonly Value[]> {
  const pages = await openPages(path);
  try {
    for (let no = 1; no <= pages.pages + pages.frames; no += 1) {
      if (no % PAGES_PER_TURN === 0) await nextTurn();
      const page = no <= pages.pages ? await filePage(pages, no) : await framePage(pages, no - pages.pages - 1);
      if (page !== null) yield* leafRows(pages, page, no === 1 ? FILE_HEADER_BYTES : 0);
    }
  } finally {
    await pages.file?.close();
    await pages.log?.close();
  }
}

async function openPages(path: string): Promise<Pages> {
  const file = await open(path, 'r').catch(() => null);
  const log = await open(path + WAL, 'r').catch(() => null);
  const fileBytes = file === null ? 0 : (await file.stat()).size;
  const logBytes = log === null ? 0 : (await log.stat()).size;
  const frames = Math.max(0, Math.floor((logBytes - LOG_HEADER_BYTES) / (FRAME_HEADER_BYTES + PAGE_BYTES)));
  const latest = log === null ? new Map<number, number>() : await latestFrames(log, frames);
  return { file, log, pages: Math.floor(fileBytes / PAGE_BYTES), frames, latest };
}

/**
 * A log is written from its beginning again once it was copied back, so behind the frames of its present round lie those of earlier ones,
 * whose pages the file has in a newer version. Where the header rotted, all that is known is which frame comes last.
 */
async function latestFrames(log: FileHandle, frames: number): Promise<ReadonlyMap<number, number>> {
  const salt = (await readAt(log, 0, LOG_HEADER_BYTES))?.subarray(16, 24);
  const present = new Map<number, number>();
  const any = new Map<number, number>();
  for (let frame = 0; frame < frames; frame += 1) {
    const position = LOG_HEADER_BYTES + frame * (FRAME_HEADER_BYTES + PAGE_BYTES);
    const header = await readAt(log, position, FRAME_HEADER_BYTES);
    if (header === null) continue;
    const page = header.readUInt32BE(0);
    any.set(page, frame);
    if (salt?.equals(header.subarray(8, 16)) === true) present.set(page, frame);
  }
  return present.size > 0 ? present : any;
}

/** Null where the disk gives nothing: what else can be read still counts. */
async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer | null> {
  try {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(length), 0, length, position);
    return bytesRead === length ? buffer : null;
  } catch {
    return null;
  }
}

function filePage({ file }: Pages, no: number): Promise<Buffer | null> {
  return file === null ? Promise.resolve(null) : readAt(file, (no - 1) * PAGE_BYTES, PAGE_BYTES);
}

function framePage({ log }: Pages, frame: number): Promise<Buffer | null> {
  const position = LOG_HEADER_BYTES + frame * (FRAME_HEADER_BYTES + PAGE_BYTES) + FRAME_HEADER_BYTES;
  return log === null ? Promise.resolve(null) : readAt(log, position, PAGE_BYTES);
}

async function newestPage(pages: Pages, no: number): Promise<Buffer | null> {
  const frame = pages.latest.get(no);
  return frame === undefined ? filePage(pages, no) : framePage(pages, frame);
}

async function* leafRows(pages: Pages, page: Buffer, start: number): AsyncGenerator<readonly Value[]> {
  if (page[start] !== LEAF_TABLE) return;
  const cells = page.readUInt16BE(start + 3);
  for (let cell = 0; cell < cells; cell += 1) {
    const pointer = start + LEAF_HEADER_BYTES + 2 * cell;
    if (pointer + 2 > PAGE_BYTES) return;
    const row = await readCell(pages, page, page.readUInt16BE(pointer));
    if (row !== null) yield row;
  }
}

async function readCell(pages: Pages, page: Buffer, at: number): Promise<readonly Value[] | null> {
  try {
    const length = varint(page, at);
    const rowId = varint(page, length.end);
    if (length.value > MOST_ROW_BYTES) return null;
    const payload = await readPayload(pages, page, rowId.end, length.value);
    return payload === null ? null : parseRow(payload);
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

async function readPayload(pages: Pages, page: Buffer, at: number, length: number): Promise<Buffer | null> {
  if (length <= MAX_LOCAL) return slice(page, at, length);
  const wanted = MIN_LOCAL + ((length - MIN_LOCAL) % OVERFLOW_BYTES);
  const local = wanted <= MAX_LOCAL ? wanted : MIN_LOCAL;
  const parts = [slice(page, at, local)];
  let next = page.readUInt32BE(at + local);
  for (let rest = length - local; rest > 0; rest -= OVERFLOW_BYTES) {
    const overflow = next === 0 ? null : await newestPage(pages, next);
    if (overflow === null) return null;
    parts.push(overflow.subarray(4, 4 + Math.min(rest, OVERFLOW_BYTES)));
    next = overflow.readUInt32BE(0);
  }
  return Buffer.concat(parts);
}

function parseRow(payload: Buffer): Value[] {
  const head = varint(payload, 0);
  const row: Value[] = [];
  let body = head.value;
  for (let at = head.end; at < head.value;) {
    const type = varint(payload, at);
    at = type.end;
    const length = lengthOf(type.value);
    row.push(valueOf(type.value, slice(payload, body, length)));
    body += length;
  }
  return row;
}

/** Serial types 1 to 6 are integers of these many bytes, 8 and 9 the numbers 0 and 1. */
const INTEGER_BYTES = [0, 1, 2, 3, 4, 6, 8];

function lengthOf(type: number): number {
  if (type >= 12) return Math.floor((type - 12) / 2);
  if (type === 7) return 8;
  return INTEGER_BYTES[type] ?? 0;
}

function valueOf(type: number, bytes: Buffer): Value {
  if (type >= 12) return type % 2 === 0 ? bytes : bytes.toString('utf8');
  if (type === 8 || type === 9) return type - 8;
  if (type === 0 || type > 6) return null;
  return type === 6 ? Number(bytes.readBigInt64BE(0)) : bytes.readIntBE(0, bytes.length);
}

function slice(bytes: Buffer, at: number, length: number): Buffer {
  if (at + length > bytes.length) throw new RangeError('a value beyond its page');
  return bytes.subarray(at, at + length);
}

function varint(bytes: Buffer, at: number): { value: number; end: number } {
  let value = 0;
  for (let index = 0; index < 9; index += 1) {
    const byte = bytes[at + index];
    if (byte === undefined) throw new RangeError('a number beyond its page');
    if (index === 8) return { value: value * 256 + byte, end: at + 9 };
    value = value * 128 + (byte & 0x7f);
    if (byte < 0x80) return { value, end: at + index + 1 };
  }
  throw new RangeError('a number without an end');
}
