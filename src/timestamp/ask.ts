// SPDX-License-Identifier: AGPL-3.0-or-later
import { randomBytes, type X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { codeOf, Failure } from '../base/failure.ts';
import type { StoredTimeStamp } from '../record/time-stamp.ts';
import { timeStampJudge } from './judge.ts';
import { isAnswerTo, timeStampRequest, tokenOf } from './request.ts';
import { openToken } from './token.ts';

export interface TimeAuthority {
  readonly url: string;
  /** Its root, and what stands between that and its signer. */
  readonly certificates: readonly X509Certificate[];
  /** Where its revocation lists are: http(s) or file. */
  readonly crls: readonly string[];
}

export interface AskedTimeStamp {
  readonly stamp: StoredTimeStamp;
  /** False: no revocation list of its signer is kept with it. */
  readonly revocationChecked: boolean;
}

const ANSWER_MS = 20_000;
const MAX_ANSWER_BYTES = 1024 * 1024;
const NONCE_BYTES = 8;
/**
 * Has an authority stamp a text, of which it is told the hash alone. What comes was checked, and holds all that checking takes later: token,
 * chain, revocation lists. Throws `timestamp/unreachable`, `timestamp/answer`.
 */
export async function askTimeStamp(
  authority: TimeAuthority,
  checkpoint: string,
  signal: AbortSignal,
): Promise<AskedTimeStamp> {
  const nonce = randomBytes(NONCE_BYTES);
  const answer = await ask(authority.url, timeStampRequest(Buffer.from(checkpoint), nonce), signal);
  const stamp: StoredTimeStamp = {
    checkpoint,
    token: answered(authority, answer, nonce),
    certificates: authority.certificates.map(({ raw }) => raw),
    crls: await Promise.all(authority.crls.map((url) => fetchCrl(url, signal))),
  };
  const verdict = await timeStampJudge(authority.certificates)(stamp);
  if (!verdict.ok) throw unusable(authority.url, verdict.expected, verdict.got);
  return { stamp, revocationChecked: verdict.revocationChecked };
}

function answered({ url, certificates }: TimeAuthority, answer: Uint8Array, nonce: Uint8Array): Buffer {
  try {
    const token = tokenOf(answer);
    const { info } = openToken(
      token,
      certificates.map(({ raw }) => raw),
    );
    if (isAnswerTo(info, nonce)) return token;
  } catch (cause) {
    // The ASN.1 library throws plain errors at bytes that are no token.
    throw unusable(url, 'a time stamp', codeOf(cause), cause);
  }
  throw unusable(url, 'an answer to this request', 'one to another');
}

function ask(url: string, query: Uint8Array, signal: AbortSignal): Promise<Buffer> {
  const headers = { 'content-type': 'application/timestamp-query' };
  return fetchBounded(url, { method: 'POST', body: Uint8Array.from(query), headers }, signal);
}

async function fetchCrl(url: string, signal: AbortSignal): Promise<Buffer> {
  if (!url.startsWith('file:')) return fetchBounded(url, {}, signal);
  return readFile(fileURLToPath(url)).catch((cause: unknown) => {
    throw unreachable(url, codeOf(cause), cause);
  });
}

async function fetchBounded(url: string, init: RequestInit, signal: AbortSignal): Promise<Buffer> {
  try {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]);
    const response = await fetch(url, { ...init, signal: limit });
    if (!response.ok) throw unusable(url, 'status 200', `${response.status}`);
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of response.body ?? []) {
      length += chunk.length;
      if (length > MAX_ANSWER_BYTES) throw unusable(url, `at most ${MAX_ANSWER_BYTES} bytes`, 'more');
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  } catch (cause) {
    if (cause instanceof Failure) throw cause;
    throw unreachable(
      url,
      codeOf(cause instanceof TypeError && cause.cause !== undefined ? cause.cause : cause),
      cause,
    );
  }
}

function unreachable(where: string, got: string, cause: unknown): Failure {
  return new Failure('timestamp/unreachable', { expected: 'an answer', got, where, cause });
}

function unusable(where: string, expected: string, got: string, cause?: unknown): Failure {
  return new Failure('timestamp/answer', { expected, got, where, ...(cause === undefined ? {} : { cause }) });
}
