// SPDX-License-Identifier: AGPL-3.0-or-later
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, Failure } from '../base/failure.ts';
import { canonicalize, type Json } from '../record/canonical.ts';
import type { AccessCapture } from '../spool/account.ts';
import { asAct, MAX_ACT_BYTES, type Act, type Actor, type Deed } from './act.ts';
import type { Audit } from './audit.ts';
import { ReaderSpool, unrecorded, type ReaderSpoolOptions } from './reader-spool.ts';

export interface SpooledAuditOptions extends ReaderSpoolOptions {
  /** Whoever runs this process. */
  readonly actor: Actor;
  /** Stays at the spool while nobody else wants it, and carries what waits to the archiver. */
  readonly ships: boolean;
  /** Approved entries that wait to be logged: carried as well, again and again until they are there. */
  readonly approved?: () => readonly { readonly line: string; readonly document: string }[];
}

const TICK_MS = 50;
/** So that whoever waits comes first. */
const GIVE_WAY_MS = 100;
/** A command is through in less: it is not sent back into the line between two records. */
const KEEP_AT_LEAST_MS = 500;
/** Carrying what waits is in no hurry: it comes back to the spool after those who record. */
const CARRY_PAUSE_MS = 2000;
/** An approved entry is sent again after this long, while the log does not show it. */
const CARRY_APPROVED_MS = 5000;
const PRUNE_EVERY_MS = 3_600_000;

/**
 * The audit over a spool that several processes of one reader share: it takes the spool for what it has to record, keeps it while nobody
 * else waits, and gives way when somebody does.
 *
 * Crash behaviour: a killed process loses its turn with its locks; what `record` resolved for is on the disk, and the next one to take
 * the spool finds it. An outcome that is unknown rejects `record`, and the spool is opened anew from what is really there.
 */
export class SpooledAudit implements Audit {
  readonly #o: SpooledAuditOptions;
  readonly #timer: NodeJS.Timeout;
  #spool: Promise<ReaderSpool> | null = null;
  #users = 0;
  #idle: (() => void) | null = null;
  #leaving: Promise<void> | null = null;
  #isClosed = false;
  #prunedMs = -Infinity;
  #carriedMs = -Infinity;
  /** On the monotonic clock: when the spool was taken, and when it was left. */
  #tookMs = 0;
  #leftMs = -Infinity;

  constructor(options: SpooledAuditOptions) {
    this.#o = options;
    this.#timer = setInterval(() => void this.#tick(), TICK_MS);
    this.#timer.unref();
  }

  async record(deeds: readonly Deed[], by?: Pick<Actor, 'user' | 'session' | 'via'>): Promise<void> {
    const { actor, clock } = this.#o;
    const captures = deeds.map((deed) => captureOf(deed, { ...actor, ...by }, clock()));
    try {
      await this.#with((spool) => spool.record(captures));
    } catch (error) {
      if (error instanceof Failure && /^(?:access|config)\//.test(error.code)) throw error;
      throw unrecorded(error);
    }
  }

  /** Records without a receipt; takes the spool to count them. */
  waiting(): Promise<number> {
    return this.#with(async (spool) => spool.backlog);
  }

  /** Resolves when nothing waits any more, or when the time is up; true if nothing waits. */
  async shipped(timeoutMs: number): Promise<boolean> {
    const endMs = performance.now() + timeoutMs;
    for (;;) {
      if ((await this.waiting()) === 0) return true;
      if (performance.now() > endMs) return false;
      await sleep(TICK_MS);
    }
  }

  async #with<T>(work: (spool: ReaderSpool) => Promise<T>): Promise<T> {
    while (this.#leaving !== null) await this.#leaving;
    if (this.#isClosed) throw new Failure('spool/closed', { expected: 'an open audit', got: 'one that is closed' });
    this.#users += 1;
    try {
      this.#spool ??= this.#open();
      return await work(await this.#spool);
    } finally {
      this.#users -= 1;
      if (this.#users === 0) this.#idle?.();
    }
  }

  #open(): Promise<ReaderSpool> {
    const opening = ReaderSpool.open(this.#o, () => this.#leave());
    opening.then(
      () => (this.#tookMs = performance.now()),
      () => {
        if (this.#spool === opening) this.#spool = null;
      },
    );
    return opening;
  }

  async #tick(): Promise<void> {
    if (this.#leaving !== null || this.#isClosed) return;
    try {
      if (this.#spool === null) {
        if (this.#o.ships && since(this.#leftMs) >= CARRY_PAUSE_MS) await this.#with((spool) => this.#prune(spool));
        return;
      }
      const spool = await this.#spool;
      if (this.#o.ships) this.#carryApproved(spool);
      const { turn } = spool;
      const mayKeep = !this.#o.ships && since(this.#tookMs) < KEEP_AT_LEAST_MS;
      if (!mayKeep && turn.isWanted) this.#leave();
    } catch (error) {
      this.#o.events.trouble('reader-spool', codeOf(error));
    }
  }

  /** Not awaited by whoever records: the way to the archiver may be slow. */
  #carryApproved(spool: ReaderSpool): void {
    if (this.#o.approved === undefined || since(this.#carriedMs) < CARRY_APPROVED_MS) return;
    this.#carriedMs = performance.now();
    for (const { line, document } of this.#o.approved()) {
      const failed = (error: unknown): void => this.#o.events.trouble('approved', codeOf(error));
      spool.carry({ kind: 'approved', line, document }).catch(failed);
    }
  }

  async #prune(spool: ReaderSpool): Promise<void> {
    if (performance.now() - this.#prunedMs < PRUNE_EVERY_MS) return;
    this.#prunedMs = performance.now();
    await spool.prune();
  }

  /** Lets those finish who are at the spool, and nobody new in before another process had its turn. */
  #leave(): void {
    this.#leaving ??= this.#release()
      .then(() => sleep(GIVE_WAY_MS))
      .finally(() => {
        this.#leaving = null;
        this.#leftMs = performance.now();
      });
  }

  async #release(): Promise<void> {
    if (this.#users > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
    this.#idle = null;
    const opened = this.#spool;
    this.#spool = null;
    const spool = await opened?.catch(() => null);
    await spool?.[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#leaving;
    this.#isClosed = true;
    await this.#release();
  }
}

const since = (timeMs: number): number => performance.now() - timeMs;

/** Throws `access/unrecorded` for a deed that the reading side would not take for one. */
function captureOf(deed: Deed, by: Actor, atMs: number): AccessCapture {
  const id = randomBytes(16).toString('hex');
  const act: Act = { v: 1, kind: 'act', id, atMs, by, deed };
  const text = canonicalize(act as unknown as Json);
  if (asAct(act) === null || Buffer.byteLength(text) > MAX_ACT_BYTES) {
    throw new Failure('access/unrecorded', {
      expected: `an act of at most ${MAX_ACT_BYTES} bytes, each text within its limit`,
      got: `${Buffer.byteLength(text)} bytes`,
      where: `act ${deed.act}`,
      fix: 'ask for less at once',
    });
  }
  const native = { chat: '', sender: '', id, kind: 'act', revision: '' };
  return { type: 'access', native, via: 'reader', atMs, view: act, raw: Buffer.alloc(0) };
}
