// SPDX-License-Identifier: Apache-2.0
import type { EntryType, LogRecord } from '../record/entry-types.ts';
import { FormatError } from '../record/format-error.ts';
import { segmentKey } from '../record/layout.ts';
import { verifyTail, type Segment } from '../record/segment.ts';
import type { Trust } from '../record/trust.ts';
import { BeatBook } from './beats.ts';
import { openNote } from './checkpoints.ts';
import { ClaimBook } from './claims.ts';
import { CoverageBook } from './coverage.ts';
import { EpochBook } from './epochs.ts';
import type { Findings } from './findings.ts';
import { judgeHeads, type OwnHeads } from './heads-check.ts';
import { IdWindow } from './id-window.ts';
import { KeyBook } from './keys.ts';
import { LinkBook } from './links.ts';
import { EscrowBook } from './escrow.ts';
import { OfficerBook } from './officers.ts';
import { ScrubBook } from './scrubs.ts';
import type { PayloadCheck } from './payloads.ts';
import type { TaskPool } from './pool.ts';
import type { ArchiveReader } from './reader.ts';
import { RuleBook, type NeededLock } from './rules.ts';
import { judgeClock } from './stream-runs.ts';
import { StreamBook } from './streams.ts';
import type { Event, SegmentSummary } from './summary.ts';
import type { Stored } from './survey.ts';
import type { TileCheck } from './tiles.ts';
import type { LogTree } from './tree.ts';

const MOST_SKEW_MS = 5 * 60_000;

interface Parts {
  readonly reader: ArchiveReader;
  readonly trust: Trust;
  readonly stored: Stored;
  readonly findings: Findings;
  readonly pool: TaskPool;
  readonly payloads: PayloadCheck;
  readonly tree: LogTree;
  readonly tiles: TileCheck;
  readonly windowIds: number | undefined;
}

/** The whole log's state, one segment after the other, in order. Everything that spans segments is judged here. */
export class LogCheck {
  readonly #p: Parts;
  readonly tree: LogTree;
  readonly keys: KeyBook;
  readonly rules: RuleBook;
  readonly streams: StreamBook;
  readonly coverage: CoverageBook;
  readonly claims: ClaimBook;
  readonly beats: BeatBook;
  readonly officers: OfficerBook;
  readonly links: LinkBook;
  readonly escrow: EscrowBook;
  readonly scrubs = new ScrubBook();
  readonly #epochs: EpochBook;
  readonly #window: IdWindow;
  readonly #times = new Map<number, string>();
  readonly #timesBefore = new Map<number, string>();
  readonly #evidenceLocks = new Map<number, NeededLock>();
  readonly counts: Partial<Record<EntryType, number>> = {};
  segments = 0;
  /** Time of the newest segment: the store's own clock. */
  at = '';

  constructor(parts: Parts) {
    const { trust, findings, pool } = parts;
    this.#p = parts;
    this.tree = parts.tree;
    this.keys = new KeyBook(trust, findings, (keys) => pool.learn(keys));
    this.links = new LinkBook(trust, findings);
    this.rules = new RuleBook(findings);
    this.streams = new StreamBook(findings, this.keys);
    this.coverage = new CoverageBook(findings);
    this.#window = new IdWindow(parts.windowIds);
    this.claims = new ClaimBook(findings, this.streams, this.#window);
    const { keys, streams, claims, coverage } = this;
    this.beats = new BeatBook({ findings, keys, streams, claims, coverage });
    this.officers = new OfficerBook(findings, this.keys);
    this.escrow = new EscrowBook(findings, this.keys);
    this.#epochs = new EpochBook(findings, this.keys);
  }

  /** Goes on at a leaf that does not follow: what lies between could not be read, or is vouched for by a root further on. */
  jumpTo(leaf: number, edge: readonly string[]): void {
    this.tree.jumpTo(leaf, edge);
  }

  /** Takes in the next segment. */
  async take(summary: SegmentSummary): Promise<void> {
    this.#judgeBeginning(summary);
    this.links.judgeSegment(summary.first);
    this.#judgeHistory(summary);
    await this.#judgeHeads(summary);
    this.#p.findings.addAll(summary.found);
    if (summary.unreadable) this.streams.hasUnread = true;
    const at = this.#judgeTime(summary);
    this.#applyRuns(summary, at);
    this.#epochs.apply(summary.epochs, at);
    const locks = [...(await this.#applyObjects(summary, at)), ...(await this.#applyEvents(summary, at))];
    const lasting = this.rules.neededForEvidence(at);
    for (const size of this.tree.wantedBetween(summary.first, summary.end + 1)) this.#evidenceLocks.set(size, lasting);
    this.#judgeTail(summary);
    await this.#p.tiles.take(summary.first, summary.ids);
    await this.#p.payloads.segmentLock(summary.first, this.rules.neededForLog(locks, at));
    this.#count(summary);
  }

  #judgeBeginning({ first, events }: SegmentSummary): void {
    const [begin] = events;
    if (first > 0 || (begin?.leaf === 0 && begin.entry.t === 'key' && begin.entry.kind === 'manifest')) return;
    this.#p.findings.add('verify/manifest-none', { leaf: 0 }, 'a key entry as the first', 'another entry');
  }

  /** What the segment says of the leaves before it. */
  #judgeHistory({ first, edge, checkpoint }: SegmentSummary): void {
    const { findings, trust } = this.#p;
    const where = { leaf: first, key: segmentKey(trust.origin, first) };
    if (!this.tree.hasEdge(edge)) {
      findings.add('verify/segment-edge', where, 'the subtree hashes of the entries before', 'others');
    }
    if (first === 0) return;
    const carried = openNote(checkpoint, trust.log, { code: 'verify/segment-checkpoint-unsigned', ...where }, findings);
    const root = this.tree.root();
    if (carried !== null && (carried.size !== first || carried.root.toString('hex') !== root)) {
      const got = `${carried.root.toString('hex')} at ${carried.size}`;
      findings.add('verify/segment-checkpoint-root', where, `root ${root} at ${first}`, got);
    }
  }

  async #judgeHeads({ events, first, tail }: SegmentSummary): Promise<void> {
    for (const { entry, leaf } of events) {
      if (entry.t !== 'heads') continue;
      const stored = await judgeHeads(
        { ...this.#p, origin: this.#p.trust.origin },
        entry,
        { leaf, leaves: first },
        this.#ownHeads(),
      );
      if (stored !== null) await this.#p.payloads.headsLock(first, stored, this.rules.neededForEvidence(tail.at));
    }
  }

  #ownHeads(): OwnHeads {
    const isWhole = !this.streams.hasUnread;
    const rules = [...this.keys.lines(), ...this.links.lines(), ...this.rules.lines()];
    const docs = [...this.keys.documents, ...this.links.documents];
    return { streams: this.streams.states(), docs, rules, isWhole };
  }

  /** Time of the segment with this leaf, if somebody asked about the size of the log there. */
  timeAt(leaf: number): string | null {
    return this.#times.get(leaf) ?? null;
  }

  /** Time of the segment with this leaf, if somebody asked about the size of the log behind it. */
  timeOf(leaf: number): string | null {
    return this.#timesBefore.get(leaf + 1) ?? null;
  }

  /** The lock that evidence about the log of this size must have, if somebody asked about that size and it was read. */
  evidenceLock(size: number): NeededLock | null {
    return this.#evidenceLocks.get(size) ?? null;
  }

  #judgeTime({ first, end, tail }: SegmentSummary): string {
    for (const size of this.tree.wantedBetween(first - 1, end)) this.#times.set(size, tail.at);
    for (const size of this.tree.wantedBetween(first, end + 1)) this.#timesBefore.set(size, tail.at);
    const where = { leaf: first, key: segmentKey(this.#p.trust.origin, first) };
    judgeClock(this.#p.findings, where, this.at, tail.at);
    if (tail.at > this.at) this.at = tail.at;
    return tail.at;
  }

  #applyRuns(summary: SegmentSummary, at: string): void {
    this.#window.add(summary);
    const last = Date.parse(at) + MOST_SKEW_MS;
    for (const run of summary.runs) {
      const named = this.streams.apply(run);
      const info = this.streams.get(run.stream);
      if (info !== undefined) this.coverage.apply(info, run);
      const where = { leaf: run.firstLeaf, stream: run.stream };
      if (named !== null) this.claims.make({ ...named.last, where: { ...where, seq: 0 }, by: { acct: named.acct } });
      if (Date.parse(run.newestAt) > last) {
        this.#p.findings.add('verify/clock-ahead', { ...where, leaf: run.lastLeaf }, `at most ${at}`, run.newestAt);
      }
    }
    for (const run of summary.runs) this.streams.judgeParallel(run);
    this.claims.onRecords(summary.runs.map(({ stream }) => stream));
  }

  async #applyObjects({ objects }: SegmentSummary, at: string): Promise<NeededLock[]> {
    const locks: NeededLock[] = [];
    this.#lookForLocks();
    for (const use of objects) {
      const lock = this.rules.neededForObject(use.ret, use.at, at);
      await this.#p.payloads.object(use, lock);
      locks.push(lock);
    }
    return locks;
  }

  #lookForLocks(): void {
    this.#p.payloads.seesLocks = this.#p.reader.abilities.locks && this.rules.store?.locks === true;
  }

  /** Returns the locks of the packs among them. */
  async #applyEvents(summary: SegmentSummary, at: string): Promise<NeededLock[]> {
    const locks: NeededLock[] = [];
    let packs = 0;
    for (const event of summary.events) {
      const { entry, leaf } = event;
      if (entry.t === 'pack') {
        const bodies = summary.packs[packs];
        packs += 1;
        const lock = this.rules.judgePack(entry, leaf, at);
        if (bodies !== undefined) await this.#p.payloads.pack(entry, bodies, summary.first, lock);
        locks.push(lock);
      } else if ('stream' in entry) {
        this.#applyRecord(event);
      } else {
        await this.#applyOwn(entry, leaf, { documents: summary.documents, at, locks });
      }
    }
    return locks;
  }

  #applyRecord({ entry, id, leaf }: Event): void {
    const info = 'stream' in entry ? this.streams.get(entry.stream) : undefined;
    if (info === undefined) return;
    if (entry.t === 'beat') this.beats.apply(info, entry, leaf);
    if (entry.t === 'hole') this.coverage.applyHole(info, entry, leaf);
    if (entry.t !== 'gap') return;
    this.coverage.applyGap(info, entry, id, leaf);
    const where = { leaf, stream: entry.stream, seq: entry.seq };
    if (entry.last !== undefined) this.claims.make({ ...entry.last, where, by: { acct: info.acct } });
  }

  async #applyOwn(
    entry: Exclude<LogRecord, { t: 'pack' }>,
    leaf: number,
    { documents, at, locks }: { documents: SegmentSummary['documents']; at: string; locks: NeededLock[] },
  ): Promise<void> {
    switch (entry.t) {
      case 'key':
        return (entry.kind === 'manifest' ? this.keys : this.links).apply(entry, leaf, documents);
      case 'store':
        this.rules.applyStore(entry, leaf);
        return this.#lookForLocks();
      case 'retention':
        return this.rules.applyRetention(entry, leaf);
      case 'hold':
      case 'disposition':
        return this.officers.apply(entry, leaf, documents);
      case 'escrow':
        return this.escrow.apply(entry, leaf, this.officers.isApproved(entry, leaf), this.streams.hasUnread);
      case 'scrub':
        return this.scrubs.apply(entry, leaf, this.officers.isApproved(entry, leaf));
      case 'repack': {
        const lock = this.rules.judgePack(entry, leaf, at);
        locks.push(lock);
        return this.#p.payloads.repack(entry, leaf, lock);
      }
      case 'heads':
        return undefined;
    }
  }

  /** Root and signature: the manifest that counts is the one in force behind this segment. */
  #judgeTail({ first, end, range, cuts, tail, digest, origin }: SegmentSummary): void {
    const { findings, trust } = this.#p;
    const where = { leaf: first, key: segmentKey(trust.origin, first) };
    this.tree.append(end, range, cuts);
    const root = this.tree.root();
    if (root !== tail.root) findings.add('verify/segment-root', where, root, tail.root);
    const key = this.keys.archiver(tail.key);
    if (key === undefined) {
      if (this.keys.manifest === null && this.streams.hasUnread) return;
      findings.add('verify/segment-signer', where, 'an archiver of the manifest in force', `key ${tail.key}`);
      return;
    }
    const signed = { ...tail, root: Buffer.from(tail.root, 'hex'), sig: Buffer.from(tail.sig, 'hex') };
    try {
      verifyTail({ head: { origin }, tail: signed, digest } as Segment, key);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      findings.add('verify/segment-signature', where, error.expected, error.got);
    }
  }

  #count({ counts }: SegmentSummary): void {
    this.segments += 1;
    for (const [type, count] of Object.entries(counts)) {
      this.counts[type as EntryType] = (this.counts[type as EntryType] ?? 0) + count;
    }
  }
}
