// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FormatError } from '../../src/record/format-error.ts';
import { leafHash } from '../../src/record/hash.ts';
import { entryLine, LogProof, logProofHead, subtreeLines } from '../../src/record/log-proof.ts';
import { RangeBuilder, rootOf } from '../../src/record/merkle.ts';

const entryOf = (leaf: number): string => `{"leaf":${leaf}}`;
const ORIGIN = 'log.test';

function rootFor(size: number): Buffer {
  const tree = new RangeBuilder(0);
  for (let leaf = 0; leaf < size; leaf += 1) tree.appendLeaf(leafHash(Buffer.from(entryOf(leaf))));
  return rootOf(tree.range());
}

function written(size: number, shown: ReadonlySet<number>): string {
  let [gap, text] = [new RangeBuilder(0), logProofHead(ORIGIN, size)];
  for (let leaf = 0; leaf < size; leaf += 1) {
    if (!shown.has(leaf)) {
      gap.appendLeaf(leafHash(Buffer.from(entryOf(leaf))));
      continue;
    }
    text += subtreeLines(gap.range()) + entryLine(leaf, entryOf(leaf));
    gap = new RangeBuilder(leaf + 1);
  }
  return text + subtreeLines(gap.range());
}

function read(text: string): { readonly shown: number[]; readonly root: Buffer } {
  const proof = new LogProof();
  const shown = text
    .slice(0, -1)
    .split('\n')
    .flatMap((line) => proof.take(line)?.leaf ?? []);
  return { shown, root: proof.root };
}

function refusal(work: () => unknown): string {
  try {
    work();
    return 'none';
  } catch (error) {
    if (error instanceof FormatError) return error.code;
    throw error;
  }
}

describe('a proof of many entries', () => {
  it('leads to the root of the log, whichever entries of how long a log are shown', () => {
    const size = fc.integer({ min: 1, max: 300 });
    fc.assert(
      fc.property(size, fc.array(fc.nat(299), { maxLength: 300 }), (leaves, some) => {
        const shown = new Set(some.filter((leaf) => leaf < leaves));
        const { shown: found, root } = read(written(leaves, shown));
        expect(found).toEqual([...shown].toSorted((a, b) => a - b));
        expect(root.equals(rootFor(leaves))).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it('shows one entry among many with two hashes a level at most', () => {
    const lines = written(1000, new Set([333])).split('\n').length;
    expect(lines).toBeLessThan(4 + 2 * 10);
  });

  it('is refused with its code, or leads elsewhere, when anything in it is changed', () => {
    const text = written(40, new Set([3, 4, 17, 39]));
    const root = rootFor(40);
    const at = fc.nat(text.length - 2);
    fc.assert(
      fc.property(at, fc.integer({ min: 32, max: 126 }), (place, char) => {
        const changed = text.slice(0, place) + String.fromCharCode(char) + text.slice(place + 1);
        if (changed === text) return;
        // The name of the log is not part of the tree: whoever checks compares it with that of the checkpoint.
        if (changed.split('\n')[1] !== ORIGIN) return;
        let found: Buffer | null = null;
        const code = refusal(() => (found = read(changed).root));
        expect([code, root.equals(found ?? Buffer.alloc(0))]).toEqual([
          code === 'none' ? 'none' : 'format/log-proof',
          false,
        ]);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ['nothing', ''],
    ['another form', 'holdfast log proof v2\nlog.test\n1\n0 {}\n'],
    ['no size', 'holdfast log proof v1\nlog.test\n0\n'],
    ['a gap', `holdfast log proof v1\nlog.test\n2\n1 {}\n`],
    ['more than there is', 'holdfast log proof v1\nlog.test\n1\n0 {}\n1 {}\n'],
    ['less than there is', 'holdfast log proof v1\nlog.test\n2\n0 {}\n'],
    ['a subtree that begins elsewhere', `holdfast log proof v1\nlog.test\n4\n0 {}\n1 1 ${'A'.repeat(43)}=\n`],
    ['a subtree without end', `holdfast log proof v1\nlog.test\n4\n0 99 ${'A'.repeat(43)}=\n`],
    ['a hash of another spelling', `holdfast log proof v1\nlog.test\n1\n0 0 ${'A'.repeat(42)}B=\n`],
    ['a line without end', `holdfast log proof v1\nlog.test\n1\n0 {${'x'.repeat(5000)}}\n`],
  ])('of %s is refused', (_, text) => {
    expect(refusal(() => read(text))).toBe('format/log-proof');
  });
});
