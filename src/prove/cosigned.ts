// SPDX-License-Identifier: AGPL-3.0-or-later
import { openCheckpointOf } from '../record/checkpoint.ts';
import { FormatError } from '../record/format-error.ts';
import { logPrefix, witnessPrefix } from '../record/layout.ts';
import { parseNote, signatureLine, type NoteKey } from '../record/note.ts';
import { openWitnessed, type Policy } from '../record/policy.ts';
import type { ReadTile } from '../record/tile-tree.ts';
import { parseTilePath, tilePath, TILE_WIDTH } from '../record/tiles.ts';

/** A place that lists and reads: what the search needs of an archive. */
export interface CosignedPlace {
  readonly origin: string;
  readonly log: NoteKey;
  /** Keys under a prefix behind another key, ascending. */
  keysAfter(prefix: string, after: string): AsyncIterable<string>;
  read(key: string): Promise<Buffer | null>;
}

/** Cosigned checkpoints that are looked at: witnesses that stay away do not make a bundle wait. */
const MOST_SIZES = 32;

/**
 * The earliest checkpoint behind a leaf that witnesses cosigned, with all their lines: the earliest says the most about when. With a policy,
 * the earliest that meets it; where none does, the earliest. Null where there is none.
 */
export async function cosignedBehind(
  place: CosignedPlace,
  leaf: number,
  policy: Policy | null,
): Promise<string | null> {
  const prefix = witnessPrefix(place.origin);
  const notes = new Map<number, string>();
  for await (const key of place.keysAfter(prefix, `${prefix}${String(leaf).padStart(16, '0')}~`)) {
    const size = Number(/(\d{16})-[0-9a-f]{16}$/.exec(key)?.[1] ?? Number.NaN);
    if (!(size > leaf)) continue;
    if (!notes.has(size) && notes.size >= MOST_SIZES) break;
    const note = (await place.read(key))?.toString('utf8') ?? '';
    if (sizeOf(note, place.log) === size) notes.set(size, merged(notes.get(size) ?? note, note));
  }
  const all = [...notes.values()];
  return all.find((note) => policy !== null && isMet(note, policy)) ?? all[0] ?? null;
}

function sizeOf(note: string, log: NoteKey): number | null {
  try {
    return openCheckpointOf(parseNote(note), [log]).checkpoint.size;
  } catch (error) {
    if (error instanceof FormatError) return null;
    throw error;
  }
}

export function isMet(note: string, policy: Policy): boolean {
  try {
    openWitnessed(note, policy);
    return true;
  } catch (error) {
    if (error instanceof FormatError) return false;
    throw error;
  }
}

/** Two notes of one text, with the lines of both. */
function merged(a: string, b: string): string {
  const [first, second] = [parseNote(a), parseNote(b)];
  if (first.text !== second.text) return a;
  const lines = [...first.signatures, ...second.signatures].map((line) => signatureLine(line, line.signature));
  return `${first.text}\n${[...new Set(lines)].join('')}`;
}

/** Tiles of an earlier size, out of those of a later one: a tile only grows. */
export function tilesBefore(size: number, origin: string, read: (key: string) => Promise<Buffer | null>): ReadTile {
  return async (path) => {
    const ref = parseTilePath(path);
    const width = Math.min(
      TILE_WIDTH,
      Math.floor((size / TILE_WIDTH ** (ref.level + 1)) * TILE_WIDTH) - ref.index * TILE_WIDTH,
    );
    const bytes = await read(logPrefix(origin) + tilePath({ ...ref, width }));
    return bytes === null ? null : bytes.subarray(0, ref.width * (bytes.length / width));
  };
}
