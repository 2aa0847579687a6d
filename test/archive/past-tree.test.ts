// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PastTree } from '../../src/archive/past-tree.ts';
import { leafHash } from '../../src/record/hash.ts';
import { EMPTY_RANGE, verifyConsistency, verifyInclusion } from '../../src/record/merkle.ts';
import { TreeWindow } from '../../src/record/tree-window.ts';
import { ArchiverKit, ORIGIN } from '../support/archiver-kit.ts';
import { checkLog } from '../support/check-log.ts';
import { History, steps } from '../support/history.ts';
import type { StrictBucket } from '../support/strict-bucket.ts';

function wholeTree(bucket: StrictBucket): TreeWindow {
  const tree = new TreeWindow(EMPTY_RANGE);
  for (const { entries } of checkLog(bucket).segments) for (const line of entries) tree.append(leafHash(line));
  return tree;
}

describe('proofs from segments', () => {
  it('are those of the whole tree, for every leaf and every size of any history', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (played) => {
        const { kit, archiver } = await History.play(played);
        const store = kit.store();
        const past = new PastTree({ store, origin: ORIGIN }, archiver.state);
        const now = archiver.state.signed();
        const tree = wholeTree(kit.bucket);
        for (let leaf = 0; leaf < now.size; leaf += 1) {
          const { id, inclusion } = await past.inclusionProof(leaf, now);
          expect(inclusion).toEqual(tree.inclusionProof(leaf));
          verifyInclusion(id, leaf, now.size, inclusion, tree.root());
          expect(await past.consistencyProof(leaf + 1, now)).toEqual(tree.consistencyProof(leaf + 1));
        }
        await archiver[Symbol.asyncDispose]();
      }),
      { numRuns: 40 },
    );
  });

  it('hold for a size that was signed while the log went on', async () => {
    const kit = new ArchiverKit();
    const { archiver } = await kit.start();
    const stream = kit.first.open();
    const past = new PastTree({ store: kit.store(), origin: ORIGIN }, archiver.state);
    for (let round = 0; round < 20; round += 1) {
      const now = archiver.state.signed();
      const root = archiver.state.window.root();
      const proving = Promise.all(Array.from({ length: now.size }, (_, leaf) => past.consistencyProof(leaf + 1, now)));
      kit.first.messages(stream, 3);
      await kit.first.sendAll();
      await archiver.flush();
      for (const [leaf, proof] of (await proving).entries()) {
        verifyConsistency(leaf + 1, now.size, proof, archiver.state.window.root(leaf + 1), root);
      }
    }
    await archiver[Symbol.asyncDispose]();
  });

  it('take no more reads than the tree is high, and none twice', async () => {
    const kit = new ArchiverKit();
    const { archiver } = await kit.start();
    const stream = kit.first.open();
    for (let round = 0; round < 60; round += 1) {
      kit.first.messages(stream, 7);
      await kit.first.sendAll();
      await archiver.flush();
    }
    const store = kit.store();
    const past = new PastTree({ store, origin: ORIGIN }, archiver.state);
    const now = archiver.state.signed();
    const height = Math.ceil(Math.log2(now.size));
    await past.consistencyProof(11, now);
    expect(store.count('read')).toBeLessThanOrEqual(height);
    const before = store.calls.length;
    await past.consistencyProof(11, now);
    expect(store.calls.length).toBe(before);
    await archiver[Symbol.asyncDispose]();
  });

  it('are refused when a segment is not one that an archiver of this log signed', async () => {
    const kit = new ArchiverKit();
    const { archiver } = await kit.start();
    const stream = kit.first.open();
    for (let round = 0; round < 4; round += 1) {
      kit.first.messages(stream, 3);
      await kit.first.sendAll();
      await archiver.flush();
    }
    const past = new PastTree({ store: kit.store(), origin: ORIGIN }, archiver.state);
    const now = archiver.state.signed();
    const key = kit.bucket.keys('log/agency.example/test/segment/')[1] as string;
    const original = kit.bucket.bytes(key);
    kit.bucket.damage(key, (bytes) =>
      Buffer.from(bytes.toString('latin1').replace('"at":"2026', '"at":"2025'), 'latin1'),
    );
    await expect(past.consistencyProof(5, now)).rejects.toMatchObject({ code: 'format/segment' });
    const other = (_all: string, first: string): string => `"sig":"${first === 'A' ? 'B' : 'A'}`;
    kit.bucket.damage(key, () =>
      Buffer.from(original.toString('utf8').replace(/"sig":"(.)(?=[^"]+","size":\d+\}\n$)/, other)),
    );
    await expect(past.consistencyProof(5, now)).rejects.toMatchObject({ code: 'format/segment-signature' });
    kit.bucket.lose(key);
    await expect(past.consistencyProof(5, now)).rejects.toMatchObject({ code: 'archive/broken-log' });
    kit.bucket.damage(key, () => original);
    await archiver[Symbol.asyncDispose]();
  });
});
