// SPDX-License-Identifier: AGPL-3.0-or-later
import { watch, type FSWatcher } from 'node:fs';
import { dirname } from 'node:path';
import type { Json } from '../../../record/canonical.ts';
import { isFailure } from '../../../base/failure.ts';
import type { ConnectorEvents, GapCapture, SessionChange } from '../../connector.ts';
import type { HealthBook } from '../../health.ts';
import type { HealthReason } from '../reasons.ts';
import type { AccountLane, RawFrame } from '../lane.ts';
import { gapCapture } from '../own-records.ts';
import { encodeState } from '../../state.ts';
import { Waker } from '../../waker.ts';
import type { Position } from './journal-files.ts';
import { readLine, type LinePiece } from './journal-lines.ts';
import { JournalReader, type Lines } from './journal-reader.ts';

export interface JournalParts {
  readonly lane: AccountLane;
  readonly path: string;
  readonly pollMs: number;
  /** The position is written at least this often, so that a gap knows until when all was well. */
  readonly markMs: number;
  readonly mostLineBytes: number;
  readonly clock: () => number;
  readonly events: ConnectorEvents;
  readonly health: HealthBook<HealthReason>;
  /** Every account that is configured on this back end. */
  readonly accounts: ReadonlySet<string>;
  /** One of the lanes reports what concerns the back end as a whole. */
  readonly reports: boolean;
  readonly onDaemonStart: () => void;
}

const LONGEST_PAUSE_MS = 30_000;

interface Batch {
  frames: RawFrame[];
  oversized: number;
  strangers: number;
  unattributed: number;
  daemonStarts: number;
}

/**
 * Tails signal-cli's out.log: it has what the REST process drops, also what came while nobody listened. The position is
 * written together with what was read before it, so nothing is skipped; whatever is read twice folds.
 */
export class JournalIntake {
  readonly #parts: JournalParts;
  readonly #waker = new Waker();
  #markedMs = 0;
  /** A daemon start counts once something was read before, now or in an earlier run. */
  #isLive = false;

  constructor(parts: JournalParts) {
    this.#parts = parts;
  }

  async run(signal: AbortSignal): Promise<void> {
    using watching = new DirectoryWatch(dirname(this.#parts.path), () => this.#waker.wake());
    let pauseMs = this.#parts.pollMs;
    while (!signal.aborted) {
      try {
        await this.#follow(watching, signal);
        pauseMs = this.#parts.pollMs;
      } catch (error) {
        if (signal.aborted) return;
        if (isFailure(error, 'fatal')) throw error;
        this.#parts.events.trouble('journal', error);
        pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
      }
      this.#unreadable(!signal.aborted);
      await this.#waker.sleep(pauseMs, signal);
    }
  }

  /** Reads until the session stops or something breaks; starts at the position that is durable. */
  async #follow(watching: DirectoryWatch, signal: AbortSignal): Promise<void> {
    const { lane } = this.#parts;
    const stored = lane.read<Position>('journal');
    this.#isLive ||= stored !== null;
    const { path, mostLineBytes, clock } = this.#parts;
    await using reader = await JournalReader.open({ path, mostLineBytes, clock }, stored);
    if (reader === null) return;
    let goodMs = stored?.atMs ?? clock();
    while (!signal.aborted) {
      const lines = await reader.read();
      const gaps = reader.lost ? [this.#lost(goodMs)] : [];
      await this.#deliver(lines ?? { lines: [], position: reader.position }, gaps);
      reader.lost = false;
      if (lines === null) {
        this.#isLive = true;
        this.#unreadable(false);
        goodMs = clock();
        await this.#mark(reader.position);
        watching.start();
        await this.#waker.sleep(this.#parts.pollMs, signal);
      }
    }
    this.#markedMs = 0;
    await this.#mark(reader.position);
  }

  async #deliver({ lines, position }: Lines, gaps: readonly GapCapture[]): Promise<void> {
    const { lane } = this.#parts;
    const batch: Batch = { frames: [], oversized: 0, strangers: 0, unattributed: 0, daemonStarts: 0 };
    for (const line of lines) {
      if (line === null) batch.oversized += 1;
      else for (const piece of readLine(line)) this.#sort(piece, batch);
    }
    const captures = [...gaps, ...this.#oversized(batch.oversized)];
    if (batch.frames.length > 0 || captures.length > 0) {
      await lane.submit({ frames: batch.frames, captures, session: [changeTo(position)] });
      this.#markedMs = this.#parts.clock();
    }
    if (gaps.length > 0) lane.alarm('intake-lost');
    if (batch.oversized > 0) lane.alarm('oversized', batch.oversized);
    if (this.#parts.reports) this.#report(batch);
  }

  #report({ strangers, unattributed, daemonStarts }: Batch): void {
    const { events, onDaemonStart } = this.#parts;
    if (strangers > 0) events.alarm(null, 'unknown-account', strangers);
    if (unattributed > 0) events.alarm(null, 'unattributed', unattributed);
    if (daemonStarts > 0 && this.#isLive) onDaemonStart();
  }

  #sort(piece: LinePiece, batch: Batch): void {
    const { lane, accounts } = this.#parts;
    const isSole = accounts.size === 1;
    switch (piece.is) {
      case 'message':
        if (piece.account === lane.account) batch.frames.push({ raw: piece.raw, via: 'journal' });
        else if (piece.account === null && isSole)
          batch.frames.push({ raw: piece.raw, via: 'journal', unknown: 'no account' });
        else if (piece.account === null) batch.unattributed += 1;
        else if (!accounts.has(piece.account)) batch.strangers += 1;
        break;
      case 'fragment':
        if (isSole) batch.frames.push({ raw: piece.raw, via: 'journal', unknown: 'torn line' });
        else batch.unattributed += 1;
        break;
      case 'daemon-start':
        batch.daemonStarts += 1;
        break;
      case 'noise':
        break;
    }
  }

  /** Part of the journal is gone: what only it had is lost from the last time it was read to its end. */
  #lost(fromMs: number): GapCapture {
    const { lane, clock } = this.#parts;
    const nowMs = clock();
    const about = {
      cause: 'intake-lost',
      scope: 'account',
      state: 'final',
      detail: 'journal rotated away or truncated',
    } as const;
    return gapCapture(lane.account, nowMs, { ...about, fromMs, toMs: nowMs });
  }

  #oversized(count: number): GapCapture[] {
    const { lane, clock } = this.#parts;
    if (count === 0) return [];
    return [gapCapture(lane.account, clock(), { cause: 'oversized', scope: 'account', state: 'final', count })];
  }

  async #mark(position: Position): Promise<void> {
    const { lane, clock, markMs } = this.#parts;
    if (clock() - this.#markedMs < markMs) return;
    await lane.submit({ session: [changeTo(position)] });
    this.#markedMs = clock();
  }

  #unreadable(holds: boolean): void {
    this.#parts.health.set(this.#parts.lane.account, 'journal-unreadable', holds);
  }
}

function changeTo(position: Position): SessionChange {
  return { name: 'journal', value: encodeState({ ...position } satisfies Record<string, Json>) };
}

/** Wakes on changes in a directory, as far as the system tells; polling does the rest. */
class DirectoryWatch implements Disposable {
  readonly #directory: string;
  readonly #onChange: () => void;
  #watcher: FSWatcher | null = null;

  constructor(directory: string, onChange: () => void) {
    this.#directory = directory;
    this.#onChange = onChange;
  }

  start(): void {
    if (this.#watcher !== null) return;
    try {
      this.#watcher = watch(this.#directory, { persistent: false }, this.#onChange);
      this.#watcher.on('error', () => this[Symbol.dispose]());
    } catch {
      this.#watcher = null;
    }
  }

  [Symbol.dispose](): void {
    this.#watcher?.close();
    this.#watcher = null;
  }
}
