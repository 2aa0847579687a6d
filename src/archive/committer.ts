// SPDX-License-Identifier: AGPL-3.0-or-later
import type { KeyObject } from 'node:crypto';
import { Failure } from '../base/failure.ts';
import { signCheckpoint } from '../record/checkpoint.ts';
import { encodeEntry } from '../record/entry.ts';
import type { Entry, HeadsEntry, LogRecord, PackEntry } from '../record/entry-types.ts';
import { sha256Hex } from '../record/hash.ts';
import { encodeHeads, headsRootHex } from '../record/heads.ts';
import type { SigningKey } from '../record/key.ts';
import { checkpointKey, headsKey, packKey, segmentKey } from '../record/layout.ts';
import { fromSeconds, toSeconds } from '../record/period.ts';
import { parseSegment, writeSegment, type WrittenSegment } from '../record/segment.ts';
import { brokenLog, documentsByHash, type LogState } from './log-state.ts';
import { buildPacks, type Pack } from './packs.ts';
import type { Pending } from './pending.ts';
import type { Schedules } from './schedule.ts';
import type { ArchiveStore, Lock } from './store.ts';

export interface CommitKeys {
  /** Signs checkpoints, and nothing but the winner. */
  readonly log: KeyObject;
  /** The archiver's own key: signs segments before anybody knows which one wins. */
  readonly archiver: KeyObject;
  readonly archiverPublic: SigningKey;
}

export interface CommitParts {
  readonly store: ArchiveStore;
  readonly origin: string;
  readonly keys: CommitKeys;
  readonly schedules: Schedules;
  readonly state: LogState;
}

/** An entry of the log's own, before it has a time and a log. */
export type OwnEntry = Omit<LogRecord, 'v' | 'at' | 'log'>;

export interface Committed {
  readonly first: number;
  readonly records: number;
  readonly puts: number;
  readonly packs: readonly Pack[];
  /** Its time as the log has it, by the store's clock. */
  readonly atMs: number;
}

/**
 * Writes one segment: packs, then the segment (the commit point), then the checkpoint.
 *
 * Crash behaviour. Before the segment: packs nobody names, harmless. After it: the segment is the log, and recovery signs the same
 * checkpoint over it. A store failure of unknown outcome ends the process, and recovery finds out. The log key signs only what
 * was read back as the winner, so a losing racer leaves no signed fork.
 */
export class LogCommitter {
  readonly #parts: CommitParts;

  constructor(parts: CommitParts) {
    this.#parts = parts;
  }

  async commit(pending: Pending, own: readonly OwnEntry[], documents: readonly string[]): Promise<Committed> {
    const { store, state, schedules } = this.#parts;
    const serverMs = await store.serverTimeMs();
    const first = state.size;
    const packs = buildPacks(pending.bodies, first);
    const locks = packs.map(({ ret }) => schedules.lockFor(ret, serverMs));
    for (const [index, pack] of packs.entries()) await this.#createPack(pack, locks[index] as Lock);
    const at = toSeconds(serverMs);
    const packEntries = packs.map((pack, index) => packEntry(pack, locks[index] as Lock));
    const logged = [...own, ...packEntries].map((entry) => this.#logged(entry, at));
    const docs = [...pending.epochs.values(), ...documents];
    const segment = this.#encode(pending, logged, docs, at);
    const lock = schedules.lockForLog(locks, serverMs);
    await this.#createSegment(segmentKey(this.#parts.origin, first), segment.bytes, lock);
    this.#apply([...pending.entries, ...logged], docs, segment);
    await this.publish();
    const heads = own.filter(({ t }) => t === 'heads').length;
    return { first, records: pending.entries.length, puts: packs.length + heads + 2, packs, atMs: fromSeconds(at) };
  }

  /**
   * Stores where every stream stands, and returns the entry that says so; it must be the first of the log's own in the next
   * segment. Null if the name is taken by other bytes: heads come again at another size, and nothing depends on these.
   */
  async createHeads(): Promise<OwnEntry | null> {
    const { store, origin, state, schedules } = this.#parts;
    const serverMs = await store.serverTimeMs();
    const heads = state.heads();
    const bytes = encodeHeads(heads);
    const { won } = await store.create(headsKey(origin, heads.leaves), bytes, schedules.lockForEvidence(serverMs));
    if (!won) return null;
    const file = { h: sha256Hex(bytes), n: bytes.length };
    return { t: 'heads', file, root: headsRootHex(heads.streams), streams: heads.streams.length } as Omit<
      HeadsEntry,
      'v' | 'at' | 'log'
    >;
  }

  #logged(entry: OwnEntry, at: string): LogRecord {
    return { v: 1, at, log: this.#parts.origin, ...entry } as LogRecord;
  }

  #encode(pending: Pending, logged: readonly LogRecord[], docs: readonly string[], at: string): WrittenSegment {
    const { origin, state, keys } = this.#parts;
    const parts = {
      origin,
      before: state.window.range(),
      checkpoint: state.checkpoint,
      docs,
      batches: pending.statements,
      records: { lines: pending.lines, count: pending.entries.length },
      entries: logged.map(encodeEntry),
      at,
    };
    return writeSegment(parts, keys.archiverPublic, keys.archiver);
  }

  async #createPack(pack: Pack, lock: Lock): Promise<void> {
    const key = packKey(this.#parts.origin, pack.hash);
    const { won } = await this.#parts.store.create(key, pack.bytes, lock);
    if (!won) {
      throw new Failure('store/fork', {
        expected: 'the bytes that the name is the hash of',
        got: 'other bytes',
        where: key,
      });
    }
  }

  async #createSegment(key: string, bytes: Buffer, lock: Lock): Promise<void> {
    const { won } = await this.#parts.store.create(key, bytes, lock);
    if (!won) {
      throw new Failure('archive/superseded', {
        expected: 'to write the next segment of the log',
        got: 'another writer was first',
        where: key,
        fix: 'this archiver starts again and follows; run one archiver per log, or a standby',
      });
    }
    await this.#readBack(key, bytes);
  }

  /** The winner's bytes as anybody reads them; anything else must not be signed. */
  async #readBack(key: string, bytes: Buffer): Promise<void> {
    const winner = await this.#parts.store.read(key);
    if (winner !== null && Buffer.compare(winner.bytes, bytes) === 0) return;
    throw new Failure('store/readback', {
      expected: 'the bytes just written',
      got: winner === null ? 'nothing' : 'other bytes',
      where: key,
    });
  }

  /** What was read back is what everybody will read; the log key signs no other root than the one it states. */
  #apply(entries: readonly Entry[], docs: readonly string[], { bytes, leaves }: WrittenSegment): void {
    const { state } = this.#parts;
    state.append(entries, leaves, documentsByHash(docs));
    const { root, size } = parseSegment(bytes).tail;
    if (size !== state.size || !root.equals(state.window.root())) throw brokenLog(`another root at leaf ${size}`);
    this.sign();
  }

  /** Signs the log's present size. Repeating it gives the same bytes. */
  sign(): void {
    const { origin, state, keys } = this.#parts;
    state.checkpoint = signCheckpoint({ origin, size: state.size, root: state.window.root() }, keys.log);
  }

  async publish(): Promise<void> {
    const { store, origin, state } = this.#parts;
    await store.putDerived(checkpointKey(origin), Buffer.from(state.checkpoint));
  }
}

function packEntry({ hash, bytes, ret, leaves }: Pack, lock: Lock): OwnEntry {
  return { t: 'pack', h: hash, n: bytes.length, ret, leaves, until: lock.until } as Omit<PackEntry, 'v' | 'at' | 'log'>;
}
