// SPDX-License-Identifier: AGPL-3.0-or-later
import type { AccountHead } from '../queue/reply.ts';
import type { Hex128 } from '../record/entry-types.ts';

const FIRST_PAUSE_MS = 1000;
/** While the archiver is away questions pile up in the queue: a few a minute, not one a second. */
const LONGEST_PAUSE_MS = 30_000;

interface Question {
  readonly open: Set<Hex128>;
  readonly answers: Map<Hex128, AccountHead>;
  readonly done: () => void;
}

/** Questions to the log about where accounts stand: asked again until they are answered or their time is up. */
export class HeadsQuestions {
  readonly #send: (accounts: readonly Hex128[]) => Promise<void>;
  readonly #questions = new Set<Question>();
  readonly #stop = new AbortController();

  constructor(send: (accounts: readonly Hex128[]) => Promise<void>) {
    this.#send = send;
  }

  /** `timeoutMs` may be `Infinity`. */
  async ask(accounts: readonly Hex128[], timeoutMs: number): Promise<ReadonlyMap<Hex128, AccountHead>> {
    const { promise: done, resolve } = Promise.withResolvers<void>();
    const question: Question = { open: new Set(accounts), answers: new Map(), done: resolve };
    const endMs = performance.now() + timeoutMs;
    this.#questions.add(question);
    for (let pauseMs = FIRST_PAUSE_MS; question.open.size > 0 && !this.#stop.signal.aborted;) {
      const restMs = endMs - performance.now();
      if (restMs <= 0) break;
      void this.#send([...question.open]).catch(() => undefined);
      await orPause(done, Math.min(pauseMs, restMs), this.#stop.signal);
      pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
    }
    this.#questions.delete(question);
    return question.answers;
  }

  answered(heads: readonly AccountHead[]): void {
    for (const question of this.#questions) {
      for (const head of heads) if (question.open.delete(head.acct)) question.answers.set(head.acct, head);
      if (question.open.size === 0) question.done();
    }
  }

  stop(): void {
    this.#stop.abort();
  }
}

async function orPause(done: Promise<void>, ms: number, signal: AbortSignal): Promise<void> {
  const { promise: over, resolve } = Promise.withResolvers<void>();
  const end = (): void => resolve();
  const timer = setTimeout(end, ms);
  timer.unref();
  signal.addEventListener('abort', end, { once: true });
  await Promise.race([done, over]);
  clearTimeout(timer);
  signal.removeEventListener('abort', end);
}
