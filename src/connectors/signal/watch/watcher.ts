// SPDX-License-Identifier: AGPL-3.0-or-later
import { codeOf, isFailure } from '../../../base/failure.ts';
import type { AccountLane } from '../lane.ts';
import { Waker } from '../../waker.ts';
import { BackendWatch } from './backend.ts';
import { watchContacts } from './contacts.ts';
import { watchDevices } from './devices.ts';
import { watchGroups } from './groups.ts';
import { watchIdentities } from './identities.ts';
import { LinkWatch } from './linking.ts';
import type { WatchParts } from './parts.ts';

interface Task {
  readonly everyMs: number;
  readonly run: (signal: AbortSignal) => Promise<void>;
  /** Monotonic clock. */
  nextMs: number;
  lastMs: number;
}

interface Watched {
  readonly lane: AccountLane;
  readonly tasks: Readonly<Record<'identities' | 'groups' | 'contacts' | 'devices', Task>>;
  readonly revisions: Map<string, number>;
  phoneMs: number;
}

/** All that is asked of the back end on a schedule: few calls, one after the other. */
export class Watcher {
  readonly #parts: WatchParts;
  readonly #backend: BackendWatch;
  readonly #links: LinkWatch;
  readonly #watched = new Map<string, Watched>();
  readonly #waker = new Waker();
  #accountsNextMs = 0;
  #modeChecked = false;
  #restarts = 0;
  #looks: (() => void)[] = [];
  #hasEnded = false;

  constructor(parts: WatchParts, lanes: ReadonlyMap<string, AccountLane>) {
    this.#parts = parts;
    this.#backend = new BackendWatch(parts, lanes);
    this.#links = new LinkWatch(parts);
    for (const lane of lanes.values()) this.#watched.set(lane.account, this.#watch(lane));
  }

  /** Runs until the signal aborts. Throws what is fatal; whatever else fails is tried again, and capture goes on meanwhile. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted) {
        await this.#round(signal).catch((error: unknown) => this.#failed(error, signal));
        await this.#waker.sleep(this.#pauseMs(), signal);
      }
    } finally {
      this.#hasEnded = true;
      this.#looked(this.#looks);
    }
  }

  #failed(error: unknown, signal: AbortSignal): void {
    if (signal.aborted) return;
    if (isFailure(error, 'fatal')) throw error;
    this.#parts.events.trouble('watch', error);
  }

  /** A message shows a group in another revision, or says that the group changed: look at it soon. */
  groupMoved(lane: AccountLane, groupId: string, revision: number | null, updated: boolean): void {
    const watched = this.#watched.get(lane.account);
    if (watched === undefined) return;
    const known = watched.revisions.get(groupId);
    if (revision !== null) watched.revisions.set(groupId, Math.max(revision, known ?? 0));
    const moved = revision !== null && known !== undefined && revision > known;
    if (!moved && !updated && known !== undefined) return;
    this.#soon(watched.tasks.groups);
  }

  phoneSeen(lane: AccountLane, atMs: number): void {
    const watched = this.#watched.get(lane.account);
    // A clock that runs ahead must not hide an idle phone.
    if (watched !== undefined) watched.phoneMs = Math.max(watched.phoneMs, Math.min(atMs, this.#parts.clock()));
  }

  restartSeen(): void {
    this.#restarts += 1;
    this.#waker.wake();
  }

  /** Looks at the list of accounts now; resolves when that is noted, or the next run has to. */
  async look(): Promise<void> {
    if (this.#hasEnded) return;
    this.#accountsNextMs = 0;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#looks.push(resolve);
    this.#waker.wake();
    await promise;
  }

  async #round(signal: AbortSignal): Promise<void> {
    if (this.#restarts > 0) {
      this.#restarts = 0;
      await this.#backend.restarted();
    }
    const nowMs = performance.now();
    if (nowMs >= this.#accountsNextMs) {
      this.#accountsNextMs = nowMs + this.#parts.config.intervals.accounts;
      const looks = this.#looks;
      this.#looks = [];
      await this.#accounts(signal).finally(() => this.#looked(looks));
    }
    for (const watched of this.#watched.values()) await this.#due(watched, signal);
  }

  #looked(looks: readonly (() => void)[]): void {
    for (const resolve of looks) resolve();
  }

  async #accounts(signal: AbortSignal): Promise<void> {
    const listed = await this.#backend.accounts(signal);
    if (listed === null) {
      // It may come back as another.
      this.#modeChecked = false;
      return;
    }
    for (const { lane } of this.#watched.values()) await this.#links.observe(lane, listed.has(lane.account), signal);
    if (!this.#modeChecked) {
      await this.#backend.checkMode(signal);
      this.#modeChecked = true;
    }
  }

  async #due({ lane, tasks }: Watched, signal: AbortSignal): Promise<void> {
    if (!this.#parts.health.isLinked(lane.account)) return;
    let allWell = true;
    for (const task of Object.values(tasks)) {
      if (performance.now() < task.nextMs) continue;
      task.lastMs = performance.now();
      task.nextMs = task.lastMs + task.everyMs;
      try {
        await task.run(signal);
      } catch (error) {
        if (isFailure(error, 'fatal') || signal.aborted) throw error;
        allWell = false;
        this.#parts.events.trouble('watch', error);
        task.nextMs = task.lastMs + Math.min(task.everyMs, this.#parts.config.intervals.accounts);
        // The account is no longer what the list said: look again at once.
        if (codeOf(error) === 'signal/account-unknown') this.#accountsNextMs = 0;
      }
    }
    if (allWell) this.#parts.health.caughtUp(lane.account, true);
  }

  #watch(lane: AccountLane): Watched {
    const { intervals } = this.#parts.config;
    const watched: Watched = {
      lane,
      revisions: new Map(),
      phoneMs: 0,
      tasks: {
        identities: newTask(intervals.identities, (signal) => watchIdentities(lane, this.#parts, signal)),
        groups: newTask(intervals.groups, (signal) =>
          watchGroups(lane, this.#parts, (groupId) => watched.revisions.get(groupId) ?? null, signal),
        ),
        contacts: newTask(intervals.contacts, (signal) => watchContacts(lane, this.#parts, signal)),
        devices: newTask(intervals.devices, (signal) => this.#devices(watched, signal)),
      },
    };
    return watched;
  }

  /** Signal out of reach loses nothing, it waits on the server; but an account that stays there is not captured. */
  async #devices({ lane, phoneMs }: Watched, signal: AbortSignal): Promise<void> {
    const { health } = this.#parts;
    try {
      await watchDevices(lane, this.#parts, phoneMs, signal);
      health.set(lane.account, 'signal-unreachable', false);
    } catch (error) {
      if (codeOf(error) === 'signal/answer') health.set(lane.account, 'signal-unreachable', true);
      throw error;
    }
  }

  #soon(task: Task): void {
    task.nextMs = Math.min(task.nextMs, Math.max(performance.now(), task.lastMs + this.#parts.config.intervals.retry));
    this.#waker.wake();
  }

  #pauseMs(): number {
    const watched = [...this.#watched.values()].filter(({ lane }) => this.#parts.health.isLinked(lane.account));
    const next = watched.flatMap(({ tasks }) => Object.values(tasks).map(({ nextMs }) => nextMs));
    return Math.max(0, Math.min(this.#accountsNextMs, ...next) - performance.now());
  }
}

function newTask(everyMs: number, run: Task['run']): Task {
  return { everyMs, run, nextMs: 0, lastMs: -Infinity };
}
