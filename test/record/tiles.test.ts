// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { leafHash } from '../../src/record/hash.ts';
import { parseTilePath, tilePath, tilesOf, TILE_WIDTH, type TileRef } from '../../src/record/tiles.ts';
import { sharedJson } from '../vectors/shared.ts';
import { HOSTILE_TEXTS, hostileText } from './hostile.ts';
import { accepted, refusal } from './refusal.ts';

interface Tessera {
  readonly leaves: readonly string[];
  readonly files: Readonly<Record<string, { readonly hex?: string }>>;
}
const tessera = sharedJson<Tessera | null>('tlog-tiles/tessera-testdata-log.json', null);

const tile: fc.Arbitrary<TileRef> = fc.record({
  level: fc.integer({ min: -1, max: 5 }),
  index: fc.oneof(fc.nat({ max: 2000 }), fc.integer({ min: 0, max: 999_999_999_999_999 })),
  width: fc.integer({ min: 1, max: TILE_WIDTH }),
});

describe('the path of a tile', () => {
  it.each<readonly [TileRef, string]>([
    [{ level: 0, index: 0, width: 256 }, 'tile/0/000'],
    [{ level: -1, index: 999, width: 256 }, 'tile/entries/999'],
    [{ level: 1, index: 1000, width: 3 }, 'tile/1/x001/000.p/3'],
    [{ level: 0, index: 1_234_067, width: 256 }, 'tile/0/x001/x234/067'],
    [{ level: 5, index: 999_999_999_999_999, width: 255 }, 'tile/5/x999/x999/x999/x999/999.p/255'],
  ])('of %o is %s', (ref, path) => {
    expect(tilePath(ref)).toBe(path);
    expect(parseTilePath(path)).toEqual(ref);
  });

  it('is read as it was written', () => {
    fc.assert(
      fc.property(tile, (ref) => {
        expect(parseTilePath(tilePath(ref))).toEqual(ref);
      }),
    );
  });

  it.each([
    'tile/0/0',
    'tile/0/0000',
    'tile/0/1000',
    'tile/0/x000/001',
    'tile/0/001/002',
    'tile/0/x001/x002',
    'tile/00/000',
    'tile/6/000',
    'tile/-1/000',
    'tile/0/000.p/0',
    'tile/0/000.p/01',
    'tile/0/000.p/256',
    'tile/0/000.p/257',
    'tile/0/000.p/999',
    'tile/0/000.p/',
    'tile/0/000.p',
    'tile/0/000/',
    '/tile/0/000',
    'tile/0/000\n',
    'tile/entries/../0/000',
    'tile/0/x999/x999/x999/x999/x999/999',
  ])('is not %s', (path) => {
    expect(refusal(() => parseTilePath(path))).toBe('format/tile-path');
  });

  it('is refused with FormatError and nothing else, and is the only one of its tile', () => {
    for (const text of HOSTILE_TEXTS) expect(refusal(() => parseTilePath(text))).toBe('format/tile-path');
    fc.assert(
      fc.property(hostileText('tile/1/x001/234.p/17'), (text) => {
        const ref = accepted(() => parseTilePath(text));
        if (ref !== undefined) expect(tilePath(ref)).toBe(text);
      }),
      { numRuns: 3000 },
    );
  });
});

describe('the tiles of a tree', () => {
  it('hold each hash of their level once', () => {
    fc.assert(
      fc.property(fc.nat({ max: 300_000 }), fc.integer({ min: -1, max: 3 }), (size, level) => {
        const tiles = [...tilesOf(size, level)];
        const hashes = Math.floor(size / 256 ** Math.max(0, level));
        expect(tiles.reduce((sum, { width }) => sum + width, 0)).toBe(hashes);
        tiles.forEach(({ index, width, level: of }, at) => {
          expect([index, of]).toEqual([at, level]);
          if (at < tiles.length - 1) expect(width).toBe(TILE_WIDTH);
          expect(width > 0 && width <= TILE_WIDTH).toBe(true);
        });
      }),
    );
    expect([...tilesOf(0, 0)]).toEqual([]);
    expect([...tilesOf(256, 1)]).toEqual([{ level: 1, index: 0, width: 1 }]);
  });

  it('of tessera lie where ours lie and hold what ours hold, at every size', () => {
    const leaves = tessera?.leaves ?? [];
    const found = new Set<string>();
    for (let size = 1; size <= leaves.length; size += 1) {
      for (const level of [-1, 0]) {
        const [ref] = [...tilesOf(size, level)] as [TileRef];
        const content = leaves
          .slice(0, ref.width)
          .map((leaf) => (level === 0 ? leafHash(Buffer.from(leaf)) : bundled(leaf)));
        expect(tessera?.files[tilePath(ref)]?.hex).toBe(Buffer.concat(content).toString('hex'));
        found.add(tilePath(ref));
      }
    }
    const published = Object.keys(tessera?.files ?? {}).filter((name) => name.startsWith('tile/'));
    expect([...found].toSorted()).toEqual(published.toSorted());
  });
});

/** An entry of a bundle: its length in two bytes, and the entry. */
function bundled(leaf: string): Buffer {
  const bytes = Buffer.from(leaf);
  return Buffer.concat([Buffer.of(bytes.length >> 8, bytes.length & 255), bytes]);
}
