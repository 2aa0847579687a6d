// SPDX-License-Identifier: AGPL-3.0-or-later
import { commitPart } from '../../record/commitment.ts';
import { parseEntry, sealedPart } from '../../record/entry.ts';
import type { PackEntry } from '../../record/entry-types.ts';
import { sha256Hex } from '../../record/hash.ts';
import { mediaKey, packKey } from '../../record/layout.ts';
import type { Segment } from '../../record/segment.ts';
import { EpochError } from '../../seal/epoch.ts';
import { ObjectError } from '../../seal/object.ts';
import { OpenError, type OpenedRecord, type Opener } from '../../seal/open.ts';
import type { ArchiveSource } from '../../prove/archive-source.ts';
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
    const end = leaves.findIndex((leaf, index) => index >= at && leaf >= segment.tail.size);
    const shown = leaves.subarray(at, end === -1 ? leaves.length : end);
    yield* contentOf(parts, segment, shown);
    at += shown.length;
  }
}

async function* contentOf(parts: ContentParts, segment: Segment, leaves: Float64Array): AsyncGenerator<string> {
  const { opener, source } = parts;
  for (const document of segment.docs) opener.addEpoch(document.toString());
  const places = bodiesOf(segment, leaves);
  const packs = new Map<string, Buffer | null>();
  for (const leaf of leaves) {
    const line = segment.entries[leaf - segment.head.first]?.toString('latin1') ?? '';
    if (sealedPart(parseEntry(line)) === null) continue;
    const { pack = '', at = 0, length = 0 } = places.get(leaf) ?? {};
    if (!packs.has(pack)) packs.set(pack, await source.read(packKey(source.trust.origin, pack)));
    const body = packs.get(pack)?.subarray(at, at + length);
    yield `${JSON.stringify({ leaf, ...(await disclosed(parts, line, body)) })}\n`;
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
function bodiesOf({ head, entries }: Segment, leaves: Float64Array): Map<number, Place> {
  const wanted = new Set(leaves);
  const packs = entries.flatMap((bytes) => {
    const entry = bytes.includes('"t":"pack"') ? parseEntry(bytes.toString('latin1')) : null;
    return entry?.t === 'pack' ? [entry] : [];
  });
  const places = new Map<number, Place>();
  for (const pack of packs) {
    let at = 0;
    for (const leaf of leavesOf(pack)) {
      const sealed = sealedPart(parseEntry(entries[leaf - head.first]?.toString('latin1') ?? ''));
      if (sealed?.ret !== pack.ret) continue;
      if (wanted.has(leaf)) places.set(leaf, { pack: pack.h, at, length: sealed.body.n });
      at += sealed.body.n;
    }
  }
  return places;
}

function* leavesOf({ leaves }: PackEntry): Generator<number> {
  for (const [begin, count] of leaves) for (let leaf = begin; leaf < begin + count; leaf += 1) yield leaf;
}

/** Of a disclosed view, as {@link contentText} wrote it: what must be what `messages.jsonl` shows of the record. */
export function viewHash(view: unknown): string {
  return sha256Hex(JSON.stringify(view) ?? '');
}
