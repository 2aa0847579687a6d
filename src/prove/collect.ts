// SPDX-License-Identifier: AGPL-3.0-or-later
import { parseStatement, type BatchStatement } from '../record/batch.ts';
import { canonicalize, type Json } from '../record/canonical.ts';
import { maySign } from '../record/enforcement.ts';
import { isStreamRecord, parseEntry } from '../record/entry.ts';
import type { HeadsEntry, StreamRecord } from '../record/entry-types.ts';
import { leafHash, sha256Hex } from '../record/hash.ts';
import { parseHeads, type Heads } from '../record/heads.ts';
import { headsKey } from '../record/layout.ts';
import { RangeBuilder, rootOf } from '../record/merkle.ts';
import { encodeVerifierKey } from '../record/note.ts';
import { openManifest, signersOf } from '../record/manifest.ts';
import { inclusionSpans } from '../record/proof-spans.ts';
import { encodeTlogProof } from '../record/tlog-proof.ts';
import { putStamps } from './stamped.ts';
import { missing, type ArchiveSource, type PlacedSegment } from './archive-source.ts';
import { CORE, withoutLink } from './files.ts';

/** What is looked through for neighbours, on either side: a day's segments would take long, and prove no more of the record. */
const MOST_SEGMENTS_LOOKED_AT = 24;

export interface CollectOptions {
  /** A C2SP policy; without one, the log key of the trust file alone. */
  readonly policy?: string;
}

interface Found {
  readonly leaf: number;
  readonly line: string;
  readonly entry: StreamRecord;
  readonly id: string;
  readonly placed: PlacedSegment;
}

/** Gathers all that proves one record, without its content. Throws `prove/not-found`, `prove/not-a-record` or what a damaged archive throws. */
export async function collect(
  source: ArchiveSource,
  leaf: number,
  options: CollectOptions = {},
): Promise<Map<string, Buffer>> {
  const record = await recordAt(source, leaf);
  const files = new Map<string, Buffer>();
  const put = (name: string, text: string): void => void files.set(name, Buffer.from(text));
  put(CORE.record, record.line);
  put(CORE.proof, encodeTlogProof(await source.proof(leaf)));
  const { statement, line, after } = batchOf(record);
  put(CORE.batch, line);
  put(CORE.after, after.map((text) => `${withoutLink(text)}\n`).join(''));
  const seal = await sealOf(source, record);
  put(CORE.manifest, await manifestOf(source, record, statement, seal?.heads ?? null));
  const { origin, root, log } = source.trust;
  const vkey = encodeVerifierKey(log);
  put(CORE.trust, `${canonicalize({ log: vkey, origin, root: root.raw.toString('base64'), v: 1 })}\n`);
  put(CORE.policy, options.policy ?? `log ${vkey}\nquorum none\n`);
  const neighbours = [
    [CORE.previous, CORE.previousProof, await previousOf(source, record)],
    [CORE.next, CORE.nextProof, await nextOf(source, record)],
  ] as const;
  for (const [name, proofName, neighbour] of neighbours) {
    if (neighbour === null) continue;
    const proof = await source.proof(neighbour.leaf);
    // What witnesses have not seen yet would hold nothing against the record, and nothing for it.
    if (!source.meets(proof)) continue;
    put(name, neighbour.line);
    put(proofName, encodeTlogProof(proof));
  }
  if (seal !== null) await putSeal(source, record, seal, put);
  await putStamps(source, leaf, put);
  return files;
}

async function recordAt(source: ArchiveSource, leaf: number): Promise<Found> {
  const placed = await source.segmentOf(leaf);
  if (placed === null) throw missing(`leaf ${leaf}`, 'none: the log ends before');
  const found = foundAt(placed, leaf);
  if (found === null) throw missing('a record of a stream', 'an entry of the log’s own');
  return found;
}

function foundAt(placed: PlacedSegment, leaf: number): Found | null {
  const index = leaf - placed.first;
  const line = placed.segment.entries[index]?.toString('latin1') ?? '';
  const entry = parseEntry(line);
  return isStreamRecord(entry) ? { leaf, line, entry, id: placed.ids[index]?.toString('hex') ?? '', placed } : null;
}

/** The statement that covers a record, and the batch's lines behind the record: they lead to the id that is signed. */
function batchOf({ leaf, placed }: Found): { statement: BatchStatement; line: string; after: string[] } {
  let at = placed.first;
  for (const bytes of placed.segment.batches) {
    const statement = parseStatement(bytes.toString('latin1'));
    const end = at + statement.count;
    if (leaf < end) {
      const lines = placed.segment.entries.slice(leaf + 1 - placed.first, end - placed.first);
      return { statement, line: bytes.toString('latin1'), after: lines.map((text) => text.toString('latin1')) };
    }
    at = end;
  }
  throw missing('a batch that covers the record', 'none');
}

interface Seal {
  readonly leaves: number;
  readonly heads: Heads;
}

/** The first heads behind a record. */
async function sealOf(source: ArchiveSource, { leaf }: Found): Promise<Seal | null> {
  for await (const leaves of source.headsFrom(leaf + 1)) {
    const heads = await headsAt(source, leaves);
    if (heads !== null) return { leaves, heads };
  }
  return null;
}

async function putSeal(
  source: ArchiveSource,
  { entry: { stream } }: Found,
  { leaves, heads }: Seal,
  put: (name: string, text: string) => void,
): Promise<void> {
  const placed = await source.segmentAt(leaves);
  const lines = placed?.segment.entries.map((line) => line.toString('latin1')) ?? [];
  const index = lines.findIndex(
    (line) => line.includes('"t":"heads"') && (parseEntry(line) as HeadsEntry).t === 'heads',
  );
  const at = heads.streams.findIndex((state) => state.stream === stream);
  const state = heads.streams[at];
  // Heads that a crash left are named by no entry, and seal nothing.
  if (index < 0 || state === undefined) return;
  const hashes = heads.streams.map(({ stream: name, seq, id }) => leafHash(Buffer.from(`${name} ${seq} ${id}\n`)));
  const proof = inclusionSpans(at, hashes.length).map(([begin, end]) => {
    const builder = new RangeBuilder(0);
    for (const hash of hashes.slice(begin, end)) builder.appendLeaf(hash);
    return builder.range();
  });
  const text = {
    hashes: proof.map((range) => rootOf(range).toString('base64')),
    id: state.id,
    index: at,
    seq: state.seq,
    size: hashes.length,
  };
  const logged = await source.proof(leaves + index);
  if (!source.meets(logged)) return;
  put(CORE.seal, lines[index] as string);
  put(CORE.sealProof, encodeTlogProof(logged));
  put(CORE.sealStream, `${canonicalize({ ...text, stream } as unknown as Json)}\n`);
}

/**
 * The newest manifest up to the record's segment that names the batch's key in a role that may sign the record: of the heads behind the
 * record; else of the newest before it, or of a young log's first segment; else, for a key that is new since then, of the segments between.
 */
async function manifestOf(
  source: ArchiveSource,
  record: Found,
  { key }: BatchStatement,
  heads: Heads | null,
): Promise<string> {
  const from = await headsBefore(source, record.placed.first);
  const earlier = heads ?? (from === 0 ? null : await headsAt(source, from));
  const logged = new Map(
    (earlier?.rules ?? []).flatMap((line) => {
      const rule = parseEntry(line);
      return rule.t === 'key' && rule.kind === 'manifest' ? [[rule.doc, rule.at] as const] : [];
    }),
  );
  const known =
    earlier === null
      ? manifestsIn(await source.segmentAt(0))
      : earlier.docs.filter((text) => logged.has(sha256Hex(text)));
  const inTime = known.filter((text) => (logged.get(sha256Hex(text)) ?? '') <= record.placed.segment.tail.at);
  let found = inTime.findLast((text) => namesSigner(source, text, key, record.entry));
  for (let at = from; found === undefined && at < record.placed.first;) {
    const placed = await source.segmentAt(at);
    if (placed === null) break;
    found = manifestsIn(placed).findLast((text) => namesSigner(source, text, key, record.entry));
    at += placed.ids.length;
  }
  if (found === undefined) throw missing('a manifest that names the key of the batch', 'none');
  return found;
}

function namesSigner({ trust }: ArchiveSource, document: string, key: string, { t }: StreamRecord): boolean {
  const manifest = openManifest(document, trust.root, trust.origin);
  return (['connector', 'reader'] as const).some((role) => signersOf(manifest, role).has(key) && maySign(role, t));
}

/** Where the newest heads up to a leaf stand; 0 for none. */
async function headsBefore(source: ArchiveSource, leaf: number): Promise<number> {
  let from = 0;
  for await (const leaves of source.headsFrom(0)) {
    if (leaves > leaf) break;
    from = leaves;
  }
  return from;
}

async function headsAt(source: ArchiveSource, leaves: number): Promise<Heads | null> {
  const bytes = await source.read(headsKey(source.trust.origin, leaves));
  return bytes === null ? null : parseHeads(bytes);
}

function manifestsIn(placed: PlacedSegment | null): string[] {
  if (placed === null) return [];
  const hashes = placed.segment.entries.flatMap((line) => {
    const entry = line.includes('"kind":"manifest"') ? parseEntry(line.toString('latin1')) : null;
    return entry?.t === 'key' ? entry.doc : [];
  });
  return placed.segment.docs.map(String).filter((text) => hashes.includes(sha256Hex(text)));
}

/** The record before, looked for backwards; a hole before it stands for records that have no id of their own. */
async function previousOf(source: ArchiveSource, { entry, placed }: Found): Promise<Found | null> {
  if (entry.seq === 0) return null;
  let at: PlacedSegment | null = placed;
  for (let looked = 0; at !== null && looked < MOST_SEGMENTS_LOOKED_AT; looked += 1) {
    const index = at.ids.findLastIndex((id) => id.toString('hex') === entry.prev);
    if (index >= 0) return foundAt(at, at.first + index);
    at = at.first === 0 ? null : await source.segmentOf(at.first - 1);
  }
  return null;
}

async function nextOf(source: ArchiveSource, { entry, id, placed }: Found): Promise<Found | null> {
  const link = `"prev":"${entry.t === 'hole' ? entry.last : id}"`;
  let at: PlacedSegment | null = placed;
  for (let looked = 0; at !== null && looked < MOST_SEGMENTS_LOOKED_AT; looked += 1) {
    const index = at.segment.entries.findIndex((line) => line.includes(link));
    if (index >= 0) return foundAt(at, at.first + index);
    at = await source.segmentAt(at.first + at.ids.length);
  }
  return null;
}
