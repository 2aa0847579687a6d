// SPDX-License-Identifier: AGPL-3.0-or-later
import { codeOf, Failure, type FailureCode } from '../base/failure.ts';

/**
 * What an unanswered call may have changed. `nothing`: it only reads. `harmless`: a repetition or a late arrival does no harm.
 * `outcome`: it may have happened, and what follows depends on that.
 */
export type Stake = 'nothing' | 'harmless' | 'outcome';

/** Never holds the SDK's error: that carries the URL, the signature, the answer's text and sometimes the credentials. */
export function s3Failure(error: unknown, where: string, stake: Stake): Failure {
  if (error instanceof Failure) return error;
  const answer = answerOf(error);
  if (answer === null) return unanswered(error, where, stake);
  const { status, code } = answer;
  const known = BY_CODE[code] ?? BY_STATUS[status];
  const got = `${status} ${code}`;
  if (known !== undefined) return new Failure(known.failure, { expected: known.expected, got, where, fix: known.fix });
  if (status < 300 || status >= 500) return unsettled(got, where, stake);
  return new Failure('store/unexpected-answer', {
    expected: 'an answer of the S3 protocol',
    got,
    where,
    fix: 'check endpoint, region and path style, and that the bucket has Object Lock',
  });
}

interface Answer {
  readonly status: number;
  readonly code: string;
}

/** Status and error code of an answer, or null if there was none. */
export function answerOf(error: unknown): Answer | null {
  if (!(error instanceof Error) || error instanceof Failure) return null;
  const { $metadata, Code } = error as { $metadata?: { httpStatusCode?: number }; Code?: unknown };
  const status = $metadata?.httpStatusCode;
  if (status === undefined) return null;
  const code = typeof Code === 'string' ? Code : error.name;
  return { status, code: /^[A-Za-z][A-Za-z0-9]{0,60}$/.test(code) ? code : 'unnamed' };
}

function unanswered(error: unknown, where: string, stake: Stake): Failure {
  const got = codeOf(error);
  if (neverConnected(error)) {
    return new Failure('store/unreachable', {
      expected: 'a connection',
      got,
      where,
      fix: 'check endpoint and network',
    });
  }
  if (/^(?:ERR_TLS_CERT|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_)/.test(got)) {
    return new Failure('store/tls', {
      expected: 'a certificate we trust',
      got,
      where,
      fix: 'set the CA of the endpoint',
    });
  }
  if (error instanceof TypeError || error instanceof RangeError) {
    return new Failure('store/unexpected-answer', { expected: 'an answer that can be read', got, where });
  }
  return unsettled(got, where, stake);
}

function unsettled(got: string, where: string, stake: Stake): Failure {
  if (stake !== 'outcome') return new Failure('store/unreachable', { expected: 'a whole answer', got, where });
  return new Failure('store/unknown-outcome', {
    expected: 'an answer that tells whether the write happened',
    got,
    where,
    fix: 'restart: recovery reads what is there',
  });
}

/** Only then is it certain that the server saw nothing: the same codes can also end a connection in use. */
function neverConnected(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.length > 0 && error.errors.every(neverConnected);
  const { syscall } = error as { syscall?: unknown };
  return syscall === 'connect' || syscall === 'getaddrinfo';
}

interface Meaning {
  readonly failure: FailureCode;
  readonly expected: string;
  readonly fix: string;
}

const BUSY: Meaning = { failure: 'store/unreachable', expected: 'a server that is not busy', fix: 'wait' };
const DAMAGED: Meaning = {
  failure: 'store/damaged-in-transit',
  expected: 'the server to receive the bytes we sent',
  fix: 'look for a failing network part or proxy if it persists',
};
const DENIED: Meaning = {
  failure: 'store/denied',
  expected: 'the right to do this',
  fix: 'check the credentials, the bucket policy and its caps on retention',
};
const FULL: Meaning = { failure: 'store/full', expected: 'space for the object', fix: 'raise the quota or add space' };
const TOO_LARGE: Meaning = {
  failure: 'store/too-large',
  expected: 'a size the server takes',
  fix: 'use smaller objects',
};

/** In these cases the server states that nothing was written. */
const BY_CODE: Readonly<Record<string, Meaning>> = {
  RequestTimeTooSkewed: {
    failure: 'store/clock-skew',
    expected: 'clocks that agree',
    fix: 'synchronise both clocks',
  },
  BadDigest: DAMAGED,
  InvalidDigest: DAMAGED,
  IncompleteBody: DAMAGED,
  XAmzContentChecksumMismatch: DAMAGED,
  XAmzContentSHA256Mismatch: DAMAGED,
  NotImplemented: { failure: 'store/no-ability', expected: 'a server that can do this', fix: 'use another server' },
  NoSuchBucket: { failure: 'store/no-bucket', expected: 'the configured bucket', fix: 'create it with Object Lock' },
  OperationAborted: BUSY,
  RequestTimeout: BUSY,
  ServiceUnavailable: BUSY,
  SlowDown: BUSY,
  Throttling: BUSY,
  TooManyRequests: BUSY,
  QuotaExceeded: FULL,
  EntityTooLarge: TOO_LARGE,
};

const BY_STATUS: Readonly<Record<number, Meaning>> = {
  401: DENIED,
  403: DENIED,
  404: { failure: 'store/not-found', expected: 'an object', fix: 'check the key' },
  413: TOO_LARGE,
  429: BUSY,
  507: FULL,
};
