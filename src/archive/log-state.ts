// SPDX-License-Identifier: AGPL-3.0-or-later
import { Failure } from '../base/failure.ts';
import { encodeEntry, isStreamRecord, parseEntry } from '../record/entry.ts';
import type { BatchRole, EnforcedManifest } from '../record/enforcement.ts';
import type {
  Entry,
  Hex128,
  Hex256,
  KeyEntry,
  RetentionEntry,
  StoreEntry,
  StreamRecord,
} from '../record/entry-types.ts';
import { leafHash, sha256Hex, type Hash } from '../record/hash.ts';
import type { Heads, StreamState } from '../record/heads.ts';
import { approvalText } from '../record/hold.ts';
import type { KeyId, SigningKey } from '../record/key.ts';
import { manifestHash, openManifest, signersOf, type Manifest } from '../record/manifest.ts';
import { EMPTY_RANGE, type CompactRange } from '../record/merkle.ts';
import { fromSeconds } from '../record/period.ts';
import { TreeWindow } from '../record/tree-window.ts';

/** Which log this is, and whose word counts in it. */
export interface TrustedLog {
  readonly origin: string;
  readonly root: SigningKey;
}

/** Who may sign batches. */
export interface BatchSigner {
  readonly key: SigningKey;
  readonly role: BatchRole;
}

/** Where a stream stands in the log. */
export interface ArchivedStream extends StreamState {
  /**
   * Leaf hash of its last entry: differs from `id`, which the next record must name, only behind a hole. Null where heads are all
   * that was read: they do not tell it.
   */
  readonly leafId: Hex256 | null;
}

/** A size of the log that was signed: what proofs lead to. */
export interface SignedSize {
  readonly size: number;
  readonly range: CompactRange;
  readonly checkpoint: string;
}

/** Beyond this many leaves the window of the tree is halved: 64 bytes a leaf bound the archiver's memory. */
export const MOST_WINDOW_LEAVES = 2 ** 18;

/**
 * What the archiver knows of its log: everything follows from segments, so it is rebuilt from them and nothing else.
 * Owned by the committer and by recovery; all others read.
 */
export class LogState {
  readonly #trusted: TrustedLog;
  readonly #mostWindowLeaves: number;
  #window: TreeWindow;
  readonly #streams = new Map<Hex128, ArchivedStream>();
  /** Newest stream of every account. */
  readonly #accounts = new Map<Hex128, Hex128>();
  readonly #documents: string[] = [];
  readonly #manifests: EnforcedManifest[] = [];
  readonly #keyLines: string[] = [];
  #signers: ReadonlyMap<KeyId, BatchSigner> = new Map();
  #schedules = new Map<string, { entry: RetentionEntry; line: string }>();
  #store: { entry: StoreEntry; line: string } | null = null;
  readonly #approved = new Set<Hex256>();
  /** What the log says of the one before it. */
  #predecessor: { readonly document: string; readonly line: string } | null = null;
  /** The link by which the log ended: nothing may follow. */
  #successor: string | null = null;
  #remembersSinceMs: number | null = 0;
  /** Signed checkpoint of the present size; empty before the first. */
  checkpoint = '';
  /** Size of the log at the last `heads`, and when that was. */
  lastHeads: { readonly leaves: number; readonly at: string } | null = null;

  constructor(trusted: TrustedLog, mostWindowLeaves: number = MOST_WINDOW_LEAVES, edge: CompactRange = EMPTY_RANGE) {
    this.#trusted = trusted;
    this.#mostWindowLeaves = mostWindowLeaves;
    this.#window = new TreeWindow(edge);
  }

  get window(): TreeWindow {
    return this.#window;
  }

  get size(): number {
    return this.#window.size;
  }

  /** The present size as it was signed. */
  signed(): SignedSize {
    return { size: this.size, range: this.#window.range(), checkpoint: this.checkpoint };
  }

  get manifest(): Manifest | null {
    return this.#manifests.at(-1)?.manifest ?? null;
  }

  /** All manifests that are or were in force, the present one last. */
  get manifests(): readonly EnforcedManifest[] {
    return this.#manifests;
  }

  /** Keys that may sign batches: connectors and readers of the manifest in force. */
  get batchSigners(): ReadonlyMap<KeyId, BatchSigner> {
    return this.#signers;
  }

  get store(): StoreEntry | null {
    return this.#store?.entry ?? null;
  }

  stream(stream: Hex128): ArchivedStream | undefined {
    return this.#streams.get(stream);
  }

  newestStreamOf(acct: Hex128): ArchivedStream | undefined {
    const stream = this.#accounts.get(acct);
    return stream === undefined ? undefined : this.#streams.get(stream);
  }

  get hasStreams(): boolean {
    return this.#streams.size > 0;
  }

  streams(): ArchivedStream[] {
    return [...this.#streams.values()].toSorted((a, b) => (a.stream < b.stream ? -1 : 1));
  }

  schedule(retentionClass: string): RetentionEntry | undefined {
    return this.#schedules.get(retentionClass)?.entry;
  }

  /** The schedules in force, one per class. */
  schedules(): RetentionEntry[] {
    return [...this.#schedules.values()].map(({ entry }) => entry);
  }

  get predecessor(): string | null {
    return this.#predecessor?.document ?? null;
  }

  get successor(): string | null {
    return this.#successor;
  }

  manifestDocument(): string | undefined {
    return this.#documents.at(-1);
  }

  /** Takes in one committed segment. Returns its entries, parsed. `documents` are those it holds, by hash. */
  apply(lines: readonly Buffer[], documents: ReadonlyMap<Hex256, string>): Entry[] {
    const entries = lines.map((line) => parseEntry(line.toString('latin1')));
    this.append(entries, lines.map(leafHash), documents);
    return entries;
  }

  /** Like {@link apply}, for who has the entries and their leaf hashes already. */
  append(entries: readonly Entry[], leaves: readonly Hash[], documents: ReadonlyMap<Hex256, string>): void {
    const first = this.size;
    for (const [index, entry] of entries.entries()) this.#appendEntry(entry, leaves[index] as Hash, documents);
    const heads = entries.findLast(({ t }) => t === 'heads');
    if (heads !== undefined) this.lastHeads = { leaves: first, at: heads.at };
    this.#shrinkWindow();
  }

  #appendEntry(entry: Entry, id: Hash, documents: ReadonlyMap<Hex256, string>): void {
    const leaf = this.#window.size;
    this.#window.append(id);
    if (isStreamRecord(entry)) this.#applyRecord(entry, leaf, id.toString('hex'));
    else if (entry.t === 'key') this.#applyKey({ entry, line: encodeEntry(entry) }, documents);
    else if (entry.t === 'retention') this.#schedules.set(entry.class, { entry, line: encodeEntry(entry) });
    else if (entry.t === 'store') this.#store = { entry, line: encodeEntry(entry) };
    else if (entry.t === 'hold' || entry.t === 'disposition' || entry.t === 'escrow' || entry.t === 'scrub')
      this.#approved.add(sha256Hex(approvalText(entry)));
    if (!isStreamRecord(entry)) this.#remember(entry.at);
  }

  /** Behind heads nothing is known of what was approved before the first entry that was read. */
  #remember(at: string): void {
    if (this.#remembersSinceMs === null) this.#remembersSinceMs = fromSeconds(at);
  }

  /** What this log has approved entries from: none that is older is known to be absent. 0: all of them. */
  get remembersSinceMs(): number {
    return this.#remembersSinceMs ?? Infinity;
  }

  /** True if an approved entry with this hash of what was signed stands in the log. */
  hasApproved(hash: Hex256): boolean {
    return this.#approved.has(hash);
  }

  #applyRecord(record: StreamRecord, leaf: number, leafId: Hex256): void {
    const known = this.#streams.get(record.stream);
    if (record.t === 'open') {
      const { acct, app, role, gen, key, stream, at } = record;
      this.#streams.set(stream, {
        acct,
        app,
        role,
        gen,
        key,
        stream,
        seq: 0,
        id: leafId,
        leafId,
        leaf,
        closed: false,
        at,
      });
      this.#accounts.set(acct, stream);
      return;
    }
    if (known === undefined) throw brokenLog(`a record of a stream that was not opened, at leaf ${leaf}`);
    const [seq, id] = record.t === 'hole' ? [record.seq + record.count - 1, record.last] : [record.seq, leafId];
    this.#streams.set(record.stream, { ...known, seq, id, leafId, leaf, at: record.at, closed: record.t === 'close' });
  }

  #applyKey({ entry, line }: { entry: KeyEntry; line: string }, documents: ReadonlyMap<Hex256, string>): void {
    const document = documents.get(entry.doc);
    if (document === undefined) throw brokenLog('a key entry without its document');
    if (entry.kind === 'predecessor') this.#predecessor = { document, line };
    else if (entry.kind === 'successor') this.#successor = document;
    else this.#applyManifest(entry, line, document);
  }

  #applyManifest(entry: KeyEntry, line: string, document: string): void {
    const manifest = openManifest(document, this.#trusted.root, this.#trusted.origin);
    this.#manifests.push({ manifest, since: entry.at });
    this.#documents.push(document);
    this.#keyLines.push(line);
    this.#signers = new Map(BATCH_ROLES.flatMap((role) => batchSigners(manifest, role)));
  }

  /** Bounds memory. Proofs that reach further back come from the segments (`past-tree.ts`). */
  #shrinkWindow(): void {
    if (this.size - this.#window.base <= this.#mostWindowLeaves) return;
    this.#window = this.#window.rebased(this.size - Math.floor(this.#mostWindowLeaves / 2));
  }

  /** Everything a later start needs from before, as of now. */
  heads(): Heads {
    const before = this.#predecessor === null ? [] : [this.#predecessor.line];
    const rules = [...this.#keyLines, ...before, ...[...this.#schedules.values()].map(({ line }) => line)];
    if (this.#store !== null) rules.push(this.#store.line);
    const streams = this.streams().map(({ leafId: _leafId, ...state }) => state);
    const docs = [...this.#documents, ...(this.#predecessor === null ? [] : [this.#predecessor.document])];
    return { origin: this.#trusted.origin, leaves: this.size, docs, rules, streams };
  }

  static fromHeads(trusted: TrustedLog, heads: Heads, edge: CompactRange, mostWindowLeaves?: number): LogState {
    const state = new LogState(trusted, mostWindowLeaves, edge);
    state.#remembersSinceMs = null;
    const documents = documentsByHash(heads.docs);
    for (const line of heads.rules) {
      const entry = parseEntry(line);
      if (entry.t === 'key') state.#applyKey({ entry, line }, documents);
      else if (entry.t === 'retention') state.#schedules.set(entry.class, { entry, line });
      else if (entry.t === 'store') state.#store = { entry, line };
    }
    for (const stream of heads.streams) {
      state.#streams.set(stream.stream, { ...stream, leafId: null });
      const newest = state.newestStreamOf(stream.acct);
      if (newest === undefined || newest.gen < stream.gen) state.#accounts.set(stream.acct, stream.stream);
    }
    return state;
  }
}

const BATCH_ROLES: readonly BatchRole[] = ['connector', 'reader'];

function batchSigners(manifest: Manifest, role: BatchRole): [KeyId, BatchSigner][] {
  return [...signersOf(manifest, role)].map(([id, key]) => [id, { key, role }]);
}

export function documentsByHash(documents: readonly string[]): Map<Hex256, string> {
  return new Map(documents.map((document) => [manifestHash(document), document]));
}

export function brokenLog(got: string, cause?: unknown): Failure {
  return new Failure('archive/broken-log', {
    expected: 'a log that this archiver wrote',
    got,
    cause,
    fix: 'run verify on the archive; do not write to it until the cause is known',
  });
}
