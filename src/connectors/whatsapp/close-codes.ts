// SPDX-License-Identifier: AGPL-3.0-or-later
import type { GapCause } from '../../record/vocabulary.ts';
import type { Alarm, HealthReason } from './reasons.ts';

/** What the end of a connection means, and what to do about it. */
export type Ending =
  /** Again, after a growing pause. */
  | { readonly next: 'again' }
  /** Again, at once: the server asked for it. */
  | { readonly next: 'at-once' }
  /** Again, after a long pause; somebody should know. */
  | { readonly next: 'later'; readonly reason: HealthReason; readonly alarm: Alarm; readonly cause: GapCause }
  /** Never again by itself: the account is linked elsewhere, or not at all. The session is kept: it is evidence. */
  | { readonly next: 'stop'; readonly reason: HealthReason | null; readonly alarm: Alarm; readonly cause: GapCause };

const UNLINKED: Ending = { next: 'stop', reason: null, alarm: 'unlinked', cause: 'unlinked' };
const BANNED: Ending = { next: 'stop', reason: 'banned', alarm: 'banned', cause: 'unlinked' };
const OUTDATED: Ending = {
  next: 'later',
  reason: 'client-outdated',
  alarm: 'client-outdated',
  cause: 'unsupported-version',
};

/** By number: the client's own list lacks half of them. Whatever is not here is worth another try. */
const ENDINGS: Readonly<Record<number, Ending>> = {
  401: UNLINKED,
  402: { next: 'later', reason: 'banned', alarm: 'banned', cause: 'backend-outage' },
  403: BANNED,
  405: OUTDATED,
  406: BANNED,
  409: OUTDATED,
  411: { next: 'stop', reason: null, alarm: 'multi-device-off', cause: 'unlinked' },
  // Two holders that both reconnect would throw each other out for ever, each receipting what the other then lacks.
  440: { next: 'stop', reason: 'replaced', alarm: 'replaced', cause: 'intake-lost' },
  515: { next: 'at-once' },
};

export function endingOf(code: number): Ending {
  return ENDINGS[code] ?? { next: 'again' };
}

/** The close code in the client's error; 0 if there is none. */
export function closeCodeOf(error: unknown): number {
  const output = (error as { output?: { statusCode?: unknown } } | undefined)?.output;
  return typeof output?.statusCode === 'number' ? output.statusCode : 0;
}
