// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Hash } from '../../src/record/hash.ts';
import { leafHash } from '../../src/record/hash.ts';
import { RangeBuilder, rootOf, verifyConsistency, verifyInclusion } from '../../src/record/merkle.ts';
import {
  encodeBundle,
  NO_TILES,
  parseBundle,
  parseTile,
  TileBuilder,
  type Tile,
} from '../../src/record/tile-builder.ts';
import { TileTree, type ReadTile } from '../../src/record/tile-tree.ts';
import { parseTilePath, tilesOf, TILE_WIDTH } from '../../src/record/tiles.ts';
import { sharedJson } from '../vectors/shared.ts';
import { hostileBytes } from './hostile.ts';
import { accepted, refusal } from './refusal.ts';
import { referencePath, referenceProof } from './reference-tree.ts';

interface Tessera {
  readonly leaves: readonly string[];
  readonly files: Readonly<Record<string, { readonly hex?: string }>>;
}
const tessera = sharedJson<Tessera | null>('tlog-tiles/tessera-testdata-log.json', null);

const entries = (count: number): Buffer[] => Array.from({ length: count }, (_, index) => Buffer.from(`entry ${index}`));

/** All tiles of a tree, full ones as they came and the open ones of its end. */
function tilesOfAll(all: readonly Uint8Array[]): Map<string, Tile> {
  const builder = new TileBuilder();
  const made = all.flatMap((entry) => builder.append(entry));
  return new Map([...made, ...builder.open()].map((tile) => [tile.path, tile]));
}

const reading =
  (tiles: ReadonlyMap<string, Tile>): ReadTile =>
  async (path) =>
    tiles.get(path)?.bytes ?? null;

function rootAt(leaves: readonly Hash[], size: number): Hash {
  const range = new RangeBuilder(0);
  for (const leaf of leaves.slice(0, size)) range.appendLeaf(leaf);
  return rootOf(range.range());
}

describe('the tiles of a log', () => {
  it('are those of tessera, at every size', () => {
    const leaves = (tessera?.leaves ?? []).map((leaf) => Buffer.from(leaf));
    for (let size = 1; size <= leaves.length; size += 1) {
      for (const { path, bytes } of tilesOfAll(leaves.slice(0, size)).values()) {
        expect(bytes.toString('hex')).toBe(tessera?.files[path]?.hex);
      }
    }
  });

  it.each([1, 255, 256, 257, 70_000])('of %i leaves are the ones that a tree of that size has', (size) => {
    const tiles = tilesOfAll(entries(size));
    const expected = [-1, 0, 1, 2, 3].flatMap((level) => [...tilesOf(size, level)]);
    expect([...tiles.values()].map(({ ref }) => ref).toSorted(byPlace)).toEqual(expected.toSorted(byPlace));
    for (const { path, ref, bytes } of tiles.values()) {
      expect(parseTilePath(path)).toEqual(ref);
      if (ref.level >= 0) expect(parseTile(bytes, ref.width)).toHaveLength(ref.width);
      else expect(parseBundle(bytes, ref.width)[0]?.toString()).toBe(`entry ${ref.index * TILE_WIDTH}`);
    }
  });

  it('go on from where the full tiles end, and are the same', () => {
    const all = entries(66_000);
    const whole = tilesOfAll(all);
    for (const size of [0, 256, 65_280, 65_536, 65_792]) {
      const before = tilesOfAll(all.slice(0, size));
      const open = [...before.values()].filter(({ ref }) => ref.level > 0 && ref.width < TILE_WIDTH);
      const levels = Math.max(0, ...open.map(({ ref }) => ref.level), ...(size >= 65_536 ? [2] : []));
      const start = {
        size,
        open: Array.from({ length: levels }, (_, at) => {
          const tile = open.find(({ ref }) => ref.level === at + 1);
          return tile === undefined ? [] : parseTile(tile.bytes, tile.ref.width);
        }),
      };
      const builder = new TileBuilder(start);
      const made = [...all.slice(size).flatMap((entry) => builder.append(entry)), ...builder.open()];
      for (const { path, bytes } of made) expect(bytes.equals(whole.get(path)?.bytes as Buffer), path).toBe(true);
      const kept = [...before.keys()].filter((path) => whole.has(path));
      expect([...new Set([...kept, ...made.map(({ path }) => path)])].toSorted()).toEqual([...whole.keys()].toSorted());
    }
  });

  it('do not go on from a place inside of a tile, or from hashes that this size does not have', () => {
    const hash = leafHash(Buffer.from('x'));
    expect(refusal(() => new TileBuilder({ size: 255, open: [] }))).toBe('format/tile');
    expect(refusal(() => new TileBuilder({ size: 512, open: [[hash]] }))).toBe('format/tile');
    expect(refusal(() => new TileBuilder({ size: 512, open: [[hash, hash, hash]] }))).toBe('format/tile');
    expect(refusal(() => new TileBuilder({ size: 512, open: [] }))).toBe('format/tile');
    expect(refusal(() => new TileBuilder(NO_TILES))).toBe(null);
  });
});

describe('an entry bundle', () => {
  const entry = fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes));

  it('is read as it was written', () => {
    fc.assert(
      fc.property(fc.array(entry, { minLength: 1, maxLength: 20 }), (all) => {
        expect(parseBundle(encodeBundle(all), all.length)).toEqual(all);
      }),
    );
  });

  it('is refused with FormatError and nothing else, and means one list of entries', () => {
    const bundle = encodeBundle(entries(3));
    fc.assert(
      fc.property(hostileBytes(bundle), fc.constantFrom(1, 2, 3, 4), (bytes, width) => {
        const read = accepted(() => parseBundle(bytes, width));
        if (read !== undefined) expect(encodeBundle(read)).toEqual(bytes);
      }),
      { numRuns: 3000, seed: 20_261_122 },
    );
    expect(refusal(() => parseBundle(bundle, 2))).toBe('format/tile');
    expect(refusal(() => parseBundle(bundle.subarray(0, -1), 3))).toBe('format/tile');
    expect(refusal(() => parseBundle(Buffer.concat([bundle, Buffer.of(0)]), 3))).toBe('format/tile');
    expect(refusal(() => encodeBundle([Buffer.alloc(65_536)]))).toBe('format/too-large');
  });
});

describe('proofs from tiles', () => {
  const most = 300;
  const all = entries(most);
  const leaves = all.map((entry) => leafHash(entry));

  it(
    'are those of RFC 6962 and lead to the root, for every leaf and every two sizes up to 300',
    { timeout: 300_000 },
    async () => {
      const roots = Array.from({ length: most + 1 }, (_, size) => rootAt(leaves, size));
      for (let size = 1; size <= most; size += 1) {
        const tree = new TileTree(size, reading(tilesOfAll(all.slice(0, size))));
        expect((await tree.root()).equals(roots[size] as Hash)).toBe(true);
        for (let m = 1; m <= size; m += 1) {
          const proof = await tree.consistencyProof(m);
          verifyConsistency(m, size, proof, roots[m] as Hash, roots[size] as Hash);
          verifyInclusion(leaves[m - 1] as Hash, m - 1, size, await tree.inclusionProof(m - 1), roots[size] as Hash);
          if (size % 37 !== 0 && size < 290) continue;
          expect(proof).toEqual(referenceProof(m, leaves.slice(0, size)));
          expect(await tree.inclusionProof(m - 1)).toEqual(referencePath(m - 1, leaves.slice(0, size)));
        }
      }
    },
  );

  it('take full tiles where partial ones are gone', async () => {
    const larger = tilesOfAll(entries(512));
    const partial = tilesOfAll(all).get('tile/1/000.p/1') as Tile;
    const tree = new TileTree(300, reading(larger.set(partial.path, partial)));
    verifyInclusion(leaves[270] as Hash, 270, 300, await tree.inclusionProof(270), rootAt(leaves, 300));
  });

  it('reach across levels', async () => {
    const many = entries(70_000);
    const hashes = many.map((entry) => leafHash(entry));
    const tree = new TileTree(many.length, reading(tilesOfAll(many)));
    const root = rootAt(hashes, many.length);
    for (const leaf of [0, 255, 256, 65_535, 65_536, 69_887, 69_999]) {
      verifyInclusion(hashes[leaf] as Hash, leaf, many.length, await tree.inclusionProof(leaf), root);
      const size = leaf + 1;
      verifyConsistency(size, many.length, await tree.consistencyProof(size), rootAt(hashes, size), root);
    }
  });

  it('never prove what a changed tile says', async () => {
    const tiles = tilesOfAll(all);
    const root = rootAt(leaves, most);
    for (const [path, tile] of tiles) {
      if (tile.ref.level < 0) continue;
      const bytes = Buffer.from(tile.bytes);
      bytes[10] = (bytes[10] as number) ^ 1;
      const tree = new TileTree(most, reading(new Map(tiles).set(path, { ...tile, bytes })));
      const proof = await tree.inclusionProof(path.includes('/1/') ? 299 : tile.ref.index * TILE_WIDTH + 20);
      const leaf = path.includes('/1/') ? 299 : tile.ref.index * TILE_WIDTH + 20;
      expect(
        refusal(() => verifyInclusion(leaves[leaf] as Hash, leaf, most, proof, root)),
        path,
      ).toBe('format/root');
    }
  });

  it('are refused where a tile is missing or has another length, or the leaf is not there', async () => {
    const tiles = tilesOfAll(all);
    const code = async (read: ReadTile, leaf: number): Promise<unknown> =>
      new TileTree(most, read).inclusionProof(leaf).then(
        () => null,
        (error: unknown) => (error as { code?: string }).code,
      );
    expect(await code(async () => null, 3)).toBe('format/tile');
    expect(await code(async (path) => tiles.get(path)?.bytes.subarray(1) ?? null, 3)).toBe('format/tile');
    expect(await code(reading(tiles), 300)).toBe('format/proof');
    expect(await code(reading(tiles), -1)).toBe('format/proof');
  });
});

function byPlace(a: { level: number; index: number }, b: { level: number; index: number }): number {
  return a.level - b.level || a.index - b.index;
}
