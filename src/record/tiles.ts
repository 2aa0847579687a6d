// SPDX-License-Identifier: Apache-2.0
import { FormatError } from './format-error.ts';

// C2SP tlog-tiles v0.1: https://c2sp.org/tlog-tiles

/** A full tile holds 256 hashes of one level. */
export const TILE_WIDTH = 256;
const MAX_TILE_LEVEL = 5;

/** `level` counts in steps of 8 tree levels; -1 means the entry bundles (`entries`). `width` 256 is a full tile. */
export interface TileRef {
  readonly level: number;
  readonly index: number;
  readonly width: number;
}

export function tilePath({ level, index, width }: TileRef): string {
  const groups = [String(index % 1000).padStart(3, '0')];
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000)) {
    groups.unshift(`x${String(rest % 1000).padStart(3, '0')}`);
  }
  const partial = width === TILE_WIDTH ? '' : `.p/${width}`;
  return `tile/${level < 0 ? 'entries' : level}/${groups.join('/')}${partial}`;
}

export function parseTilePath(path: string): TileRef {
  const match = /^tile\/(entries|\d)\/((?:x\d{3}\/){0,4}\d{3})(?:\.p\/([1-9]\d{0,2}))?$/.exec(path);
  if (match === null) throw new FormatError('format/tile-path', 'tile/<level>/<index>[.p/<width>]', 'another path');
  const [, level = '', index = '', width] = match;
  const tile: TileRef = {
    level: level === 'entries' ? -1 : Number(level),
    index: Number(index.replaceAll(/[x/]/g, '')),
    width: width === undefined ? TILE_WIDTH : Number(width),
  };
  if (tile.level > MAX_TILE_LEVEL || tile.width > TILE_WIDTH || tilePath(tile) !== path) {
    throw new FormatError('format/tile-path', 'the one path of a tile', 'another spelling');
  }
  return tile;
}

/** All tiles of one level (in tiles, or -1 for entries) of a tree of `size` leaves; the last may be partial. */
export function* tilesOf(size: number, level: number): Generator<TileRef> {
  const hashes = Math.floor(size / TILE_WIDTH ** Math.max(level, 0));
  const full = Math.floor(hashes / TILE_WIDTH);
  for (let index = 0; index < full; index += 1) yield { level, index, width: TILE_WIDTH };
  if (hashes % TILE_WIDTH > 0) yield { level, index: full, width: hashes % TILE_WIDTH };
}
