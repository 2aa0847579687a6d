// SPDX-License-Identifier: AGPL-3.0-or-later
import { randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { EncryptJWT, jwtDecrypt } from 'jose';
import type { Authenticator, Identity } from '../authenticator.ts';
import { sessionOf, type Begun, type Provider } from './provider.ts';
import type { Sessions } from './sessions.ts';

export const SIGN_ON_PATH = '/sign-on';
export const BACK_PATH = '/sign-on/back';
const BEARER = /^Bearer ([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)$/;
const SESSION_TOKEN = /^[A-Za-z0-9_-]{43}$/;
const MOST_TOKEN = 8192;
const BEGUN_FOR_SECONDS = 600;

/** An answer of the sign-on: where the browser goes, and what it is to keep. */
export interface SignOnStep {
  readonly location: string;
  readonly cookies: readonly string[];
}

export interface SignOnParts {
  readonly provider: Provider;
  readonly sessions: Sessions;
  /** What browsers call this server: `https://host[:port]`. */
  readonly address: string;
}

/**
 * Signing on with OpenID Connect: people by the code flow with PKCE and a cookie, programs by an access token in every request. What a
 * browser has to bring back lies sealed in a cookie of its own, so that whoever only begins leaves nothing here.
 */
export class SignOn implements Authenticator {
  readonly #parts: SignOnParts;
  readonly #key = randomBytes(32);
  readonly #isSecure: boolean;

  constructor(parts: SignOnParts) {
    this.#parts = parts;
    this.#isSecure = parts.address.startsWith('https:');
  }

  async authenticate({ authorization, cookie }: IncomingHttpHeaders): Promise<Identity | null> {
    // One credential a request: of two nobody could say whose it is.
    if (authorization !== undefined) return await this.#bearer(authorization);
    const token = this.#cookieIn(cookie, 'session');
    return token === null || !SESSION_TOKEN.test(token) ? null : this.#parts.sessions.find(token);
  }

  async #bearer(authorization: string): Promise<Identity | null> {
    if (authorization.length > MOST_TOKEN) return null;
    const token = BEARER.exec(authorization)?.[1];
    if (token === undefined) return null;
    const known = await this.#parts.provider.bearer(token);
    return known === null ? null : { ...known, session: sessionOf(token), proof: null };
  }

  /** Sends the browser to the provider. Throws `web/provider`. */
  async begin(): Promise<SignOnStep> {
    const { url, begun } = await this.#parts.provider.begin(this.#parts.address + BACK_PATH);
    const sealed = await new EncryptJWT({ ...begun })
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
      .setExpirationTime(`${BEGUN_FOR_SECONDS}s`)
      .encrypt(this.#key);
    // Lax: the provider's page sends the browser back here, from another site.
    return { location: url.href, cookies: [this.#cookie('begun', sealed, 'Lax', BEGUN_FOR_SECONDS)] };
  }

  /** Who came back; null for whoever did not begin here, is not vouched for, or is in no group. Throws `web/provider`. */
  async finish(
    search: string,
    cookie: string | undefined,
  ): Promise<{ readonly identity: Identity; readonly cookies: readonly string[] } | null> {
    const begun = await this.#begunIn(cookie);
    if (begun === null) return null;
    const known = await this.#parts.provider.finish(new URL(BACK_PATH + search, this.#parts.address), begun);
    const session = known === null ? null : this.#parts.sessions.begin(known);
    if (session === null) return null;
    const { token, identity } = session;
    return { identity, cookies: [this.#cookie('session', token, 'Strict', null), this.#cookie('begun', '', 'Lax', 0)] };
  }

  async #begunIn(cookie: string | undefined): Promise<Begun | null> {
    const sealed = this.#cookieIn(cookie, 'begun');
    if (sealed === null) return null;
    try {
      const { payload } = await jwtDecrypt(sealed, this.#key, {
        keyManagementAlgorithms: ['dir'],
        contentEncryptionAlgorithms: ['A256GCM'],
      });
      return payload as unknown as Begun;
    } catch {
      // Another process's, an old one, or none: whoever it is begins anew.
      return null;
    }
  }

  /** `__Host-`: browsers then take it from this very host, over TLS, and give it to no other. */
  #name(what: 'session' | 'begun'): string {
    return `${this.#isSecure ? '__Host-' : ''}holdfast-${what}`;
  }

  #cookie(what: 'session' | 'begun', value: string, site: 'Strict' | 'Lax', seconds: number | null): string {
    const age = seconds === null ? '' : `; Max-Age=${seconds}`;
    return `${this.#name(what)}=${value}; Path=/; HttpOnly; SameSite=${site}${age}${this.#isSecure ? '; Secure' : ''}`;
  }

  /** Null where there is none, and where there are two: somebody else put one of them there. */
  #cookieIn(header: string | undefined, what: 'session' | 'begun'): string | null {
    const wanted = `${this.#name(what)}=`;
    const found = (header ?? '').split(/; ?/).filter((part) => part.startsWith(wanted));
    const [only] = found;
    return only === undefined || found.length > 1 ? null : only.slice(wanted.length);
  }
}
