// SPDX-License-Identifier: AGPL-3.0-or-later

/**
 * Session state of one account, by name. Values are encrypted in the spool; names are not, so they hold pseudonyms and weeks only.
 *
 * - `creds`: the device's identity, counters and settings
 * - `key/<tag>`: one entry of the Signal key store
 * - `plain/<week>/<hash>`: what a ciphertext decrypted to, for the server that sends it again; one byte for other stanzas
 * - `memory/<quarter>/<tag>`: secret and options of a message
 * - `lease`: number of the latest connection; only its holder writes
 * - `former`: the identity before the latest link
 * - `linked`: since when the archive captures, of the latest link
 * - `alive`: when this connector was last connected
 * - `phone`: when the owner's phone was last heard of
 * - `group/<tag>`: how a group was when it was last recorded, as a hash
 * - `repair/<tag>`: a message that is missing and that the owner's phone may still have
 * - `media/<tag>`: a file on its way into the archive
 * - `history/<hash>`: a part of the phone's history or app state on its way into the archive
 */
export type StateName =
  | 'creds'
  | `key/${string}`
  | `plain/${string}`
  | `memory/${string}`
  | `group/${string}`
  | `repair/${string}`
  | 'lease'
  | 'linked'
  | 'alive'
  | 'phone';

const WEEK_MS = 604_800_000;
/** The server keeps what was not receipted for weeks; a ciphertext that comes later cannot be answered any more. */
const WEEKS = 5;

/** Weeks in which a plaintext may be found, this one first. */
export function plainWeeks(nowMs: number): number[] {
  const now = Math.floor(nowMs / WEEK_MS);
  return Array.from({ length: WEEKS }, (_, ago) => now - ago);
}

export function plainName(week: number, hash: string): StateName {
  return `plain/${week}/${hash}`;
}

const QUARTER_MS = 13 * WEEK_MS;
/** A year and more: what is sealed under an older message is kept as it came, and opened by who reads both. */
const QUARTERS = 5;

/** Quarters in which what is remembered of a message may be found, this one first. */
export function memoryQuarters(nowMs: number): number[] {
  const now = Math.floor(nowMs / QUARTER_MS);
  return Array.from({ length: QUARTERS }, (_, ago) => now - ago);
}

export function memoryName(quarter: number, tag: string): StateName {
  return `memory/${quarter}/${tag}`;
}

/** How far back entries may lie that nobody came to delete: five years. */
const LOOK_BACK_MS = 260 * WEEK_MS;

/** Names of entries whose time is over for good begin with one of these. */
export function forgottenPrefixes(nowMs: number): string[] {
  const before = (kind: string, lengthMs: number, kept: number): string[] =>
    Array.from(
      { length: Math.ceil(LOOK_BACK_MS / lengthMs) },
      (_, ago) => `${kind}/${Math.floor(nowMs / lengthMs) - kept - ago}/`,
    );
  return [...before('plain', WEEK_MS, WEEKS), ...before('memory', QUARTER_MS, QUARTERS)];
}
