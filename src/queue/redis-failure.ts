// SPDX-License-Identifier: AGPL-3.0-or-later
import { codeOf, Failure, type FailureCode } from '../base/failure.ts';

interface Meaning {
  readonly code: FailureCode;
  readonly expected: string;
  readonly fix: string;
}

const FULL: Meaning = {
  code: 'queue/full',
  expected: 'room in Redis',
  fix: 'nothing is lost: it is sent again when the archiver has made room; check that the archiver runs',
};
const DENIED: Meaning = {
  code: 'queue/denied',
  expected: 'a user who may do this',
  fix: 'check username, password and deploy/redis/users.acl',
};
const NOT_READY: Meaning = { code: 'queue/not-ready', expected: 'a Redis that takes writes', fix: 'see its log' };
const UNEXPECTED: Meaning = {
  code: 'queue/unexpected-answer',
  expected: 'an answer we know',
  fix: 'run holdfast doctor',
};
const UNREACHABLE: Meaning = { code: 'queue/unreachable', expected: 'an answer', fix: 'check host, port and network' };
const TLS: Meaning = { code: 'queue/tls', expected: 'a certificate we trust', fix: 'set the CA of Redis' };

/** By the word an error answer begins with. */
const ANSWERS: Readonly<Record<string, Meaning>> = {
  OOM: FULL,
  NOAUTH: DENIED,
  NOPERM: DENIED,
  WRONGPASS: DENIED,
  BUSY: NOT_READY,
  LOADING: NOT_READY,
  MASTERDOWN: NOT_READY,
  MISCONF: NOT_READY,
  NOREPLICAS: NOT_READY,
  READONLY: NOT_READY,
};

/**
 * What an error of the Redis client means. Its text and its fields stay behind: they hold the arguments of the command, which
 * is the job, or on connecting the password.
 */
export function redisFailure(error: unknown, where: string): Failure {
  if (error instanceof Failure) return error;
  const word = answerWord(error);
  if (word !== null) return failure(meaningOf(word, error as Error), word, where);
  const got = codeOf(error);
  if (/^(?:ERR_TLS|ERR_SSL|ERR_OSSL|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_)/.test(got))
    return failure(TLS, got, where);
  return failure(isLostConnection(error) ? UNREACHABLE : UNEXPECTED, got, where);
}

/** What the client says by itself: with a code of the system, or in its own words. */
function isLostConnection(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (typeof (error as NodeJS.ErrnoException).code === 'string') return true;
  return (
    /^(?:AbortError|MaxRetriesPerRequestError)$/.test(error.name) ||
    /^(?:Connection|Stream|Socket) /.test(error.message)
  );
}

function failure({ code, expected, fix }: Meaning, got: string, where: string): Failure {
  return new Failure(code, { expected, got, where, fix });
}

function meaningOf(word: string, { message }: Error): Meaning {
  // Inside a script a refusal begins with ERR.
  if (word === 'ERR' && message.startsWith('ERR The user executing the script')) return DENIED;
  return ANSWERS[word] ?? UNEXPECTED;
}

/** Null unless Redis itself answered with an error. */
function answerWord(error: unknown): string | null {
  if (!(error instanceof Error) || error.name !== 'ReplyError') return null;
  return /^[A-Z]{2,20}(?= )/.exec(error.message)?.[0] ?? 'unnamed';
}
