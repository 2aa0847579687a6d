// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Archiver } from '../../src/archive/archiver.ts';
import { TilePublisher, type TileTarget } from '../../src/archive/tile-publisher.ts';
import { openCheckpoint } from '../../src/record/checkpoint.ts';
import { tileCheckpointKey, tilePrefix } from '../../src/record/layout.ts';
import { verifyConsistency, verifyInclusion } from '../../src/record/merkle.ts';
import { TileBuilder } from '../../src/record/tile-builder.ts';
import { TileTree } from '../../src/record/tile-tree.ts';
import { parseSegment } from '../../src/record/segment.ts';
import { ArchiverKit, LOG_KEY, ORIGIN } from '../support/archiver-kit.ts';

const place = (kit: ArchiverKit): ConstructorParameters<typeof TilePublisher>[0] => ({
  store: kit.store(),
  origin: ORIGIN,
});

const targetOf = ({ state }: Archiver): TileTarget => ({
  size: state.size,
  root: state.window.root(),
  checkpoint: state.checkpoint,
});

/** All entries of the log, from its segments. */
function entriesOf(kit: ArchiverKit): Buffer[] {
  return kit.bucket.keys(`log/${ORIGIN}/segment/`).flatMap((key) => parseSegment(kit.bucket.bytes(key)).entries);
}

/** Every full tile, and the partial ones of the present size, as they must be. */
function expectedTiles(kit: ArchiverKit, size: number): Map<string, string> {
  const builder = new TileBuilder();
  const made = entriesOf(kit)
    .slice(0, size)
    .flatMap((entry) => builder.append(entry));
  return new Map(
    [...made, ...builder.open()].map(({ path, bytes }) => [`log/${ORIGIN}/${path}`, bytes.toString('base64')]),
  );
}

function published(kit: ArchiverKit): Map<string, string> {
  const keys = kit.bucket.keys(tilePrefix(ORIGIN)).filter((key) => key !== tileCheckpointKey(ORIGIN));
  return new Map(keys.map((key) => [key, kit.bucket.bytes(key).toString('base64')]));
}

/** A log of so many messages, in segments of the given numbers. */
async function write(kit: ArchiverKit, archiver: Archiver, counts: readonly number[]): Promise<void> {
  const stream = kit.first.open();
  for (const count of counts) {
    for (let left = count; left > 0; left -= 60) kit.first.messages(stream, Math.min(60, left));
    await kit.first.sendAll();
    await archiver.flush();
  }
}

describe('the tiles that an archiver publishes', () => {
  it('are the same for any division of a log into segments and rounds', { timeout: 240_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 5 }),
        fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
        async (counts, rounds) => {
          const kit = new ArchiverKit();
          const { archiver } = await kit.start();
          const publisher = new TilePublisher(place(kit));
          for (const [index, count] of counts.entries()) {
            await write(kit, archiver, [count]);
            if (rounds[index] === true) await publisher.publish(targetOf(archiver));
          }
          await publisher.publish(targetOf(archiver));
          const got = published(kit);
          for (const [key, bytes] of expectedTiles(kit, archiver.state.size)) expect(got.get(key), key).toBe(bytes);
          await archiver[Symbol.asyncDispose]();
        },
      ),
      { numRuns: 12 },
    );
  });

  it('prove every record and every earlier size under the checkpoint beside them', async () => {
    const kit = new ArchiverKit();
    const { archiver } = await kit.start();
    await write(kit, archiver, [300, 5]);
    await new TilePublisher(place(kit)).publish(targetOf(archiver));
    const note = kit.bucket.bytes(tileCheckpointKey(ORIGIN)).toString();
    const { size, root } = openCheckpoint(note, LOG_KEY);
    const store = kit.store();
    const tree = new TileTree(size, async (path) => (await store.read(`log/${ORIGIN}/${path}`))?.bytes ?? null);
    for (let leaf = 0; leaf < size; leaf += 7) {
      verifyInclusion(await tree.leaf(leaf), leaf, size, await tree.inclusionProof(leaf), root);
      const proof = await tree.consistencyProof(leaf + 1);
      verifyConsistency(leaf + 1, size, proof, archiver.state.window.root(leaf + 1), root);
    }
    await archiver[Symbol.asyncDispose]();
  });

  it('go on after a restart where they were, without reading the log again', async () => {
    const kit = new ArchiverKit();
    const { archiver } = await kit.start();
    await write(kit, archiver, [9000]);
    await new TilePublisher(place(kit)).publish(targetOf(archiver));
    await write(kit, archiver, [60]);
    const store = kit.store();
    const written = await new TilePublisher({ store, origin: ORIGIN }).publish(targetOf(archiver));
    expect(written).toBeLessThan(45);
    const got = published(kit);
    for (const [key, bytes] of expectedTiles(kit, archiver.state.size)) expect(got.get(key), key).toBe(bytes);
    await archiver[Symbol.asyncDispose]();
  });

  it.each([
    ['one was changed', 'damage'],
    ['one is gone', 'lose'],
  ] as const)('are all made again where, at a start, %s', async (_, how) => {
    const kit = new ArchiverKit();
    const { archiver } = await kit.start();
    await write(kit, archiver, [9000]);
    await new TilePublisher(place(kit)).publish(targetOf(archiver));
    const key = `${tilePrefix(ORIGIN)}0/003`;
    if (how === 'lose') kit.bucket.lose(key);
    else
      kit.bucket.damage(key, (bytes) =>
        Buffer.concat([Buffer.from([bytes[0] ?? 0 ^ 1]), bytes.subarray(1).toReversed()]),
      );
    await new TilePublisher(place(kit)).publish(targetOf(archiver));
    const got = published(kit);
    for (const [tile, bytes] of expectedTiles(kit, archiver.state.size)) expect(got.get(tile), tile).toBe(bytes);
    await archiver[Symbol.asyncDispose]();
  });

  it('are whole after a failure at any write, once a later round has run', { timeout: 240_000 }, async () => {
    for (const fault of ['lost', 'persisted', 'crash'] as const) {
      for (let at = 0; at < 12; at += 1) {
        const kit = new ArchiverKit();
        const { archiver } = await kit.start();
        await write(kit, archiver, [520]);
        let puts = 0;
        const faulty = kit.store({
          fault: ({ call }) => (call === 'putDerived' && puts++ === at ? fault : undefined),
        });
        await new TilePublisher({ store: faulty, origin: ORIGIN }).publish(targetOf(archiver)).catch(() => undefined);
        const early = kit.bucket.winner(tileCheckpointKey(ORIGIN));
        if (early !== null) expect(published(kit)).toEqual(expectedTiles(kit, archiver.state.size));
        await new TilePublisher(place(kit)).publish(targetOf(archiver));
        expect(published(kit)).toEqual(expectedTiles(kit, archiver.state.size));
        await archiver[Symbol.asyncDispose]();
      }
    }
  });

  it('are refused where the segments give another root than was signed', async () => {
    const kit = new ArchiverKit();
    const { archiver } = await kit.start();
    await write(kit, archiver, [20]);
    const target = { ...targetOf(archiver), root: Buffer.alloc(32) };
    await expect(new TilePublisher(place(kit)).publish(target)).rejects.toMatchObject({ code: 'archive/broken-log' });
    expect(kit.bucket.winner(tileCheckpointKey(ORIGIN))).toBe(null);
    await archiver[Symbol.asyncDispose]();
  });

  it('are published by the archiver beside its work, and once more when it stops', async () => {
    const kit = new ArchiverKit();
    const { archiver, told } = await kit.start({
      rounds: (log) => {
        const publisher = new TilePublisher(log);
        return [
          {
            name: 'tiles',
            everyMs: 3_600_000,
            run: async (now, signal) => void (await publisher.publish(now, signal)),
          },
        ];
      },
    });
    await archiver.runRounds();
    await write(kit, archiver, [300]);
    await archiver[Symbol.asyncDispose]();
    const got = published(kit);
    for (const [key, bytes] of expectedTiles(kit, archiver.state.size)) expect(got.get(key), key).toBe(bytes);
    expect(told.troubles).toEqual([]);
  });
});
