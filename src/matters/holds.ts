// SPDX-License-Identifier: AGPL-3.0-or-later
import { randomBytes } from 'node:crypto';
import type { Deed, HoldScope } from '../access/act.ts';
import { Failure } from '../base/failure.ts';
import type { HoldInLog, KeptObjects } from '../search/acts-db.ts';
import { holdEntries, type Approval } from './hold-entry.ts';

/** A hold to be placed: its definition, sealed, and the entries that say in clear what the store must keep. */
export interface PlacedHold {
  readonly hold: string;
  readonly deed: Deed;
  readonly approvals: readonly Approval[];
}

export interface NewHold {
  readonly origin: string;
  readonly matter: string;
  readonly scope: HoldScope;
  readonly reference: string;
  readonly nowMs: number;
}

/** A hold that finds nothing yet is placed all the same: what it covers may still come. `kept`: what its scope covers now. */
export function placeHold(kept: KeptObjects, { origin, matter, scope, reference, nowMs }: NewHold): PlacedHold {
  const hold = randomBytes(16).toString('hex');
  const approvals = holdEntries({ origin, hold, reference, state: 'placed', nowMs }, kept);
  return { hold, deed: { act: 'hold', hold, matter, scope }, approvals };
}

/** What a hold covers by now and no entry of it names yet; null if nothing. */
export function extensionOf(
  logged: HoldInLog,
  kept: KeptObjects,
  { origin, nowMs }: Pick<NewHold, 'origin' | 'nowMs'>,
): readonly Approval[] | null {
  if (logged.state === 'released') return null;
  const [packs, media] = [new Set(logged.packs), new Set(logged.media)];
  const fresh = {
    packs: kept.packs.filter((hash) => !packs.has(hash)),
    media: kept.media.filter((hash) => !media.has(hash)),
  };
  if (fresh.packs.length + fresh.media.length === 0) return null;
  const { hold, reference } = logged;
  return holdEntries({ origin, hold, reference, state: 'extended', nowMs }, fresh);
}

/** The entry that ends a hold; it counts with two officers' approvals. */
export function releaseOf({ hold, reference }: HoldInLog, origin: string, nowMs: number): Approval {
  const [release] = holdEntries({ origin, hold, reference, state: 'released', nowMs }, { packs: [], media: [] });
  return release as Approval;
}

/** The one hold in the log that is meant, by the beginning of its id. Throws `matters/not-found`. */
export function holdCalled(holds: readonly HoldInLog[], value: string): HoldInLog {
  const found = /^[0-9a-f]{6,32}$/.test(value) ? holds.filter(({ hold }) => hold.startsWith(value)) : [];
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  throw new Failure('matters/not-found', {
    expected: 'at least six digits of the id of one hold in the log',
    got: `${found.length} that begin so`,
    fix: '`holdfast hold list` shows them; a new one is there once it is archived and indexed',
  });
}
