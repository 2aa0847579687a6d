// SPDX-License-Identifier: AGPL-3.0-or-later
import { commitPart } from '../../record/commitment.ts';
import { parseEntry, sealedPart } from '../../record/entry.ts';
import type { Entry } from '../../record/entry-types.ts';
import { sha256Hex } from '../../record/hash.ts';
import { mediaKey, packKey } from '../../record/layout.ts';
import type { Segment } from '../../record/segment.ts';
import { EpochError } from '../../seal/epoch.ts';
import { ObjectError } from '../../seal/object.ts';
import { OpenError, type OpenedRecord, type Opener } from '../../seal/open.ts';
import type { ArchiveSource } from '../../prove/archive-source.ts';
import { leavesOf } from '../../search/open-records.ts';
import { streamed, type ArchiveReader } from '../../verify/reader.ts';
import type { LogSegments } from './log-segments.ts';

export interface ContentParts {
  readonly segments: LogSegments;
  readonly source: ArchiveSource;
  readonly reader: ArchiveReader;
  readonly opener: Opener;
}

/**
 * One JSON object a record, in the order of the log: what it says, byte for byte as it was sealed, with the salt of that and the
 * commitments of the parts that stay sealed. Where bytes are gone or do not open, it says why. The packs of one segment are in memory.
 */
export async function* contentText(parts: ContentParts, leaves: Float64Array): AsyncGenerator<string> {
  for (let at = 0; at < leaves.length;) {
    const segment = await parts.segments.holding(leaves[at] as number);
    if (segment === null) throw new RangeError('leaves of segments that were read before');
    let end = at + 1;
    while (end < leaves.length && (leaves[end] as number) < segment.tail.size) end += 1;
    yield* contentOf(parts, segment, leaves.subarray(at, end));
    at = end;
  }
}

async function* contentOf(parts: ContentParts, segment: Segment, leaves: Float64Array): AsyncGenerator<string> {
  const { opener, source } = parts;
  for (const document of segment.docs) opener.addEpoch(document.toString());
  const { first } = segment.head;
  const lines = segment.entries.map((bytes) => bytes.toString('latin1'));
  const entries = lines.map((line) => parseEntry(line));
  const places = bodiesOf(entries, first, leaves);
  const packs = new Map<string, Buffer | null>();
  for (const leaf of leaves) {
    const entry = entries[leaf - first];
    if (entry === undefined || sealedPart(entry) === null) continue;
    const { pack = '', at = 0, length = 0 } = places.get(leaf) ?? {};
    if (!packs.has(pack)) packs.set(pack, await source.read(packKey(source.trust.origin, pack)));
    const body = packs.get(pack)?.subarray(at, at + length);
    yield `${JSON.stringify({ leaf, ...(await disclosed(parts, lines[leaf - first] as string, body)) })}\n`;
  }
}

async function disclosed(parts: ContentParts, line: string, body: Buffer | undefined): Promise<object> {
  if (body === undefined || body.length === 0) return { defect: 'missing' };
  const opened = await tryOpen(parts, line, body);
  if (typeof opened === 'string') return { defect: opened };
  const { parts: plain, salts } = opened;
  const view = plain.view.toString('utf8');
  // A view that is no text would not be the same bytes again.
  if (!Buffer.from(view).equals(plain.view)) return { defect: 'not-text' };
  const commitment = (name: 'cap' | 'raw'): string => commitPart(name, salts[name], plain[name]).toString('hex');
  return { cap: commitment('cap'), raw: commitment('raw'), salt: Buffer.from(salts.view).toString('hex'), view };
}

async function tryOpen({ opener, reader }: ContentParts, line: string, body: Buffer): Promise<OpenedRecord | string> {
  try {
    return await opener.open(line, body, (hash) => streamed(reader, mediaKey(hash), ''));
  } catch (error) {
    if (error instanceof OpenError || error instanceof EpochError) return error.code;
    if (error instanceof ObjectError) return 'corrupt';
    throw error;
  }
}

interface Place {
  readonly pack: string;
  readonly at: number;
  readonly length: number;
}

/** Where the bodies of these leaves lie: in the pack of their class, behind those of the leaves before them. */
function bodiesOf(entries: readonly Entry[], first: number, leaves: Float64Array): Map<number, Place> {
  const wanted = new Set(leaves);
  const places = new Map<number, Place>();
  for (const pack of entries) {
    if (pack.t !== 'pack') continue;
    let at = 0;
    for (const leaf of leavesOf(pack, first, entries.length)) {
      const sealed = sealedPart(entries[leaf - first] as Entry);
      if (sealed?.ret !== pack.ret) continue;
      if (wanted.has(leaf)) places.set(leaf, { pack: pack.h, at, length: sealed.body.n });
      at += sealed.body.n;
    }
  }
  return places;
}

/** Of a disclosed view, as {@link contentText} wrote it: what must be what `messages.jsonl` shows of the record. */
export function viewHash(view: unknown): string {
  return sha256Hex(JSON.stringify(view) ?? '');
}
