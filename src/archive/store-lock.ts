// SPDX-License-Identifier: AGPL-3.0-or-later
import { Failure } from '../base/failure.ts';
import type { Lock } from './store.ts';

const WHOLE_SECONDS = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/;
const DAY_MS = 86_400_000;

/** Whole seconds, rounded up: servers drop fractions, and a presigned date must be byte-identical to the one sent. */
export function untilFrom(timeMs: number): string {
  return new Date(Math.ceil(timeMs / 1000) * 1000).toISOString().replace('.000Z', 'Z');
}

/** Throws `store/bad-lock` unless the date is a real one in whole seconds. */
export function untilDate(lock: Lock, where: string): Date {
  const date = new Date(WHOLE_SECONDS.test(lock.until) ? lock.until : Number.NaN);
  if (!Number.isNaN(date.getTime()) && untilFrom(date.getTime()) === lock.until) return date;
  throw new Failure('store/bad-lock', { expected: 'a date like 2033-11-22T15:02:03Z', got: 'another form', where });
}

/** A retention period is irrevocable, so a typo is stopped here once more, after the config and before the bucket policy. */
export function assertLockInRange(lock: Lock, where: string, serverMs: number, maxRetainDays: number): void {
  const until = untilDate(lock, where).getTime();
  if (until <= serverMs) {
    throw new Failure('store/bad-lock', {
      expected: 'a date after the server’s clock',
      got: `${Math.round((serverMs - until) / 1000)} s before it`,
      where,
      fix: 'compute the date from serverTimeMs()',
    });
  }
  if (until > serverMs + maxRetainDays * DAY_MS) {
    throw new Failure('store/lock-over-cap', {
      expected: `at most ${maxRetainDays} days`,
      got: `${Math.ceil((until - serverMs) / DAY_MS)} days`,
      where,
      fix: 'shorten the retention period or raise the cap',
    });
  }
}

export function lockFrom(mode: string | undefined, until: Date | undefined): Lock | null {
  if ((mode !== 'COMPLIANCE' && mode !== 'GOVERNANCE') || until === undefined) return null;
  return { mode, until: untilFrom(until.getTime()) };
}

/** True if what is kept protects at least as strongly and as long as what was asked. */
export function covers(kept: Lock | null, asked: Lock): boolean {
  if (kept === null) return false;
  return (kept.mode === 'COMPLIANCE' || asked.mode === 'GOVERNANCE') && kept.until >= asked.until;
}

/** The weakest lock that covers both: neither mode nor date ever goes down. */
export function joined(kept: Lock | null, asked: Lock): Lock {
  if (kept === null) return asked;
  return {
    mode: kept.mode === 'COMPLIANCE' ? 'COMPLIANCE' : asked.mode,
    until: kept.until > asked.until ? kept.until : asked.until,
  };
}

export function shown(lock: Lock | null): string {
  return lock === null ? 'no lock' : `${lock.mode} until ${lock.until}`;
}

export function lockIgnored(where: string, asked: Lock, kept: Lock | null): Failure {
  return new Failure('store/lock-ignored', {
    expected: shown(asked),
    got: shown(kept),
    where,
    fix: 'use a server that honours lock headers, and allow s3:GetObjectRetention',
  });
}
