// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Audit } from '../access/audit.ts';
import type { Identity } from './authenticator.ts';

const WINDOW_MS = 60_000;
/** Refusals of nobody known that are recorded in a minute: whoever knocks all day must not fill the reader's spool. */
const MOST_UNKNOWN = 10;
const NOBODY = { user: 'nobody known', session: '0'.repeat(32), via: 'web' } as const;

/** Records who was refused what: whoever is not known, may not, or comes from another site. Mistakes in a request are none of that. */
export class Denials {
  readonly #audit: Audit;
  readonly #clock: () => number;
  #since = 0;
  #unknown = 0;

  constructor(audit: Audit, clock: () => number) {
    this.#audit = audit;
    this.#clock = clock;
  }

  /** `what` is the pattern of a route, never what was asked. Never rejects: whoever is refused is refused in any case. */
  async record(what: string, code: string, status: number, identity: Identity | null): Promise<void> {
    if (status !== 401 && status !== 403 && status !== 421) return;
    if (identity === null && !this.#hasRoom()) return;
    const by = identity === null ? NOBODY : { user: identity.user, session: identity.session, via: 'web' as const };
    await this.#audit.record([{ act: 'denial', what, code }], by).catch(() => undefined);
  }

  #hasRoom(): boolean {
    const nowMs = this.#clock();
    if (nowMs - this.#since >= WINDOW_MS) [this.#since, this.#unknown] = [nowMs, 0];
    this.#unknown += 1;
    return this.#unknown <= MOST_UNKNOWN;
  }
}
