// SPDX-License-Identifier: AGPL-3.0-or-later

/** Which way bytes came, and what else writes records. Stored with every capture: never rename, nor use `event` again. */
export type Via = 'socket' | 'history' | 'media' | 'connector';

/** Why an account is not green. */
export type HealthReason =
  | 'banned'
  | 'client-outdated'
  | 'disconnected'
  | 'history-backlog'
  | 'media-backlog'
  | 'phone-idle'
  | 'replaced'
  | 'spool-waiting'
  | 'unaccounted'
  | 'undecryptable';

/** What a person should look at. */
export type Alarm =
  | 'attachment-mismatch'
  | 'attachment-missing'
  | 'attachment-oversized'
  | 'banned'
  | 'bot-message'
  | 'client-outdated'
  | 'frame-unreadable'
  | 'history-lost'
  | 'multi-device-off'
  | 'not-linked'
  | 'not-understood'
  | 'other-account'
  | 'outage'
  | 'phone-idle'
  | 'refused-by-spool'
  | 'replaced'
  | 'unaccounted'
  | 'undecryptable'
  | 'unlinked';

/** Where a failure occurred that the session retries. */
export type Trouble = 'app-state' | 'attachment' | 'connection' | 'deliver' | 'frame' | 'history' | 'link' | 'watch';

/** Why a `<message>` was not read. Stored in records: never rename. */
export type Unread =
  | 'bot-message'
  | 'decryption-failed'
  | 'empty'
  | 'key-used'
  | 'no-sender-key'
  | 'no-session'
  | 'unaccounted'
  | 'unavailable'
  | 'unknown-encryption'
  | 'unroutable';
