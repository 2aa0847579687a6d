// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { Deed } from '../../src/access/act.ts';
import { PreparedExport, type ExportOptions, type ExportResult } from '../../src/export/export.ts';
import { FORMATS } from '../../src/export/formats.ts';
import { DEFAULT_CONTEXT } from '../../src/export/selection.ts';
import { LocalTime } from '../../src/search/local-time.ts';
import type { Attachment, MessageRef } from '../../src/record/message.ts';
import { parseQuery } from '../../src/search/query-parse.ts';
import { SqliteIndex } from '../../src/search/sqlite-index.ts';
import { SqliteSnapshot } from '../../src/search/sqlite-snapshot.ts';
import { Opener } from '../../src/seal/open.ts';
import { openDirReader } from '../../src/verify/dir-reader.ts';
import type { ArchiveReader } from '../../src/verify/reader.ts';
import { TRUST } from '../support/archive-fixture.ts';
import { READER } from '../vectors/keys.ts';
import { indexerOn, type TalkingArchive } from '../search/archive-kit.ts';
import { viewOf, type TestPerson } from '../search/kit.ts';

export const ALL: ExportOptions = {
  selection: { by: 'query', query: parseQuery('') },
  rule: DEFAULT_CONTEXT,
  formats: [...FORMATS],
  zone: new LocalTime('UTC'),
  bates: { prefix: 'TEST', first: 1, digits: 7 },
  proofs: 'records',
};

export interface ExportKit extends Partial<ExportOptions> {
  readonly archive: string;
  readonly index: string;
  readonly out: string;
  readonly reader?: ArchiveReader;
  readonly record?: (deeds: readonly Deed[]) => Promise<void>;
}

/** Brings an index of an archive up to date. */
export async function indexed(archive: string, index: string): Promise<void> {
  await using db = SqliteIndex.openForWriting(index);
  await using indexer = await indexerOn(archive, db);
  await indexer.catchUp();
}

export async function exported({ archive, index, out, record, reader, ...options }: ExportKit): Promise<ExportResult> {
  await using snapshot = SqliteSnapshot.open(index);
  const audit = { record: record ?? (async () => undefined) };
  const parts = {
    snapshot,
    reader: reader ?? (await openDirReader(archive)),
    trust: TRUST,
    opener: () => new Opener(READER.privateKey, READER.recipient.kid),
    audit,
    version: '0.0.0-test',
  };
  const prepared = await PreparedExport.choose(parts, { ...ALL, ...options }, () => undefined);
  return await prepared.write(out, () => undefined);
}

/** All files of a folder, by path, with what is in them. */
export function filesIn(folder: string, under = ''): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  for (const entry of readdirSync(join(folder, under), { withFileTypes: true })) {
    const path = under === '' ? entry.name : `${under}/${entry.name}`;
    if (entry.isDirectory()) for (const [name, bytes] of filesIn(folder, path)) found.set(name, bytes);
    else found.set(path, readFileSync(join(folder, path)));
  }
  return found;
}

/** Hash of a folder: names and bytes. */
export function digestOf(folder: string): string {
  const hash = createHash('sha256');
  for (const [name, bytes] of [...filesIn(folder)].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(`${name} ${bytes.length}\n`).update(bytes);
  }
  return hash.digest('hex');
}

export function jsonLines(folder: string, file = 'messages.jsonl'): Record<string, unknown>[] {
  return readFileSync(join(folder, file), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

export function manifestIn(folder: string): Record<string, never> & { readonly counts: Record<string, number> } {
  return JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as never;
}

export function attachment(id: string, fileName: string | null, contentType: string, size: number): Attachment {
  return { id, contentType, fileName, size, place: 'attachment' };
}

/** The bytes of an attachment come, as a connector delivers them. */
export async function deliverFile(
  archive: TalkingArchive,
  owner: TestPerson,
  target: MessageRef,
  file: Attachment,
  bytes: Buffer,
): Promise<void> {
  const sink = await archive.sink(owner);
  const atMs = archive.maker.nowMs;
  await sink.deliverMedia({
    native: { chat: '', sender: '', id: `file ${file.id}`, kind: 'attachment', revision: '' },
    via: 'webhook',
    atMs,
    bytes: Readable.from([bytes]),
    view: (object) =>
      viewOf(owner, { kind: 'attachment', target, attachment: file, object }, { atMs, by: null, chat: null }),
    raw: Buffer.from(`file ${file.id}`),
  } as Parameters<typeof sink.deliverMedia>[0]);
}
