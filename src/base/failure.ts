// SPDX-License-Identifier: AGPL-3.0-or-later

/**
 * What a caller must do about a failure. Decided where it occurs, never guessed later.
 *
 * - `retry`: transient; the same call may succeed later. Back off and repeat without limit.
 * - `refuse`: this input can never succeed. Keep it as an opaque record or a gap, raise an alarm, go on.
 * - `fatal`: an invariant is broken or an outcome is unknown. The process ends; recovery is the normal start.
 */
export type FailureKind = 'retry' | 'refuse' | 'fatal';

/** The parts of a failure. None of them may hold message content, names, numbers or chat ids. */
export interface FailureDetail {
  readonly expected: string;
  readonly got: string;
  /** Where: a path in the config, an object key, a stream and sequence number. */
  readonly where?: string;
  /** What the operator can do about it. */
  readonly fix?: string;
  readonly cause?: unknown;
}

/**
 * Every failure of Holdfast outside the record format. `code` is stable, one per cause, never reused, and listed in
 * `docs/errors.md` (a test holds both in step).
 */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly code: FailureCode;
  readonly kind: FailureKind;
  readonly detail: FailureDetail;

  constructor(code: FailureCode, detail: FailureDetail) {
    super(describe(code, detail), detail.cause === undefined ? undefined : { cause: detail.cause });
    this.code = code;
    this.kind = FAILURES[code];
    this.detail = detail;
  }
}

function describe(code: string, { expected, got, where, fix }: FailureDetail): string {
  const place = where === undefined ? '' : ` at ${where}`;
  const advice = fix === undefined ? '' : `; ${fix}`;
  return `${code}${place}: expected ${expected}, got ${got}${advice}`;
}

/** The code of any error, safe to log: foreign errors are named by their class or system code, never by their text. */
export function codeOf(error: unknown): string {
  if (error instanceof Failure) return error.code;
  if (error instanceof Error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,60}$/i.test(code)) return code;
    return /^[A-Za-z]{1,60}$/.test(error.name) ? error.name : 'Error';
  }
  return 'unknown';
}

export function isFailure(error: unknown, kind: FailureKind): error is Failure {
  return error instanceof Failure && error.kind === kind;
}

/** The catalogue. Retired codes stay here as comments so that they are not used again. */
export const FAILURES = {
  // Retired: store/exists, store/grant-refused.
  'store/bad-key': 'refuse',
  'store/bad-lock': 'refuse',
  'store/fork': 'fatal',
  'store/unknown-outcome': 'fatal',
  'store/unreachable': 'retry',
  'store/denied': 'retry',
  'store/tls': 'retry',
  'store/full': 'retry',
  'store/damaged-in-transit': 'retry',
  'store/too-large': 'refuse',
  'store/no-bucket': 'fatal',
  'store/unexpected-answer': 'fatal',
  'store/not-found': 'refuse',
  'store/lock-disabled': 'fatal',
  'store/lock-ignored': 'fatal',
  'store/no-create-once': 'fatal',
  'store/lock-shortened': 'refuse',
  'store/lock-over-cap': 'refuse',
  'store/readback': 'fatal',
  'store/no-ability': 'refuse',
  'store/clock-skew': 'fatal',

  'config/missing': 'refuse',
  'config/yaml': 'refuse',
  'config/invalid': 'refuse',
  'config/missing-part': 'refuse',
  'config/secret-in-environment': 'refuse',
  'config/debugger': 'refuse',
  'config/secret-readable': 'refuse',
  'config/secret-missing': 'refuse',
  'config/key-unusable': 'refuse',
  'config/key-unknown': 'refuse',
  'config/key-unproven': 'refuse',
  'config/trust': 'refuse',
  'config/exists': 'refuse',
  'config/unwritable': 'refuse',
  'config/retention-unconfirmed': 'refuse',
  'config/account-unknown': 'refuse',
  'config/link-failed': 'refuse',
  'config/own-witness': 'refuse',
  'config/policy-unmet': 'refuse',
  'config/connector-away': 'refuse',

  'signal/account-unknown': 'refuse',
  'signal/answer': 'retry',
  'signal/attachment-cut': 'retry',
  'signal/attachment-oversized': 'refuse',
  'signal/daemon-away': 'retry',
  'signal/listen': 'fatal',
  'signal/stopped': 'retry',
  'signal/timeout': 'retry',
  'signal/unreachable': 'retry',

  'whatsapp/history-unreadable': 'refuse',
  'whatsapp/media-absent': 'refuse',
  'whatsapp/media-damaged': 'refuse',
  'whatsapp/media-no-address': 'refuse',
  'whatsapp/media-oversized': 'refuse',
  'whatsapp/media-unreachable': 'retry',
  'whatsapp/socket-hidden': 'fatal',
  'whatsapp/stopped': 'retry',
  'whatsapp/untrusted-wire': 'fatal',

  'spool/commit': 'fatal',
  'spool/in-use': 'fatal',
  'spool/version': 'fatal',
  'spool/session-unreadable': 'fatal',
  'spool/streams': 'fatal',
  'spool/no-stream': 'retry',
  'spool/object-write': 'fatal',
  'spool/media-record': 'refuse',
  'spool/fenced': 'fatal',
  'spool/no-grant': 'retry',
  'spool/upload': 'retry',
  'spool/closed': 'retry',
  'spool/full': 'retry',
  'spool/too-large': 'refuse',
  'spool/object-unreadable': 'refuse',
  'spool/unreadable': 'fatal',
  'spool/damaged': 'fatal',
  'spool/other-log': 'fatal',
  'spool/other-deployment': 'fatal',

  'archive/broken-log': 'fatal',
  'archive/superseded': 'fatal',
  'archive/behind-checkpoint': 'fatal',
  'archive/retention-shortened': 'fatal',
  'archive/other-store': 'fatal',
  'archive/manifest-order': 'fatal',
  'archive/retention-cap': 'fatal',
  'archive/forked': 'fatal',
  'archive/flush-refused': 'fatal',
  'archive/object-missing': 'retry',
  'archive/other-object': 'refuse',
  'archive/unlocked-object': 'refuse',
  'archive/log-ended': 'fatal',
  'archive/other-link': 'refuse',
  'archive/predecessor': 'fatal',
  'archive/other-log': 'refuse',
  'archive/unknown-signer': 'refuse',
  'archive/other-key': 'refuse',
  'archive/bad-open': 'refuse',
  'archive/old-generation': 'refuse',
  'archive/far-generation': 'refuse',
  'archive/other-role': 'refuse',
  'archive/closed-stream': 'refuse',
  'archive/fork': 'refuse',
  'archive/foreign-record': 'refuse',
  'archive/broken-chain': 'refuse',
  'archive/hole-inside': 'refuse',
  'archive/other-body': 'refuse',
  'archive/missing-epoch': 'refuse',
  'archive/foreign-recipient': 'refuse',
  'archive/retired-recipient': 'refuse',
  'archive/grant-limit': 'refuse',
  'archive/behind-receipt': 'refuse',
  'archive/bad-approval': 'refuse',
  'archive/unknown-officer': 'refuse',
  'archive/stale-approval': 'refuse',

  'access/busy': 'retry',
  'access/unrecorded': 'refuse',

  'matters/approval': 'refuse',
  'matters/directory': 'refuse',
  'matters/not-found': 'refuse',
  'matters/target': 'refuse',

  'scrub/in-use': 'refuse',
  'scrub/other-archive': 'refuse',

  'escrow/does-not-open': 'refuse',
  'escrow/not-a-ceremony': 'refuse',
  'escrow/other-ceremony': 'refuse',
  'escrow/other-key': 'refuse',
  'escrow/other-log': 'refuse',
  'escrow/other-run': 'refuse',
  'escrow/other-split': 'refuse',
  'escrow/share-damaged': 'refuse',
  'escrow/share-malformed': 'refuse',
  'escrow/share-twice': 'refuse',
  'escrow/stale': 'refuse',
  'escrow/too-few': 'refuse',
  'escrow/unapproved': 'refuse',
  'escrow/unrecorded': 'refuse',
  'escrow/wrong-key': 'refuse',

  'prove/not-a-bundle': 'refuse',
  'prove/not-found': 'refuse',
  'prove/not-opened': 'refuse',

  'timestamp/answer': 'retry',
  'timestamp/unreachable': 'retry',

  'witness/answer': 'retry',
  'witness/commit': 'fatal',
  'witness/conflict': 'retry',
  'witness/database': 'fatal',
  'witness/listen': 'fatal',
  'witness/unreachable': 'retry',

  'search/archive-unread': 'retry',
  'search/busy': 'retry',
  'search/foreign-archive': 'refuse',
  'search/given-up': 'refuse',
  'search/index-exposed': 'refuse',
  'search/index-in-use': 'refuse',
  'search/index-missing': 'refuse',
  'search/index-order': 'refuse',
  'search/index-other': 'refuse',
  'search/log-broken': 'refuse',
  'search/not-found': 'refuse',
  'search/page': 'refuse',
  'search/query': 'refuse',
  'search/thread-lost': 'fatal',
  'search/wrong-key': 'refuse',

  'web/file-damaged': 'refuse',
  'web/file-missing': 'refuse',
  'web/forbidden': 'refuse',
  'web/forged': 'refuse',
  'web/host': 'refuse',
  'web/listen': 'fatal',
  'web/no-route': 'refuse',
  'web/origin': 'refuse',
  'web/provider': 'retry',
  'web/range': 'refuse',
  'web/request': 'refuse',
  'web/token': 'refuse',
  'web/too-slow': 'retry',
  'web/unauthenticated': 'refuse',

  'export/archive-unread': 'retry',
  'export/busy': 'retry',
  'export/damaged': 'refuse',
  'export/exists': 'refuse',
  'export/folder': 'refuse',
  'export/in-use': 'refuse',
  'export/kept': 'refuse',
  'export/no-file': 'refuse',
  'export/no-checkpoint': 'retry',
  'export/not-an-export': 'refuse',
  'export/not-finished': 'refuse',
  'export/not-found': 'refuse',
  'export/nothing': 'refuse',
  'export/option': 'refuse',
  'export/thread-lost': 'retry',
  'export/unbalanced': 'fatal',
  'export/unproven': 'refuse',
  'export/write': 'retry',
  'export/zip-too-large': 'refuse',

  'queue/unreachable': 'retry',
  'queue/denied': 'retry',
  'queue/tls': 'retry',
  'queue/full': 'retry',
  'queue/not-ready': 'retry',
  'queue/unexpected-answer': 'retry',
  'queue/closed': 'retry',
  'queue/hold-lost': 'retry',
  'queue/broken': 'fatal',
} as const satisfies Record<string, FailureKind>;

export type FailureCode = keyof typeof FAILURES;
