// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Downlink } from '../../src/queue/link.ts';
import type { KeyId } from '../../src/record/key.ts';

/** A queue without a queue: a job is handed over when the test says so, and its outcome is seen. */
export class DirectLink {
  readonly #listeners = new Map<KeyId, (reply: string) => Promise<void> | void>();
  #take: ((job: string) => Promise<void>) | null = null;
  /** While true, replies get lost without a sign. */
  losesReplies = false;
  /** While true, the transport is away. */
  isAway = false;
  /** Awaited before every reply: a slow transport. */
  beforeReply: () => Promise<void> | void = () => undefined;
  readonly replies: { readonly to: KeyId; readonly text: string }[] = [];

  /** The archiver's end; a new one takes over from the one before. */
  downlink(): Downlink {
    return {
      connected: true,
      consume: async (take) => void (this.#take = take),
      reply: async (to, text) => {
        await this.beforeReply();
        if (this.isAway) throw new Error('away');
        if (this.losesReplies) return;
        this.replies.push({ to, text });
        await this.#listeners.get(to)?.(text);
      },
      [Symbol.asyncDispose]: async () => undefined,
    };
  }

  listen(connector: KeyId, onReply: (reply: string) => Promise<void> | void): void {
    this.#listeners.set(connector, onReply);
  }

  /** Settles as the archiver's `take` does. */
  async send(job: string): Promise<void> {
    if (this.#take === null) throw new Error('nobody consumes');
    await this.#take(job);
  }

  /** Takes the archiver's end away: what is sent now goes nowhere. */
  cut(): void {
    this.#take = async () => undefined;
  }
}
