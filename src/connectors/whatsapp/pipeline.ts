// SPDX-License-Identifier: AGPL-3.0-or-later
import { isFailure } from '../../base/failure.ts';
import type { SessionChange } from '../connector.ts';
import { commit, type Changes } from './commit.ts';
import { never, type Fence } from './fence.ts';
import type { AccountLane } from './lane.ts';

export interface Unit extends Changes {
  readonly onDurable: () => void;
}

interface Entered extends Unit {
  readonly bytes: number;
  readonly durable: PromiseWithResolvers<void>;
}

export interface PipelineParts {
  readonly lane: AccountLane;
  readonly fence: Fence;
  readonly mostWaitingBytes: number;
  /** Too much waits in memory. */
  readonly onFull: () => void;
  /** Something will never be durable, and nothing that was entered after it. */
  readonly onStuck: (error: unknown) => void;
}

const MOST_UNITS = 256;
const MOST_BYTES = 4 * 1024 * 1024;

/**
 * One connection's way to the disk, strictly in order. The client goes on at once, on the state that is to come ({@link pending}); what it
 * sends meanwhile waits until everything that was entered before is durable ({@link durable}). So one fsync serves all that came during
 * the one before, and still nothing leaves this process that the spool could forget.
 *
 * Crash behaviour: what is durable is always a prefix of what was entered. A ratchet is never ahead of the messages that moved it.
 */
export class Pipeline {
  readonly #parts: PipelineParts;
  readonly #waiting: Entered[] = [];
  readonly #pending = new Map<string, { readonly value: Uint8Array | null; readonly by: Entered }>();
  #waitingBytes = 0;
  #running = false;
  #last: Entered | null = null;

  constructor(parts: PipelineParts) {
    this.#parts = parts;
  }

  /** Resolves once the unit is durable; not at all if the connection ends before, or an outcome is unknown. Never rejects. */
  enter(unit: Unit): Promise<void> {
    if (this.#parts.fence.hasFallen) return never();
    const entered = { ...unit, bytes: sizeOf(unit), durable: Promise.withResolvers<void>() };
    for (const { name, value } of unit.session) this.#pending.set(name, { value, by: entered });
    this.#waiting.push(entered);
    this.#waitingBytes += entered.bytes;
    this.#last = entered;
    if (!this.#running) {
      this.#running = true;
      void this.#run();
    }
    if (this.#waitingBytes > this.#parts.mostWaitingBytes) this.#parts.onFull();
    return entered.durable.promise;
  }

  /** Session state that is on its way; undefined where nothing is. */
  pending(name: string): Uint8Array | null | undefined {
    return this.#parts.fence.hasFallen ? undefined : this.#pending.get(name)?.value;
  }

  /** Resolves once everything entered so far is durable; null if it is. */
  get durable(): Promise<void> | null {
    return this.#last?.durable.promise ?? null;
  }

  async #run(): Promise<void> {
    // Everything of this turn of the event loop shares the transaction.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const group = this.#takeGroup();
      if (!(await this.#commit(group))) return;
      for (const unit of group) this.#done(unit);
    }
    this.#running = false;
  }

  #takeGroup(): Entered[] {
    let bytes = 0;
    const group: Entered[] = [];
    for (const unit of this.#waiting) {
      bytes += unit.bytes;
      if (group.length > 0 && (group.length >= MOST_UNITS || bytes > MOST_BYTES)) break;
      group.push(unit);
    }
    this.#waiting.splice(0, group.length);
    return group;
  }

  /** False if nothing more will be durable. Never throws: the client would tell the server that the message is bad. */
  async #commit(group: readonly Entered[]): Promise<boolean> {
    const { lane, fence, onStuck } = this.#parts;
    try {
      const captures = group.flatMap((unit) => unit.captures);
      const session = latest(group.flatMap((unit) => unit.session));
      if (group.length === 1) await commit(lane, fence, { captures, session });
      else if (captures.length + session.length > 0) await lane.deliver(captures, session, fence);
      return true;
    } catch (error) {
      // The connection has ended, or the process is about to: whoever caused that tells of it.
      if (isFailure(error, 'fatal') || isFailure(error, 'retry')) return false;
      // One that the spool refuses must not take the others with it.
      if (group.length > 1) return await this.#commitEach(group);
      onStuck(error);
      return false;
    }
  }

  async #commitEach(group: readonly Entered[]): Promise<boolean> {
    for (const unit of group) if (!(await this.#commit([unit]))) return false;
    return true;
  }

  #done(unit: Entered): void {
    this.#waitingBytes -= unit.bytes;
    for (const { name } of unit.session) if (this.#pending.get(name)?.by === unit) this.#pending.delete(name);
    if (this.#last === unit) this.#last = null;
    unit.onDurable();
    unit.durable.resolve();
  }
}

/** A ratchet that moved for each of many messages is written once. */
function latest(changes: readonly SessionChange[]): SessionChange[] {
  return [...new Map(changes.map((change) => [change.name, change])).values()];
}

function sizeOf({ captures, session }: Unit): number {
  const raw = captures.reduce((sum, capture) => sum + capture.raw.length, 0);
  return session.reduce((sum, { value }) => sum + (value?.length ?? 0), raw);
}
