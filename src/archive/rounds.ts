// SPDX-License-Identifier: AGPL-3.0-or-later
import { codeOf } from '../base/failure.ts';
import type { Hash } from '../record/hash.ts';
import type { SignedSize } from './log-state.ts';

/** The log at a size that was signed, for those who work beside the writing of segments. */
export interface SignedLog extends SignedSize {
  readonly root: Hash;
}

/** Work that follows the log at its own pace: tiles, witnesses, time stamps. */
export interface Round {
  readonly name: 'tiles' | 'witness' | 'time-stamp';
  readonly everyMs: number;
  /** MUST be harmless to repeat. MUST end soon after the signal aborts. Rejects with what could not be done now. */
  run(log: SignedLog, signal: AbortSignal): Promise<void>;
}

export interface RoundsParts {
  readonly rounds: readonly Round[];
  /** Null before anything was signed. */
  readonly signed: () => SignedLog | null;
  readonly trouble: (name: Round['name'], code: string) => void;
}

const RETRY_MS = 60_000;
/** At a stop each round runs once more, for this long at most: what does not get done is done after the next start. */
const LAST_ROUND_MS = 8000;

/**
 * Runs rounds beside the archiver: soon after the start, then each in its rhythm while the log grows, and once more at the end. Nothing
 * here holds up or ends the log: what fails is told and tried again.
 */
export class Rounds implements AsyncDisposable {
  readonly #parts: RoundsParts;
  readonly #closing = new AbortController();
  readonly #timers = new Map<Round, NodeJS.Timeout>();
  readonly #running = new Map<Round, Promise<void>>();
  readonly #doneSize = new Map<Round, number>();

  constructor(parts: RoundsParts) {
    this.#parts = parts;
  }

  start(): void {
    for (const round of this.#parts.rounds) this.#plan(round, 0);
  }

  #plan(round: Round, afterMs: number): void {
    if (this.#closing.signal.aborted) return;
    const run = async (): Promise<void> => {
      const isDone = await this.#run(round, this.#closing.signal);
      this.#plan(round, isDone ? round.everyMs : Math.min(RETRY_MS, round.everyMs));
    };
    this.#timers.set(round, setTimeout(() => this.#running.set(round, run()), afterMs).unref());
  }

  /** True if there is nothing left to do for the present size. */
  async #run(round: Round, signal: AbortSignal): Promise<boolean> {
    const log = this.#parts.signed();
    if (log === null || log.size === this.#doneSize.get(round)) return true;
    try {
      await round.run(log, signal);
      this.#doneSize.set(round, log.size);
      return true;
    } catch (error) {
      if (!signal.aborted) this.#parts.trouble(round.name, codeOf(error));
      return false;
    }
  }

  /** Runs every round now. Resolves when they have ended, whatever came of them. */
  async runAll(signal: AbortSignal = this.#closing.signal): Promise<void> {
    await Promise.all(
      this.#parts.rounds.map(async (round) => {
        await this.#running.get(round);
        const running = this.#run(round, signal).then(() => undefined);
        this.#running.set(round, running);
        await running;
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    for (const timer of this.#timers.values()) clearTimeout(timer);
    await this.runAll(AbortSignal.timeout(LAST_ROUND_MS));
  }
}
