// SPDX-License-Identifier: AGPL-3.0-or-later
import { encodeStatement, signBatch } from '../../src/record/batch.ts';
import { canonicalize, type Json } from '../../src/record/canonical.ts';
import { signCheckpoint } from '../../src/record/checkpoint.ts';
import { entryId, genesisOf } from '../../src/record/entry.ts';
import type { KeyEntry, LogRecord, OpenEntry, StreamHead } from '../../src/record/entry-types.ts';
import { sha256Hex } from '../../src/record/hash.ts';
import { checkpointKey, segmentKey, segmentPrefix } from '../../src/record/layout.ts';
import { completeLink, encodePredecessor, orderLink, type LogLink } from '../../src/record/link.ts';
import { manifestHash, signManifest } from '../../src/record/manifest.ts';
import { EMPTY_RANGE, RangeBuilder, rootOf } from '../../src/record/merkle.ts';
import { noteKey } from '../../src/record/note.ts';
import { encodeSegment, parseSegment } from '../../src/record/segment.ts';
import type { Trust } from '../../src/record/trust.ts';
import { TRUST } from '../support/archive-fixture.ts';
import { ARCHIVER, CONNECTOR, hexOf, LOG, ORIGIN, ROOT, signingPair } from '../vectors/keys.ts';
import type { MemoryArchive } from '../verify/memory-archive.ts';
import { draftOf, relog, type DraftSegment } from '../verify/relog.ts';
import { FIRST } from './keys.ts';

// Two logs of one line: the small archive ends, and another log on another key goes on from it.

export const NEXT_ORIGIN = 'archive.example/next';
export const NEXT_LOG = signingPair('next log');
export const NEXT_TRUST: Trust = {
  origin: NEXT_ORIGIN,
  root: ROOT.key,
  log: noteKey(NEXT_ORIGIN, NEXT_LOG.key),
  before: TRUST.log,
  number: 1,
};
const STREAM = hexOf('next stream', 32);

/** What is done otherwise than it should be. */
export interface Change {
  readonly link?: Partial<LogLink>;
  /** The link after it was signed by all. */
  readonly signed?: (link: string) => string;
  /** False: the old log says nothing of its end. */
  readonly isAnnounced?: boolean;
  /** What the old log says instead. */
  readonly announced?: (link: string) => string;
  readonly entry?: Partial<KeyEntry>;
  /** The checkpoint that the new log names. */
  readonly checkpoint?: (note: string, carried: string) => string;
  /** The old log after its end. */
  readonly after?: (old: MemoryArchive) => void;
  readonly last?: (last: StreamHead) => StreamHead;
  readonly acct?: string;
  /** When the next log begins. */
  readonly at?: string;
  /** Entries of the new log's beginning. */
  readonly genesis?: (entries: LogRecord[]) => LogRecord[];
  readonly documents?: (documents: string[]) => string[];
}

export const LINK: LogLink = {
  at: '2026-11-22T16:00:00Z',
  cause: 'exchanged',
  n: 1,
  from: TRUST.log,
  to: NEXT_TRUST.log,
  end: null,
};

/** The log goes on for a segment, with an entry that says nothing new. */
export function goOn(old: MemoryArchive, key?: KeyEntry, document?: string): void {
  relog(old, ({ segments }) => {
    const [genesis] = segments as [DraftSegment];
    const again = genesis.own.findLast(({ t }) => t === 'retention') as DraftSegment['own'][number];
    const own = key === undefined ? [again] : [key];
    const docs = document === undefined ? [] : [document];
    segments.push({ ...genesis, at: (segments.at(-1) as DraftSegment).at, docs, batches: [], own });
  });
}

function signedLink(change: Change): string {
  const order = orderLink({ ...LINK, ...change.link }, ROOT.privateKey);
  const old = (change.link?.cause ?? 'exchanged') === 'exchanged' ? LOG.privateKey : null;
  const link = completeLink(order, ROOT.key, { old, new: NEXT_LOG.privateKey });
  return change.signed?.(link) ?? link;
}

function announce(old: MemoryArchive, link: string, { announced, entry }: Change): void {
  const document = announced?.(link) ?? link;
  const at = draftOf(old).segments.at(-1)?.at as string;
  goOn(old, { v: 1, t: 'key', at, log: ORIGIN, kind: 'successor', n: 1, doc: sha256Hex(document), ...entry }, document);
}

/** Where the account's stream of the old log ended. */
function lastOf(old: MemoryArchive): { last: StreamHead; open: OpenEntry } {
  const all = draftOf(old)
    .all('open')
    .map(({ record }) => record)
    .filter(({ role }) => role === 'account');
  const open = all.at(-1) as OpenEntry;
  const own = draftOf(old)
    .batchesOf(open.stream)
    .flatMap(({ records }) => records);
  const end = own.at(-1) as (typeof own)[number];
  return { last: { stream: open.stream, seq: end.record.seq, id: end.id }, open };
}

/** Writes the log that goes on, in one segment. */
function writeNext(archive: MemoryArchive, link: string, checkpoint: string | null, change: Change): void {
  const { at = '2026-11-22T14:10:00Z' } = change;
  const own = { v: 1, at, log: NEXT_ORIGIN } as const;
  const manifest = signManifest({ ...FIRST, origin: NEXT_ORIGIN }, ROOT.privateKey);
  const before = encodePredecessor(link, checkpoint);
  const { last, open } = lastOf(archive);
  const { acct = open.acct } = change;
  const record: OpenEntry = {
    ...open,
    at,
    acct,
    stream: STREAM,
    gen: open.gen + 1,
    prev: genesisOf(NEXT_ORIGIN, STREAM),
    last: change.last?.(last) ?? last,
  };
  const line = canonicalize(record as unknown as Json);
  const statement = signBatch(
    {
      origin: NEXT_ORIGIN,
      stream: STREAM,
      gen: record.gen,
      first: 0,
      count: 1,
      last: entryId(line).toString('hex'),
      key: CONNECTOR.key.id,
    },
    CONNECTOR.privateKey,
  );
  const entries: LogRecord[] = [
    { ...own, t: 'key', kind: 'manifest', n: 0, doc: manifestHash(manifest) },
    { ...own, t: 'key', kind: 'predecessor', n: 1, doc: sha256Hex(before) },
    { ...own, t: 'store', kind: 'directory', create: 'link', locks: false, hold: false },
  ];
  const genesis = (change.genesis?.(entries) ?? entries).map((entry) => canonicalize(entry as unknown as Json));
  const docs = change.documents?.([manifest, before]) ?? [manifest, before];
  const tree = new RangeBuilder(EMPTY_RANGE);
  let note = '';
  const put = (lines: string[], batches: string[], documents: string[]): void => {
    const parts = {
      origin: NEXT_ORIGIN,
      before: tree.range(),
      checkpoint: note,
      docs: documents,
      batches,
      entries: lines,
      at,
    };
    archive.put(segmentKey(NEXT_ORIGIN, tree.end), encodeSegment(parts, ARCHIVER.key, ARCHIVER.privateKey));
    for (const entry of lines) tree.appendLeaf(entryId(entry));
    note = signCheckpoint({ origin: NEXT_ORIGIN, size: tree.end, root: rootOf(tree.range()) }, NEXT_LOG.privateKey);
  };
  put(genesis, [], docs);
  put([line], [encodeStatement(statement)], []);
  archive.put(checkpointKey(NEXT_ORIGIN), note);
}

/** Ends the small archive and goes on in another log. */
export function goOnIn(archive: MemoryArchive, change: Change = {}): void {
  const link = signedLink(change);
  const isExchanged = (change.link?.cause ?? 'exchanged') === 'exchanged';
  if (isExchanged && change.isAnnounced !== false) announce(archive, link, change);
  const note = archive.get(checkpointKey(ORIGIN)).toString();
  const carried = parseSegment(archive.get(archive.keys(segmentPrefix(ORIGIN)).at(-1) as string)).head.checkpoint;
  writeNext(archive, link, isExchanged ? (change.checkpoint?.(note, carried) ?? note) : null, change);
  change.after?.(archive);
}
