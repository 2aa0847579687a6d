// SPDX-License-Identifier: AGPL-3.0-or-later
import type { GapRow } from '../search/index-db.ts';
import type { IndexSnapshot } from '../search/snapshot.ts';
import type { Custodians } from './custodians.ts';
import type { FileBook } from './files/file-book.ts';
import type { Plan } from './plan.ts';
import type { Staging } from './staging.ts';
import type { LocalTime } from '../search/local-time.ts';

/** What an export says of where it comes from. The same values give the same bytes. */
export interface Provenance {
  readonly origin: string;
  /** Up to where the index was complete: leaves of the log, its root (hex), and the time of the last segment. */
  readonly checkpoint: { readonly size: number; readonly root: string; readonly at: string };
  readonly generator: string;
  /** Records of the archive that could not be read, in the whole index. */
  readonly unreadable: number;
  readonly recordsInIndex: number;
}

/** What of its records an export proves: nothing, that they are in the log, or also what they say. */
export const PROOFS = ['none', 'records', 'content'] as const;
export type Proofs = (typeof PROOFS)[number];

/** How pages are numbered: `DOT0000001` and on. */
export interface Bates {
  readonly prefix: string;
  readonly first: number;
  /** The least number of digits. */
  readonly digits: number;
}

/** Everything a format is rendered from. */
export interface Rendering {
  readonly provenance: Provenance;
  readonly snapshot: IndexSnapshot;
  readonly plan: Plan;
  readonly zone: LocalTime;
  readonly bates: Bates;
  readonly files: FileBook;
  readonly staging: Staging;
  readonly proofs: Proofs;
  readonly custodians: Custodians;
  /** How many records of the log it shows. */
  readonly records: number;
  /** Gaps of the accounts concerned that touch the span. */
  readonly gaps: readonly GapRow[];
  /** Called for every line that a format has written. */
  readonly onLine: () => void;
}
