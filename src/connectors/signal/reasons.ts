// SPDX-License-Identifier: AGPL-3.0-or-later

/** Which way a frame came, and what else writes records. Stored with every capture: never rename. */
export const INTAKES = ['webhook', 'websocket', 'journal'] as const;
export type Intake = (typeof INTAKES)[number];
/** `rest`: asked for. `connector`: said by the connector itself. */
export type Via = Intake | 'rest' | 'connector';

/** Why an account is not green. */
export type HealthReason =
  | 'attachment-backlog'
  | 'backend-unreachable'
  | 'journal-unreadable'
  | 'lossy-intake'
  | 'signal-unreachable'
  | 'spool-waiting'
  | 'webhook-not-listening'
  | 'websocket-down'
  | 'wrong-mode';

/** What a person should look at. */
export type Alarm =
  | 'attachment-mismatch'
  | 'attachment-missing'
  | 'attachment-oversized'
  | 'backend-outage'
  | 'backend-restarted'
  | 'blocked-contact'
  | 'blocked-group'
  | 'identity-changed'
  | 'intake-lost'
  | 'lossy-intake'
  | 'malformed'
  | 'not-linked'
  | 'oversized'
  | 'phone-idle'
  | 'reference-unseen'
  | 'refused-by-spool'
  | 'unattributed'
  | 'undecryptable'
  | 'unknown-account'
  | 'unlinked'
  | 'untrusted-identity'
  | 'volume-filling'
  | 'webhook-missed'
  | 'webhook-path'
  | 'wrong-mode';

/** Where a failure occurred that the session retries. */
export type Trouble = 'attachment' | 'audit' | 'deliver' | 'journal' | 'link' | 'watch' | 'webhook' | 'websocket';
