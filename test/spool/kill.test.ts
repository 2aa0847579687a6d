// SPDX-License-Identifier: AGPL-3.0-or-later
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../support/random.ts';
import { assertStream, documentsOf, objectFiles, readDisk, type StoredStream } from '../support/spool-disk.ts';
import { Reader, SpoolKit, temporaryDirectory } from '../support/spool-kit.ts';
import { SpoolProcess } from '../support/spool-process.ts';

const ROUNDS = 18;
const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31);

const diskOf = (directory: string): StoredStream => readDisk(directory, temporaryDirectory())[0] as StoredStream;

/** Runs a process that delivers, kills it after some of its lines and some time, and gives what it had acknowledged. */
async function killedAtRandom(directory: string, prefix: string, random: SeededRandom): Promise<Map<string, number>> {
  const child = new SpoolProcess(directory, { prefix, count: 100_000, mediaEvery: 40 });
  const lines = 1 + random.below(700);
  const afterMs = random.below(12);
  let isDue = false;
  child.onLine = (count) => {
    if (isDue || count < lines) return;
    isDue = true;
    setTimeout(() => child.kill(), afterMs);
  };
  await child.ended();
  expect(child.lines('fatal')).toEqual([]);
  return child.acknowledged();
}

describe(`a process that is killed while 64 deliveries are in flight (SEED=${seed})`, () => {
  it(`leaves everything it acknowledged, in ${ROUNDS} rounds over one spool`, async () => {
    console.log(`SEED=${seed}`);
    const random = new SeededRandom(seed);
    const directory = temporaryDirectory();
    const acknowledged = new Map<string, number>();
    let unacknowledged = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const [id, seq] of await killedAtRandom(directory, `r${round}`, random)) acknowledged.set(id, seq);
      const left = diskOf(directory);
      assertStream(left);
      await using kit = await SpoolKit.open(directory);
      await kit.spool.fixWaiting();
      expect(kit.found).toEqual([]);
      const after = diskOf(directory);
      assertStream(after);
      // What was fixed before the kill is fixed the same way after it, byte for byte.
      expect(after.batches.slice(0, left.batches.length)).toEqual(left.batches);
      unacknowledged = after.rows.length - 1 - acknowledged.size;
      expect(unacknowledged).toBeLessThanOrEqual(64 * (round + 1));
      // Receipts come now and then, so that batches go on being fixed.
      await kit.spool.transact((unit) => {
        const [stream] = kit.spool.streams();
        if (stream !== undefined && random.next() < 0.7)
          kit.spool.batches.archive(unit, stream, stream.fixedSeq, { leaf: 0, nowMs: 1 });
      });
    }
    await expectAll(directory, acknowledged);
    expect(acknowledged.size).toBeGreaterThan(ROUNDS * 20);
    expect(unacknowledged).toBeGreaterThanOrEqual(0);
  }, 240_000);
});

/** Every acknowledged capture is the record of the number it was told, once, with its own bytes, and its object is there. */
async function expectAll(directory: string, acknowledged: ReadonlyMap<string, number>): Promise<void> {
  const { rows } = diskOf(directory);
  const reader = new Reader(directory, documentsOf(directory, temporaryDirectory()));
  const seen = new Map<string, number[]>();
  for (const row of rows.slice(1)) {
    const raw = await reader.raw(row);
    const id = raw.replace('raw bytes of ', '').replace('about ', '');
    seen.set(id, [...(seen.get(id) ?? []), row.seq]);
    if ('obj' in row.entry)
      for (const { h } of row.entry.obj ?? []) expect(existsSync(join(directory, 'objects', h))).toBe(true);
  }
  for (const [id, seq] of acknowledged) expect(seen.get(id), id).toEqual([seq]);
  for (const [id, seqs] of seen) expect(seqs, id).toHaveLength(1);
  const named = rows.flatMap(({ entry }) => ('obj' in entry ? (entry.obj ?? []).map(({ h }) => h) : []));
  expect(objectFiles(directory).toSorted()).toEqual(named.toSorted());
}
