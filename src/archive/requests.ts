// SPDX-License-Identifier: AGPL-3.0-or-later
import { codeOf } from '../base/failure.ts';
import type { Hex128 } from '../record/entry-types.ts';
import { verifyBytes } from '../record/key.ts';
import { mediaKey } from '../record/layout.ts';
import { requestText, type Job, type ParsedJob } from '../queue/job.ts';
import type { Grant, Reply } from '../queue/reply.ts';
import type { LogState } from './log-state.ts';
import type { Schedules } from './schedule.ts';
import type { ArchiveStore } from './store.ts';

export type ParsedRequest = Exclude<ParsedJob, { kind: 'batch' }>;

/** A request may be this old, or this far ahead of our clock. */
const MOST_SKEW_MS = 15 * 60_000;

export interface GrantLimits {
  readonly maxObjectBytes: number;
  /** Bytes granted to one stream and not yet logged: what a broken or stolen connector could lock for nothing. */
  readonly maxOutstandingBytes: number;
}

export const GRANT_LIMITS: GrantLimits = { maxObjectBytes: 4 * 2 ** 30, maxOutstandingBytes: 16 * 2 ** 30 };

export interface RequestParts {
  readonly store: ArchiveStore;
  readonly state: LogState;
  readonly schedules: Schedules;
  readonly limits: GrantLimits;
  readonly clock: () => number;
}

/** Answers what connectors ask for: where accounts stand, and permission to upload. */
export class Requests {
  readonly #parts: RequestParts;
  readonly #outstanding = new Map<Hex128, Map<string, number>>();

  constructor(parts: RequestParts) {
    this.#parts = parts;
  }

  /** Null for a request that no connector of the manifest signed: there is nobody to answer. */
  async answer(request: ParsedRequest): Promise<Reply | null> {
    if (!this.#isAuthentic(request)) return null;
    if (request.kind === 'heads') return { kind: 'heads', heads: request.accounts.map((acct) => this.#headOf(acct)) };
    try {
      return { kind: 'granted', stream: request.stream, grants: await this.#grant(request) };
    } catch (error) {
      return { kind: 'denied', stream: request.stream, code: codeOf(error) };
    }
  }

  #isAuthentic(request: ParsedRequest): boolean {
    const signer = this.#parts.state.batchSigners.get(request.connector);
    if (signer === undefined || Math.abs(Date.parse(request.at) - this.#parts.clock()) > MOST_SKEW_MS) return false;
    const { at, sig, ...rest } = request as Exclude<Job, { kind: 'batch' }>;
    return verifyBytes(signer, requestText(rest, at), Buffer.from(sig, 'base64'));
  }

  #headOf(acct: Hex128): { acct: Hex128; gen: number; head: { stream: Hex128; seq: number; id: string } | null } {
    const newest = this.#parts.state.newestStreamOf(acct);
    if (newest === undefined) return { acct, gen: 0, head: null };
    const { stream, seq, id, gen } = newest;
    return { acct, gen, head: { stream, seq, id } };
  }

  async #grant({ stream, objects, connector }: Extract<ParsedRequest, { kind: 'grant' }>): Promise<Grant[]> {
    const { store, schedules, limits, state } = this.#parts;
    const known = state.stream(stream);
    if (known !== undefined && known.key !== connector) throw new GrantDenied('archive/other-key');
    const held = this.#outstanding.get(stream) ?? new Map<string, number>();
    this.#outstanding.set(stream, held);
    const serverMs = await store.serverTimeMs();
    const grants: Grant[] = [];
    for (const { sha256, md5, size, ret } of objects) {
      held.set(sha256, size);
      const outstanding = held.values().reduce((sum, bytes) => sum + bytes, 0);
      if (size > limits.maxObjectBytes || outstanding > limits.maxOutstandingBytes) {
        held.delete(sha256);
        throw new GrantDenied('archive/grant-limit');
      }
      grants.push(await store.grant(mediaKey(sha256), { sha256, md5, size }, schedules.lockFor(ret, serverMs)));
    }
    return grants;
  }

  /** An object of this stream is in the log: it no longer counts against the limit. */
  logged(stream: Hex128, sha256: string): void {
    this.#outstanding.get(stream)?.delete(sha256);
  }
}

class GrantDenied extends Error {
  readonly code: string;
  constructor(code: string) {
    super(code);
    this.code = code;
  }
}
