// SPDX-License-Identifier: AGPL-3.0-or-later
import type { IndexState, Named } from './index-db.ts';
import type { LineKind } from './line.ts';

export interface FacetRequest {
  /** IANA name: whose days and months are meant. */
  readonly zone: string;
  readonly span: 'day' | 'month';
  /** How many conversations, authors and custodians are named; the rest is counted as `others`. */
  readonly most: number;
}

export interface Counted<Value> {
  readonly value: Value;
  readonly count: number;
}

/** The greatest counts first, and how many further values there are. */
export interface CountedList<Value> {
  readonly counts: readonly Counted<Value>[];
  readonly others: number;
}

/** What a query finds, counted by what the lines are. `kinds` adds up to the total; lines may be of no conversation and by nobody. */
export interface Facets {
  readonly total: number;
  readonly kinds: readonly Counted<LineKind>[];
  readonly apps: readonly Counted<string>[];
  readonly conversations: CountedList<{ readonly id: number; readonly title: string }>;
  readonly authors: CountedList<Named>;
  /** By the agency's directory; a line captured from two custodians counts for both. */
  readonly custodians: CountedList<string>;
  /** `2026-11` or `2026-11-22`, ascending; those without a line are left out. */
  readonly times: readonly Counted<string>[];
  readonly unmatched: readonly string[];
  readonly state: IndexState;
}
