// SPDX-License-Identifier: AGPL-3.0-or-later
import type { IncomingHttpHeaders } from 'node:http';
import type { Permission } from '../base/permission.ts';

/** Who asks, as it stands in the record of what was looked at. */
export interface Identity {
  readonly user: string;
  /** One sign-on of theirs: 32 lower-case hex digits. */
  readonly session: string;
  readonly permissions: ReadonlySet<Permission>;
  /** Ids of the matters that they see, and nothing else; null for whoever sees everything. */
  readonly matters: readonly string[] | null;
  /**
   * For credentials that a browser sends by itself: what a request that changes something must carry in {@link PROOF_HEADER}, so that it
   * comes from a page that could read it. Null for credentials that somebody has to put into a request.
   */
  readonly proof: string | null;
}

export const PROOF_HEADER = 'holdfast-proof';

/**
 * Tells who a request comes from.
 *
 * `authenticate` MUST resolve to null for whoever it does not know, and MUST NOT throw for anything a request holds; it MAY reject with
 * `web/provider` while it cannot ask who somebody is. How long it takes MUST NOT tell how much of a credential was right. It MUST NOT
 * take a credential from the address of a request: addresses are kept. An identity by a credential that browsers send by themselves
 * MUST have a proof. The same credential MUST give the same session for as long as it is good, and no other one the same.
 * Routes never look at credentials: another way to sign on is another implementation of this, and nothing else.
 */
export interface Authenticator {
  authenticate(headers: IncomingHttpHeaders): Promise<Identity | null>;
}

/** A sign-on that is in force. */
export interface SessionFacts {
  readonly session: string;
  readonly user: string;
  readonly sinceMs: number;
  readonly seenMs: number;
}

/** Sign-ons in force, for whoever ends their own, or looks after those of all. */
export interface SessionBook {
  list(): readonly SessionFacts[];
  /** False if there is none of that id. */
  end(session: string): boolean;
}

/** Where there is nothing to sign on to. */
export const NO_SESSIONS: SessionBook = { list: () => [], end: () => false };
