// SPDX-License-Identifier: AGPL-3.0-or-later
import type { z } from 'zod';
import { codeOf, Failure, type FailureCode } from '../base/failure.ts';
import type { Permission } from '../base/permission.ts';
import { PROOF_HEADER } from './authenticator.ts';

/** What a client is told when it gets no answer. Never what it sent, and nothing of what is stored. */
export interface Refusal {
  readonly status: number;
  readonly body: {
    readonly error: {
      readonly code: string;
      readonly expected?: string;
      readonly got?: string;
      readonly where?: string;
      readonly fix?: string;
    };
  };
}

const STATUS: Partial<Record<FailureCode, number>> = {
  'access/busy': 503,
  'access/unrecorded': 503,
  'export/busy': 503,
  'export/damaged': 502,
  'export/kept': 409,
  'export/no-file': 404,
  'export/not-finished': 409,
  'export/not-found': 404,
  'export/option': 400,
  'export/zip-too-large': 409,
  'matters/approval': 400,
  'matters/directory': 400,
  'matters/not-found': 404,
  'matters/target': 400,
  'search/archive-unread': 503,
  'search/busy': 503,
  'search/given-up': 503,
  'search/index-missing': 503,
  'search/not-found': 404,
  'search/page': 409,
  'search/query': 400,
  'web/file-damaged': 502,
  'web/file-missing': 404,
  'web/forbidden': 403,
  'web/forged': 403,
  'web/host': 421,
  'web/no-route': 404,
  'web/origin': 403,
  'web/provider': 503,
  'web/range': 416,
  'web/request': 400,
  'web/too-slow': 503,
  'web/unauthenticated': 401,
};
const INTERNAL = 500;

export function refusalOf(error: unknown): Refusal {
  const failure = error instanceof Failure ? error : ofServer(error);
  if (failure === null) return { status: INTERNAL, body: { error: { code: codeOf(error) } } };
  const { expected, got, where, fix } = failure.detail;
  const status = STATUS[failure.code] ?? INTERNAL;
  // Beyond what is meant for clients, the message is the operator's: it may name paths of this machine.
  if (status === INTERNAL) return { status, body: { error: { code: failure.code } } };
  const place = where === undefined ? {} : { where };
  return {
    status,
    body: { error: { code: failure.code, expected, got, ...place, ...(fix === undefined ? {} : { fix }) } },
  };
}

/** What the server's library refuses by itself: a body that is too long, of another type, or no JSON. */
function ofServer(error: unknown): Failure | null {
  const { statusCode, code } = error as { statusCode?: unknown; code?: unknown };
  if (typeof statusCode !== 'number' || statusCode < 400 || statusCode > 499) return null;
  const got = typeof code === 'string' && /^FST_[A-Z_]{1,60}$/.test(code) ? code : `status ${statusCode}`;
  return new Failure('web/request', { expected: 'a body of JSON, as the API’s document says', got });
}

/** Names every member that is wrong; not what it held. */
export function wrongRequest(part: string, { issues }: z.ZodError): Failure {
  return new Failure('web/request', {
    expected: 'what the API’s document says',
    got: issues.map(({ path, code }) => `${[part, ...path.map(String)].join('.')}: ${code}`).join('; '),
    where: part,
    fix: 'see /api/v1/openapi.json',
  });
}

export function unauthenticated(): Failure {
  return new Failure('web/unauthenticated', {
    expected: '`Authorization: Bearer` and a token, or somebody who is signed on',
    got: 'nobody known',
    fix: 'sign on at /sign-on where there is an identity provider; else take the token from the file that `holdfast read --serve` names',
  });
}

export function forbidden(permission: Permission): Failure {
  return new Failure('web/forbidden', { expected: `the permission \`${permission}\``, got: 'somebody without it' });
}

export function forged(): Failure {
  return new Failure('web/forged', {
    expected: `the header ${PROOF_HEADER} with what /status told whoever is signed on`,
    got: 'none, or another one',
    fix: 'ask /api/v1/status for `proof`, and send it with whatever changes something',
  });
}

export function noRoute(): Failure {
  return new Failure('web/no-route', {
    expected: 'an address of the API',
    got: 'another one',
    fix: 'see /api/v1/openapi.json',
  });
}

export function tooSlow(withinMs: number): Failure {
  return new Failure('web/too-slow', {
    expected: `an answer within ${withinMs / 1000} s`,
    got: 'none yet',
    fix: 'ask for less: a shorter time, or more words',
  });
}
