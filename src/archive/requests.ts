// SPDX-License-Identifier: AGPL-3.0-or-later
import { codeOf, Failure } from '../base/failure.ts';
import type { Hex128 } from '../record/entry-types.ts';
import { FormatError } from '../record/format-error.ts';
import { verifyBytes } from '../record/key.ts';
import { mediaKey } from '../record/layout.ts';
import { requestText, type ParsedJob, type Request } from '../queue/job.ts';
import type { AccountHead, Grant, Reply } from '../queue/reply.ts';
import type { GrantQuota } from './grant-quota.ts';
import type { LogState } from './log-state.ts';
import type { Schedules } from './schedule.ts';
import type { ArchiveStore } from './store.ts';

export type ParsedRequest = Exclude<ParsedJob, { kind: 'batch' | 'approved' }>;
type GrantRequest = Extract<ParsedRequest, { kind: 'grant' }>;

/** A request may be this old, or this far ahead of our clock. */
const MOST_SKEW_MS = 15 * 60_000;

export interface RequestParts {
  readonly store: ArchiveStore;
  readonly state: LogState;
  readonly schedules: Schedules;
  readonly quota: GrantQuota;
  readonly clock: () => number;
}

/** Answers what connectors ask for: where accounts stand, and permission to upload. */
export class Requests {
  readonly #parts: RequestParts;

  constructor(parts: RequestParts) {
    this.#parts = parts;
  }

  /**
   * Null for a request that no connector of the manifest signed just now: there is nobody to answer. Never rejects: what the store
   * cannot do now is denied, and asked for again.
   */
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
    const { state, clock } = this.#parts;
    const signer = state.batchSigners.get(request.connector)?.key;
    // A date that is none is no number, and must not pass.
    const isFresh = Math.abs(Date.parse(request.at) - clock()) <= MOST_SKEW_MS;
    if (signer === undefined || !isFresh) return false;
    try {
      return verifyBytes(signer, requestText(bare(request), request.at), Buffer.from(request.sig, 'base64'));
    } catch (error) {
      // Text that has no canonical form was signed by nobody.
      if (error instanceof FormatError) return false;
      throw error;
    }
  }

  #headOf(acct: Hex128): AccountHead {
    const newest = this.#parts.state.newestStreamOf(acct);
    if (newest === undefined) return { acct, gen: 0, head: null };
    const { stream, seq, id, gen } = newest;
    return { acct, gen, head: { stream, seq, id } };
  }

  async #grant({ stream, objects, connector }: GrantRequest): Promise<Grant[]> {
    const { store, schedules, quota, state } = this.#parts;
    const known = state.stream(stream);
    if (known !== undefined && known.key !== connector) {
      throw new Failure('archive/other-key', { expected: 'the key of the stream', got: 'another connector’s' });
    }
    const serverMs = await store.serverTimeMs();
    quota.reserve(connector, stream, objects, serverMs);
    const grants: Grant[] = [];
    for (const { sha256, md5, size, ret } of objects) {
      grants.push(await store.grant(mediaKey(sha256), { sha256, md5, size }, schedules.lockForUpload(ret, serverMs)));
    }
    return grants;
  }
}

/** The members that are signed, and no others that somebody may have added on the way. */
function bare(request: ParsedRequest): Request {
  const { connector } = request;
  if (request.kind === 'heads') return { kind: 'heads', connector, accounts: request.accounts };
  const objects = request.objects.map(({ sha256, md5, size, ret }) => ({ sha256, md5, size, ret }));
  return { kind: 'grant', connector, stream: request.stream, objects };
}
