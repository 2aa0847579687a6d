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
export const MARGIN_MS = 86_400_000;
/** A granted upload may take this long to arrive and be named without its lock being lengthened. Below the margin of segments. */
export const UPLOAD_SLACK_MS = MARGIN_MS / 2;

/** The schedules in force, from config and log, and the dates that follow from them and from the store's own clock. */
export class Schedules {
  readonly #byClass: ReadonlyMap<string, Schedule>;
  readonly #provisional: Omit<Schedule, 'class'>;

  /** Of two for one class the later one counts: what the log says comes first, then the config, which may lengthen it. */
  constructor(schedules: readonly Schedule[], provisional: Omit<Schedule, 'class'> = PROVISIONAL) {
    this.#byClass = new Map(schedules.map((schedule) => [schedule.class, schedule]));
    this.#provisional = provisional;
  }

  has(retentionClass: string): boolean {
    return this.#byClass.has(retentionClass);
  }

  /** The lock for something of this class stored now, by the server's clock. */
  lockFor(retentionClass: string, serverMs: number): Lock {
    return lockUnder(this.#byClass.get(retentionClass) ?? this.#provisional, serverMs);
  }

  /** The lock that an upload granted now must bring: what its record will need once it has arrived, but never beyond the class's cap. */
  lockForUpload(retentionClass: string, serverMs: number): Lock {
    const { mode, period, max } = this.#byClass.get(retentionClass) ?? this.#provisional;
    const untilMs = Math.min(addPeriod(serverMs, period) + UPLOAD_SLACK_MS, addPeriod(serverMs, max));
    return { mode, until: untilFrom(untilMs) };
  }

  /** The lock for what vouches for everything before it: heads, time stamps, cosigned checkpoints. Longer than any schedule. */
  lockForEvidence(serverMs: number): Lock {
    return this.lockForLog([], serverMs);
  }

  /** The lock for a part of the log itself: longer than all it names, and where it names nothing, than any schedule. */
  lockForLog(named: readonly Lock[], serverMs: number): Lock {
    const schedules = [...this.#byClass.values()];
    const mode = schedules.some((schedule) => schedule.mode === 'GOVERNANCE') ? 'GOVERNANCE' : 'COMPLIANCE';
    const locks = named.length > 0 ? named : schedules.map((schedule) => this.lockFor(schedule.class, serverMs));
    const latest = locks.reduce((most, { until }) => Math.max(most, Date.parse(until)), serverMs);
    const strict = locks.some((lock) => lock.mode === 'COMPLIANCE');
    return { mode: strict ? 'COMPLIANCE' : mode, until: untilFrom(latest + MARGIN_MS) };
  }
}

/** The lock that a schedule gives something stored at this time. */
export function lockUnder({ mode, period }: Pick<Schedule, 'mode' | 'period'>, serverMs: number): Lock {
  return { mode, until: untilFrom(addPeriod(serverMs, period)) };
}

/** Throws `archive/retention-cap` if a schedule's own cap would cut its period short. */
export function assertCapAllows({ class: retentionClass, period, max }: Schedule): void {
  if (!isShorter(max, period)) return;
  throw new Failure('archive/retention-cap', {
    expected: `a max of at least the period, ${period}`,
    got: max,
    where: `retention class ${retentionClass}`,
    fix: 'raise max, or shorten the period before anything is logged under it',
  });
}

/** Throws `archive/retention-shortened` if the config would keep a class for less than the log already promised. */
export function assertNotShortened(
  logged: Pick<RetentionEntry, 'class' | 'period' | 'mode' | 'max'>,
  configured: Schedule,
): void {
  const shorter = isShorter(configured.period, logged.period);
  const weaker = logged.mode === 'COMPLIANCE' && configured.mode === 'GOVERNANCE';
  if (!shorter && !weaker) return;
  throw new Failure('archive/retention-shortened', {
    expected: `${logged.mode} for at least ${logged.period}`,
    got: `${configured.mode} for ${configured.period}`,
    where: `retention class ${configured.class}`,
    fix: 'lengthen it in the config: what the log promised is only ever lengthened',
  });
}

const DAY_MS = 86_400_000;
/** From a day before a leap year on, four years hold every start that a period of months can have. */
const CYCLE_FROM_MS = Date.UTC(2027, 11, 31);
const CYCLE_DAYS = 1461;

/** True if there is a day from which one period ends before the other: months have 28 to 31 days. */
function isShorter(period: string, than: string): boolean {
  for (let day = 0; day < CYCLE_DAYS; day += 1) {
    const from = CYCLE_FROM_MS + day * DAY_MS;
    if (addPeriod(from, period) < addPeriod(from, than)) return true;
  }
  return false;
}
