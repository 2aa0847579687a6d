// SPDX-License-Identifier: Apache-2.0
import type { Findings, Where } from './findings.ts';
import type { VersionState } from './reader.ts';
import type { NeededLock } from './rules.ts';

/** Holds the lock of a stored version against what it must at least be. */
export function judgeLock(lock: VersionState['lock'], needed: NeededLock, where: Where, findings: Findings): void {
  const expected = `${needed.mode} until ${shownTime(needed.untilMs)}`;
  if (lock === null) {
    findings.add('verify/lock-missing', where, expected, 'no lock');
  } else if (needed.mode === 'COMPLIANCE' && lock.mode !== 'COMPLIANCE') {
    findings.add('verify/lock-mode', where, expected, lock.mode);
  } else if (!(Date.parse(lock.until) >= needed.untilMs)) {
    findings.add('verify/lock-short', where, expected, `until ${lock.until}`);
  }
}

function shownTime(timeMs: number): string {
  return Number.isNaN(timeMs) ? 'a time' : `${new Date(timeMs).toISOString().slice(0, 19)}Z`;
}
