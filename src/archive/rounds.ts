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
  /** False: not once more when the archiver stops. */
  readonly atStop?: boolean;
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
  readonly #running = new Map<Round, Promise<boolean>>();
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
      const isDone = await this.#inTurn(round, this.#closing.signal);
      this.#plan(round, isDone ? round.everyMs : Math.min(RETRY_MS, round.everyMs));
    };
    this.#timers.set(round, setTimeout(() => void run(), afterMs).unref());
  }

  /** One run of a round after the other. */
  #inTurn(round: Round, signal: AbortSignal): Promise<boolean> {
    const before = this.#running.get(round) ?? Promise.resolve(true);
    const running = before.then(() => this.#run(round, signal));
    this.#running.set(round, running);
    return running;
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
  async runAll(): Promise<void> {
    await this.#runThese(this.#parts.rounds, this.#closing.signal);
  }

  async #runThese(rounds: readonly Round[], signal: AbortSignal): Promise<void> {
    await Promise.all(rounds.map((round) => this.#inTurn(round, signal)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    for (const timer of this.#timers.values()) clearTimeout(timer);
    const last = this.#parts.rounds.filter(({ atStop }) => atStop !== false);
    await Promise.all(this.#running.values());
    await this.#runThese(last, AbortSignal.timeout(LAST_ROUND_MS));
  }
}
