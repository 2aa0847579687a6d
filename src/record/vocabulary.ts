// SPDX-License-Identifier: Apache-2.0

// Closed vocabularies of the clear fields: what an auditor may judge without any key. A word is never reused.

/** Why something that should be in the archive is not, or not yet. */
export const GAP_CAUSES = [
  'attachment-missing',
  'attachment-mismatch',
  'backend-outage',
  'blocked-contact',
  'blocked-group',
  'intake-lost',
  'not-linked',
  'object-unreadable',
  'oversized',
  'phone-idle',
  'reference-unseen',
  'restart',
  'spool-doubtful',
  'spool-full',
  'spool-lost',
  'undecryptable',
  'unlinked',
  'unsupported-version',
  'untrusted-identity',
] as const;
export type GapCause = (typeof GAP_CAUSES)[number];

/** What a gap is about: everything of the account, one message, or one attachment. */
export const GAP_SCOPES = ['account', 'chat', 'message', 'attachment'] as const;
export type GapScope = (typeof GAP_SCOPES)[number];

/** `open`: not yet known how it ends. `closed`: capture goes on, or the missing thing arrived. `final`: it will never arrive. */
export const GAP_STATES = ['open', 'closed', 'final'] as const;
export type GapState = (typeof GAP_STATES)[number];

export const CLOSE_REASONS = ['moved', 'retired', 'superseded', 'unlinked'] as const;
export type CloseReason = (typeof CLOSE_REASONS)[number];

export const STREAM_ROLES = ['account', 'process'] as const;
export type StreamRole = (typeof STREAM_ROLES)[number];

/** Where a stream captures. `holdfast` is the stream of a process or of a reader. */
export const APPS = ['holdfast', 'signal', 'whatsapp', 'wickr'] as const;
export type App = (typeof APPS)[number];

export const LOCK_MODES = ['COMPLIANCE', 'GOVERNANCE'] as const;

export const STORE_KINDS = ['directory', 's3'] as const;
export const STORE_CREATES = ['first-listed', 'if-none-match', 'link'] as const;

export const KEY_KINDS = ['manifest', 'predecessor', 'successor'] as const;
/** What is done with the shares of a decryption key. */
export const ESCROW_ACTS = ['combine', 'drill', 'split'] as const;
export const ESCROW_STATES = ['announced', 'done', 'failed'] as const;
export const HOLD_STATES = ['extended', 'placed', 'released'] as const;
