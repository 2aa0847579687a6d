// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { openDirStore } from '../../src/archive/dir-store.ts';
import { TilePublisher } from '../../src/archive/tile-publisher.ts';
import { ArchiveSource } from '../../src/prove/archive-source.ts';
import { collect } from '../../src/prove/collect.ts';
import { derive } from '../../src/prove/derive.ts';
import { disclose } from '../../src/prove/disclose.ts';
import type { Files } from '../../src/prove/files.ts';
import { openCheckpoint } from '../../src/record/checkpoint.ts';
import { PARTS } from '../../src/record/commitment.ts';
import { isStreamRecord, parseEntry } from '../../src/record/entry.ts';
import type { StreamRecord } from '../../src/record/entry-types.ts';
import { sha256Hex } from '../../src/record/hash.ts';
import { checkpointKey, timeStampKey } from '../../src/record/layout.ts';
import { encodeTimeStamp } from '../../src/record/time-stamp.ts';
import { askTimeStamp, type TimeAuthority } from '../../src/timestamp/ask.ts';
import { parsePolicy } from '../../src/record/policy.ts';
import { Opener } from '../../src/seal/open.ts';
import { openDirReader } from '../../src/verify/dir-reader.ts';
import { ArchiveMaker, LONG_CLASS, makeArchive, TRUST } from '../support/archive-fixture.ts';
import { ORIGIN, READER } from '../vectors/keys.ts';

/** The archive that the real writer makes, in a folder. */
export async function madeArchive(folder: string): Promise<string> {
  return await makeArchive(folder);
}

/** One account, whose messages came together. */
export async function archiveOfOneBatch(folder: string, messages: number): Promise<string> {
  await using maker = new ArchiveMaker(folder);
  await maker.start();
  const account = await maker.account('signal', '+12025550100', LONG_CLASS);
  await maker.say(account, ...Array.from({ length: messages }, (_, n) => `message ${n}`));
  await maker.archive();
  return join(folder, 'archive');
}

/** Publishes the tiles of the newest checkpoint. */
export async function publishTiles(path: string): Promise<void> {
  await using store = await openDirStore(path);
  const found = await store.read(checkpointKey(ORIGIN));
  const checkpoint = Buffer.from(found?.bytes ?? []).toString();
  const { size, root } = openCheckpoint(checkpoint, TRUST.log);
  await new TilePublisher({ store, origin: ORIGIN }).publish({ size, root, checkpoint });
}

export async function sourceOf(path: string, policy: string | null = null): Promise<ArchiveSource> {
  return new ArchiveSource(await openDirReader(path), TRUST, policy === null ? null : parsePolicy(policy));
}

export interface PlacedRecord {
  readonly leaf: number;
  readonly id: string;
  readonly entry: StreamRecord;
}

/** Every record of the log, in order. */
export async function recordsOf(path: string): Promise<PlacedRecord[]> {
  const source = await sourceOf(path);
  const records: PlacedRecord[] = [];
  for (let first = 0; ;) {
    const placed = await source.segmentAt(first);
    if (placed === null) return records;
    for (const [index, line] of placed.segment.entries.entries()) {
      const entry = parseEntry(line.toString('latin1'));
      const id = placed.ids[index]?.toString('hex') ?? '';
      if (isStreamRecord(entry)) records.push({ leaf: first + index, id, entry });
    }
    first += placed.ids.length;
  }
}

/** The leaf of a record with text before and behind it. */
export async function middleLeaf(path: string): Promise<number> {
  const found = (await recordsOf(path)).find(({ entry }) => entry.t === 'content' && entry.seq === 3);
  return found?.leaf ?? -1;
}

export async function bundleOf(
  path: string,
  leaf: number,
  parts: readonly (typeof PARTS)[number][] = [],
): Promise<Map<string, Buffer>> {
  const source = await sourceOf(path);
  const core = await collect(source, leaf);
  if (parts.length > 0) {
    const opener = new Opener(READER.privateKey, READER.recipient.kid);
    for (const [name, bytes] of await disclose(source, leaf, opener, parts)) core.set(name, bytes);
  }
  return new Map([...core, ...derive(core)]);
}

export async function lay(files: Files, folder: string): Promise<void> {
  for (const [name, bytes] of files) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), bytes);
  }
}

/** Commands of a README and what each must print. */
export function stepsOf(readme: string): { command: string; prints: string[] }[] {
  return readme
    .split(/^ {4}\$ /m)
    .slice(1)
    .map((text) => ({
      command: text.split('\n')[0] ?? '',
      prints: [...text.matchAll(/^ {4}> (.*)$/gm)].map(([, line = '']) => line),
    }));
}

/** Has an authority stamp the archive's checkpoint, as the archiver does. */
export async function stampArchive(path: string, authority: TimeAuthority): Promise<void> {
  await using store = await openDirStore(path);
  const checkpoint = Buffer.from((await store.read(checkpointKey(ORIGIN)))?.bytes ?? []).toString();
  const { size } = openCheckpoint(checkpoint, TRUST.log);
  const { stamp } = await askTimeStamp(authority, checkpoint, new AbortController().signal);
  const bytes = Buffer.from(encodeTimeStamp(stamp));
  const place = join(path, timeStampKey(ORIGIN, size, sha256Hex(bytes)));
  await mkdir(dirname(place), { recursive: true });
  await writeFile(place, bytes);
}
