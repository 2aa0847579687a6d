// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash, randomBytes } from 'node:crypto';
import type { Identity, SessionBook, SessionFacts } from '../authenticator.ts';
import { sessionOf } from './provider.ts';

const TOKEN_BYTES = 32;
const MOST_SESSIONS = 10_000;

interface Session {
  readonly identity: Identity;
  readonly sinceMs: number;
  seenMs: number;
}

export interface SessionLimits {
  readonly idleMs: number;
  readonly longestMs: number;
}

/** Sign-ons of people, in memory: a restart ends them all. What a browser holds is a random word; only its hash is here. */
export class Sessions implements SessionBook {
  readonly #limits: SessionLimits;
  readonly #clock: () => number;
  readonly #sessions = new Map<string, Session>();

  constructor(limits: SessionLimits, clock: () => number) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Begins one; `token` is for the browser's cookie and nobody else. Null where there are more than anybody could mean. */
  begin(known: Omit<Identity, 'session' | 'proof'>): { readonly token: string; readonly identity: Identity } | null {
    const nowMs = this.#clock();
    for (const [hash, session] of this.#sessions) if (!this.#isGood(session, nowMs)) this.#sessions.delete(hash);
    if (this.#sessions.size >= MOST_SESSIONS) return null;
    const token = randomBytes(TOKEN_BYTES).toString('base64url');
    const proof = randomBytes(TOKEN_BYTES).toString('base64url');
    const identity = { ...known, session: sessionOf(token), proof };
    this.#sessions.set(hashOf(token), { identity, sinceMs: nowMs, seenMs: nowMs });
    return { token, identity };
  }

  /** Found by the hash, so that the time it takes tells nothing of the token. */
  find(token: string): Identity | null {
    const hash = hashOf(token);
    const session = this.#sessions.get(hash);
    const nowMs = this.#clock();
    if (session === undefined) return null;
    if (!this.#isGood(session, nowMs)) {
      this.#sessions.delete(hash);
      return null;
    }
    session.seenMs = nowMs;
    return session.identity;
  }

  list(): SessionFacts[] {
    const nowMs = this.#clock();
    return [...this.#sessions.values()]
      .filter((one) => this.#isGood(one, nowMs))
      .map(({ identity: { session, user }, sinceMs, seenMs }) => ({ session, user, sinceMs, seenMs }));
  }

  end(session: string): boolean {
    for (const [hash, { identity }] of this.#sessions)
      if (identity.session === session) return this.#sessions.delete(hash);
    return false;
  }

  #isGood({ sinceMs, seenMs }: Session, nowMs: number): boolean {
    const { idleMs, longestMs } = this.#limits;
    return nowMs - seenMs < idleMs && nowMs - sinceMs < longestMs;
  }
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
