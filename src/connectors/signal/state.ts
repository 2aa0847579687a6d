// SPDX-License-Identifier: AGPL-3.0-or-later

/**
 * Session state of one account, by name. Values are encrypted in the spool; names are not, so they hold pseudonyms and days only.
 *
 * - `linked`: since when the archive captures, of the latest link
 * - `self`: the owner's ACI
 * - `alive`: when this connector last ran, for the gap that a time without it is
 * - `journal`: position in signal-cli's journal, written with what was read before it
 * - `blocked`, `identities`, `contacts`, `phone`: last known, to tell changes
 * - `report`, `pruned`: when the last was
 * - `group/<tag>`: last known state of a group
 * - `seen/<day>/<tag>`: a message by (author, time) is archived
 * - `ref/<tag>`: a message was referred to and is not archived yet
 * - `work/<tag>`: an attachment to fetch, or one to remove upstream
 */
export type StateName =
  | 'linked'
  | 'self'
  | 'alive'
  | 'journal'
  | 'blocked'
  | 'identities'
  | 'contacts'
  | 'phone'
  | 'report'
  | 'pruned'
  | `group/${string}`
  | `seen/${string}`
  | `ref/${string}`
  | `work/${string}`;

const DAY_MS = 86_400_000;

/** Messages by day, so that whole days can be forgotten. */
export function seenName(tag: string, sentAtMs: number): StateName {
  return `seen/${dayOf(sentAtMs)}/${tag}`;
}

/** Days since 1970. */
export function dayOf(atMs: number): number {
  return Math.floor(atMs / DAY_MS);
}
