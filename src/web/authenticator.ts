// SPDX-License-Identifier: AGPL-3.0-or-later
import type { IncomingHttpHeaders } from 'node:http';
import type { Permission } from './permission.ts';

/** Who asks, as it stands in the record of what was looked at. */
export interface Identity {
  readonly user: string;
  /** One sign-on of theirs: 32 lower-case hex digits. */
  readonly session: string;
  readonly permissions: ReadonlySet<Permission>;
}

/**
 * Tells who a request comes from.
 *
 * `authenticate` MUST resolve to null for whoever it does not know, and MUST NOT throw for anything a request holds. How long it takes
 * MUST NOT tell how much of a credential was right. It MUST NOT take a credential from the address of a request: addresses are kept.
 * Routes never look at credentials: another way to sign on is another implementation of this, and nothing else.
 */
export interface Authenticator {
  authenticate(headers: IncomingHttpHeaders): Promise<Identity | null>;
}
