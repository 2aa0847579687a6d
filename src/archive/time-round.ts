// SPDX-License-Identifier: AGPL-3.0-or-later
import { randomBytes, type X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { codeOf, Failure } from '../base/failure.ts';
import { sha256Hex } from '../record/hash.ts';
import { timeStampKey, timeStampPrefix } from '../record/layout.ts';
import { encodeTimeStamp, parseTimeStamp, type StoredTimeStamp } from '../record/time-stamp.ts';
import { timeStampJudge } from '../timestamp/judge.ts';
import { isAnswerTo, timeStampRequest, tokenOf } from '../timestamp/request.ts';
import { openToken } from '../timestamp/token.ts';
import type { ArchivedLog } from './archiver.ts';
import type { Round, SignedLog } from './rounds.ts';

export interface TimeAuthority {
  readonly url: string;
  /** Its root, and what stands between that and its signer. */
  readonly certificates: readonly X509Certificate[];
  /** Where its revocation lists are: http(s) or file. */
  readonly crls: readonly string[];
}

export interface TimeRoundParts {
  readonly log: ArchivedLog;
  readonly authority: TimeAuthority;
  readonly everyMs: number;
  readonly clock: () => number;
}

const ANSWER_MS = 20_000;
const MAX_ANSWER_BYTES = 1024 * 1024;
const NONCE_BYTES = 8;
/** How many of the newest kept stamps a start looks at. */
const LAST_KEPT = 8;

/**
 * Has the log's checkpoint stamped by an RFC 3161 authority, in its rhythm and not more often across restarts. What is kept was checked
 * first and holds all that checking takes later: token, chain, revocation lists. A stamp says that the log was as it is before that time.
 *
 * Crash behaviour: a token that was given and not stored is asked for again; nothing depends on it.
 */
export class TimeRound implements Round {
  readonly name = 'time-stamp';
  readonly atStop = false;
  readonly everyMs: number;
  readonly #parts: TimeRoundParts;
  #isFresh: boolean | null = null;

  constructor(parts: TimeRoundParts) {
    this.#parts = parts;
    this.everyMs = parts.everyMs;
  }

  async run(log: SignedLog, signal: AbortSignal): Promise<void> {
    this.#isFresh ??= await this.#hasRecent();
    const isFresh = this.#isFresh;
    this.#isFresh = false;
    if (isFresh) return;
    const { store, origin, schedules } = this.#parts.log;
    const stamp = await this.#stamped(log.checkpoint, signal);
    const bytes = Buffer.from(encodeTimeStamp(stamp));
    const lock = schedules.lockForEvidence(await store.serverTimeMs());
    await store.create(timeStampKey(origin, log.size, sha256Hex(bytes)), bytes, lock);
  }

  async #stamped(checkpoint: string, signal: AbortSignal): Promise<StoredTimeStamp> {
    const { authority } = this.#parts;
    const nonce = randomBytes(NONCE_BYTES);
    const answer = await ask(authority.url, timeStampRequest(Buffer.from(checkpoint), nonce), signal);
    const stamp: StoredTimeStamp = {
      checkpoint,
      token: this.#tokenOf(answer, nonce),
      certificates: authority.certificates.map(({ raw }) => raw),
      crls: await Promise.all(authority.crls.map((url) => fetchCrl(url, signal))),
    };
    const verdict = await timeStampJudge(authority.certificates)(stamp);
    if (!verdict.ok) throw unusable(authority.url, verdict.expected, verdict.got);
    return stamp;
  }

  #tokenOf(answer: Uint8Array, nonce: Uint8Array): Buffer {
    const { url, certificates } = this.#parts.authority;
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

  /** Whether this authority stamped the log within its rhythm already, before this start. */
  async #hasRecent(): Promise<boolean> {
    const { log, authority, everyMs, clock } = this.#parts;
    const keys: string[] = [];
    for await (const { key, deleteMarker } of log.store.listVersions(timeStampPrefix(log.origin))) {
      if (!deleteMarker && key !== keys.at(-1)) keys.push(key);
    }
    for (const key of keys.slice(-LAST_KEPT)) {
      const found = await log.store.read(key);
      const verdict = found === null ? null : await judgeKept(found.bytes, authority);
      if (verdict?.ok === true && clock() - verdict.atMs < everyMs) return true;
    }
    return false;
  }
}

async function judgeKept(
  bytes: Uint8Array,
  { certificates }: TimeAuthority,
): ReturnType<ReturnType<typeof timeStampJudge>> {
  try {
    return await timeStampJudge(certificates)(parseTimeStamp(Buffer.from(bytes).toString('utf8')));
  } catch {
    return { ok: false, check: 'form', expected: 'a time stamp', got: 'other bytes' };
  }
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
