// SPDX-License-Identifier: AGPL-3.0-or-later
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf } from '../base/failure.ts';
import type { KeyId } from '../record/key.ts';
import { JobLine, LINE_LIMITS, type LineLimits } from './job-line.ts';
import { closedFailure, type Downlink, type LinkEvents, type Uplink } from './link.ts';

export interface InProcessOptions extends LineLimits {
  readonly events: LinkEvents;
}

type Listener = (reply: string) => Promise<void> | void;

const MOST_REPLIES = 1000;
const STOP_WITHIN_MS = 2000;

/**
 * The embedded transport: a hand-over within one process, with the same promises as a queue in Redis. It holds nothing that a
 * crash could lose, because the spool still has it; what its ends leave behind waits for the next ones.
 */
export class InProcessLink {
  readonly #options: InProcessOptions;
  readonly #line: JobLine;
  readonly #mailboxes = new Map<KeyId, Mailbox>();

  constructor(options: Partial<InProcessOptions> = {}) {
    this.#options = { ...LINE_LIMITS, events: { trouble: () => undefined }, ...options };
    this.#line = new JobLine(this.#options, this.#options.events);
  }

  uplink(connector: KeyId): Uplink {
    const mailbox = this.#mailboxOf(connector);
    const closing = new AbortController();
    let listener: Listener | null = null;
    return {
      get connected() {
        return !closing.signal.aborted;
      },
      send: async (id, job) => this.#line.enter(id, job, closing.signal),
      listen: async (onReply) => {
        if (closing.signal.aborted) throw closedFailure('listen');
        listener = onReply;
        mailbox.listen(onReply);
      },
      [Symbol.asyncDispose]: async () => {
        closing.abort();
        if (listener !== null) await mailbox.leave(listener);
      },
    };
  }

  downlink(): Downlink {
    const consumer = this.#line.consumer();
    return {
      get connected() {
        return !consumer.isClosing;
      },
      consume: async (take) => {
        if (consumer.isClosing) throw closedFailure('consume');
        consumer.start(take);
      },
      reply: async (to, reply) => {
        if (consumer.isClosed) throw closedFailure('reply');
        this.#mailboxOf(to).add(reply);
      },
      [Symbol.asyncDispose]: () => consumer.close(),
    };
  }

  #mailboxOf(connector: KeyId): Mailbox {
    const found = this.#mailboxes.get(connector) ?? new Mailbox(this.#options.events);
    this.#mailboxes.set(connector, found);
    return found;
  }
}

/** Replies to one connector, handed over one at a time. While nobody listens the newest are kept. */
class Mailbox {
  readonly #events: LinkEvents;
  readonly #replies: string[] = [];
  #listener: Listener | null = null;
  #handling: Promise<void> | null = null;

  constructor(events: LinkEvents) {
    this.#events = events;
  }

  add(reply: string): void {
    this.#replies.push(reply);
    if (this.#replies.length > MOST_REPLIES) this.#replies.shift();
    this.#handle();
  }

  listen(listener: Listener): void {
    this.#listener = listener;
    this.#handle();
  }

  /** Resolves when the listener handles no reply any more, or when that takes too long. */
  async leave(listener: Listener): Promise<void> {
    if (this.#listener === listener) this.#listener = null;
    await Promise.race([this.#handling, sleep(STOP_WITHIN_MS, undefined, { ref: false })]);
  }

  #handle(): void {
    if (this.#listener === null || this.#replies.length === 0) return;
    this.#handling ??= this.#handleAll().finally(() => {
      this.#handling = null;
      this.#handle();
    });
  }

  async #handleAll(): Promise<void> {
    // Not within the call that brought the reply.
    await Promise.resolve();
    while (this.#listener !== null) {
      const reply = this.#replies.shift();
      if (reply === undefined) return;
      try {
        await this.#listener(reply);
      } catch (error) {
        this.#events.trouble('reply', codeOf(error));
      }
    }
  }
}
