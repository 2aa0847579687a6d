// SPDX-License-Identifier: AGPL-3.0-or-later
import { parseEntry, sealedPart } from '../record/entry.ts';
import type { PackEntry } from '../record/entry-types.ts';
import { FormatError } from '../record/format-error.ts';
import { leafHash } from '../record/hash.ts';
import { leafOfKey, segmentPrefix } from '../record/layout.ts';
import { MAX_SEGMENT_BYTES, parseSegment } from '../record/segment.ts';
import { readWhole, type ArchiveReader, type StoredVersion } from '../verify/reader.ts';
import { fetched, listedAfter } from './follow.ts';
import { broken, type VerifiedEntry } from './log-cursor.ts';

/** Segments that are held at a time; what is asked for stands side by side, mostly. */
const MOST_HELD = 4;

interface Held {
  readonly first: number;
  readonly entries: readonly Buffer[];
  readonly docs: readonly string[];
  readonly packs: readonly PackEntry[];
}

/**
 * Entries of the log by leaf, read again from the store. They were checked when the log was followed, and what is stored may have
 * changed since: whoever takes one MUST hold its id against the one that was checked.
 */
export class SegmentShelf {
  readonly #reader: ArchiveReader;
  readonly #origin: string;
  readonly #held = new Map<string, Held>();
  #segments: readonly StoredVersion[] | null = null;

  constructor(reader: ArchiveReader, origin: string) {
    this.#reader = reader;
    this.#origin = origin;
  }

  /** Null for a leaf that the store has no segment of. */
  async entry(leaf: number): Promise<VerifiedEntry | null> {
    const segment = await this.#segmentOf(leaf);
    const bytes = segment?.entries[leaf - segment.first];
    if (bytes === undefined) return null;
    const line = bytes.toString('latin1');
    return { leaf, id: leafHash(bytes).toString('hex'), line, entry: parseEntry(line) };
  }

  async docs(leaf: number): Promise<readonly string[]> {
    return (await this.#segmentOf(leaf))?.docs ?? [];
  }

  /** The pack that the body of a leaf was written to. */
  async packOf(leaf: number): Promise<PackEntry | null> {
    const found = await this.entry(leaf);
    const ret = found === null ? undefined : sealedPart(found.entry)?.ret;
    const packs = (await this.#segmentOf(leaf))?.packs ?? [];
    const holds = ({ leaves }: PackEntry): boolean =>
      leaves.some(([first, count]) => leaf >= first && leaf < first + count);
    return packs.find((pack) => pack.ret === ret && holds(pack)) ?? null;
  }

  async #segmentOf(leaf: number): Promise<Held | null> {
    this.#segments ??= await this.#list();
    const version = this.#segments.findLast(({ key }) => leafOfKey(key) <= leaf);
    if (version === undefined) return null;
    const known = this.#held.get(version.key);
    if (known !== undefined) return known;
    const held = await this.#read(version);
    const [oldest] = this.#held.keys();
    if (this.#held.size >= MOST_HELD && oldest !== undefined) this.#held.delete(oldest);
    this.#held.set(version.key, held);
    return held;
  }

  async #list(): Promise<StoredVersion[]> {
    const found: StoredVersion[] = [];
    for await (const version of listedAfter(this.#reader, segmentPrefix(this.#origin), '')) {
      if (version.deleteMarker) continue;
      // Newest first within a key: the last one is the object.
      if (found.at(-1)?.key === version.key) found.pop();
      found.push(version);
    }
    return found;
  }

  async #read({ key, version, size }: StoredVersion): Promise<Held> {
    if (size > MAX_SEGMENT_BYTES) throw broken(key, `at most ${MAX_SEGMENT_BYTES} bytes`, String(size));
    try {
      const { head, entries, docs } = parseSegment(await fetched(() => readWhole(this.#reader, key, version, size)));
      const packs = entries.flatMap((bytes) => {
        const entry = bytes.includes('"t":"pack"') ? parseEntry(bytes.toString('latin1')) : null;
        return entry?.t === 'pack' ? [entry] : [];
      });
      return { first: head.first, entries, docs: docs.map(String), packs };
    } catch (cause) {
      if (!(cause instanceof FormatError)) throw cause;
      throw broken(key, cause.expected, cause.got);
    }
  }
}
