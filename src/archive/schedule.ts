// SPDX-License-Identifier: AGPL-3.0-or-later
import { Failure } from '../base/failure.ts';
import type { RetentionEntry } from '../record/entry-types.ts';
import { addPeriod } from '../record/period.ts';
import { untilFrom } from './store-lock.ts';
import type { Lock } from './store.ts';

/** How long a class of records is kept, and by whose word. */
export interface Schedule {
  readonly class: string;
  readonly mode: Lock['mode'];
  /** ISO 8601 period. */
  readonly period: string;
  /** No lock of this class may ever go further. */
  readonly max: string;
  readonly authority: string;
}

/** For records of a class nobody scheduled: never unlocked, never long, and somebody is told. */
export const PROVISIONAL: Omit<Schedule, 'class'> = {
  mode: 'COMPLIANCE',
  period: 'P90D',
  max: 'P90D',
  authority: 'provisional: class without a schedule',
};

/** A segment outlives what it names by this much. */
const MARGIN_MS = 86_400_000;

/** The schedules in force, from config and log, and the dates that follow from them and from the store's own clock. */
export class Schedules {
  readonly #byClass: ReadonlyMap<string, Schedule>;
  readonly #provisional: Omit<Schedule, 'class'>;

  constructor(schedules: readonly Schedule[], provisional: Omit<Schedule, 'class'> = PROVISIONAL) {
    this.#byClass = new Map(schedules.map((schedule) => [schedule.class, schedule]));
    this.#provisional = provisional;
  }

  has(retentionClass: string): boolean {
    return this.#byClass.has(retentionClass);
  }

  /** The lock for something of this class stored now, by the server's clock. */
  lockFor(retentionClass: string, serverMs: number): Lock {
    const { mode, period, max } = this.#byClass.get(retentionClass) ?? this.#provisional;
    const untilMs = Math.min(addPeriod(serverMs, period), addPeriod(serverMs, max));
    return { mode, until: untilFrom(untilMs) };
  }

  /** The lock for a part of the log itself: longer than all it names, and at least the shortest schedule. */
  lockForLog(named: readonly Lock[], serverMs: number): Lock {
    const schedules = [...this.#byClass.values()];
    const mode = schedules.some((schedule) => schedule.mode === 'GOVERNANCE') ? 'GOVERNANCE' : 'COMPLIANCE';
    const locks = named.length > 0 ? named : schedules.map((schedule) => this.lockFor(schedule.class, serverMs));
    const latest = Math.max(serverMs, ...locks.map(({ until }) => Date.parse(until)));
    const strict = locks.some((lock) => lock.mode === 'COMPLIANCE');
    return { mode: strict ? 'COMPLIANCE' : mode, until: untilFrom(latest + MARGIN_MS) };
  }
}

/** Throws `archive/retention-shortened` if the config would keep a class for less than the log already promised. */
export function assertNotShortened(
  logged: Pick<RetentionEntry, 'class' | 'period' | 'mode' | 'max'>,
  configured: Schedule,
  nowMs: number,
): void {
  const shorter = addPeriod(nowMs, configured.period) < addPeriod(nowMs, logged.period);
  const weaker = logged.mode === 'COMPLIANCE' && configured.mode === 'GOVERNANCE';
  if (!shorter && !weaker) return;
  throw new Failure('archive/retention-shortened', {
    expected: `${logged.mode} for at least ${logged.period}`,
    got: `${configured.mode} for ${configured.period}`,
    where: `retention class ${configured.class}`,
    fix: 'lengthen it in the config: what the log promised is only ever lengthened',
  });
}
