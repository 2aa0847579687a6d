// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';
import { createRemoteJWKSet, customFetch as joseFetch, jwtVerify, type JWTVerifyGetKey } from 'jose';
import * as oidc from 'openid-client';
import { codeOf, Failure } from '../../base/failure.ts';
import { plainLine } from '../../search/plain-text.ts';
import type { Identity } from '../authenticator.ts';
import { grantedTo, groupsIn, type Grant } from '../roles.ts';
import { providerFetch } from './provider-fetch.ts';

export interface ProviderSettings {
  readonly issuer: string;
  readonly client: string;
  readonly secret: string | null;
  /** PEM; null for the system's authorities. */
  readonly ca: string | null;
  /** Of access tokens; null where programs may not ask. */
  readonly audience: string | null;
  readonly userClaim: string;
  readonly groupsClaim: string;
  readonly scopes: readonly string[];
  readonly grants: readonly Grant[];
}

/** What a sign-on that has begun must come back with. */
export interface Begun {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
}

type Claims = Readonly<Record<string, unknown>>;
type Known = Omit<Identity, 'session' | 'proof'>;

/** What its metadata says. */
interface Found {
  readonly client: oidc.Configuration;
  readonly keys: JWTVerifyGetKey;
}

/** None that a shared secret makes, and none that anybody makes. */
const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'Ed25519',
  'EdDSA',
];
const CLOCKS_DIFFER_SECONDS = 30;
const MOST_USER = 400;
/** Codes of jose that are about a token; any other one is about asking for the keys. */
const OF_THE_TOKEN =
  /^ERR_(?:JWT_|JWS_|JWK_INVALID|JWKS_NO_MATCHING_KEY|JWKS_MULTIPLE_MATCHING_KEYS|JOSE_ALG_NOT_ALLOWED|JOSE_NOT_SUPPORTED)/;
const PROVIDERS_TROUBLE = new Set([
  'OAUTH_TIMEOUT',
  'OAUTH_ABORT',
  'OAUTH_PARSE_ERROR',
  'OAUTH_RESPONSE_IS_NOT_CONFORM',
  'OAUTH_HTTP_REQUEST_FORBIDDEN',
]);

/** The agency's OpenID Connect provider: who signs on, and whose access token it is. Asked for its metadata when first needed. */
export class Provider {
  readonly #settings: ProviderSettings;
  readonly #fetch: ReturnType<typeof providerFetch>;
  #found: Promise<Found> | null = null;

  constructor(settings: ProviderSettings) {
    this.#settings = settings;
    this.#fetch = providerFetch(settings.ca);
  }

  /** Where a browser goes to sign on. Throws `web/provider`. */
  async begin(callback: string): Promise<{ readonly url: URL; readonly begun: Begun }> {
    const { client } = await this.#provider();
    const begun = { state: oidc.randomState(), nonce: oidc.randomNonce(), verifier: oidc.randomPKCECodeVerifier() };
    const url = oidc.buildAuthorizationUrl(client, {
      redirect_uri: callback,
      scope: this.#settings.scopes.join(' '),
      state: begun.state,
      nonce: begun.nonce,
      code_challenge: await oidc.calculatePKCECodeChallenge(begun.verifier),
      code_challenge_method: 'S256',
    });
    return { url, begun };
  }

  /** Who came back from there; null for whoever the provider does not vouch for, or who is in no group. Throws `web/provider`. */
  async finish(back: URL, { state, nonce, verifier }: Begun): Promise<Known | null> {
    const { client } = await this.#provider();
    try {
      const tokens = await oidc.authorizationCodeGrant(client, back, {
        expectedState: state,
        expectedNonce: nonce,
        pkceCodeVerifier: verifier,
        idTokenExpected: true,
      });
      return this.#known(tokens.claims() ?? {});
    } catch (error) {
      // What the provider said no to, or said wrongly, is nobody's sign-on; what it could not say is its trouble.
      const code = codeOf(error);
      if (code.startsWith('OAUTH_') && !PROVIDERS_TROUBLE.has(code)) return null;
      throw unreachable(this.#settings.issuer, error);
    }
  }

  /** Whose access token this is; null if it is none of this provider's for this reader. Throws `web/provider`. */
  async bearer(token: string): Promise<Known | null> {
    const { audience, issuer } = this.#settings;
    if (audience === null) return null;
    const { keys } = await this.#provider();
    try {
      const { payload } = await jwtVerify(token, keys, {
        issuer,
        audience,
        algorithms: ALGORITHMS,
        clockTolerance: CLOCKS_DIFFER_SECONDS,
        requiredClaims: ['sub', 'exp'],
      });
      return this.#known(payload);
    } catch (error) {
      if (OF_THE_TOKEN.test(codeOf(error))) return null;
      throw unreachable(issuer, error);
    }
  }

  #known(claims: Claims): Known | null {
    const { userClaim, groupsClaim, grants } = this.#settings;
    const { sub } = claims;
    if (typeof sub !== 'string' || sub === '') return null;
    const granted = grantedTo(groupsIn(claims, groupsClaim), grants);
    return granted === null ? null : { user: userOf(claims[userClaim], sub), ...granted };
  }

  #provider(): Promise<Found> {
    const found = (this.#found ??= this.#discover());
    found.catch(() => {
      if (this.#found === found) this.#found = null;
    });
    return found;
  }

  async #discover(): Promise<Found> {
    const { issuer, client: id, secret } = this.#settings;
    const isOnThisMachine = issuer.startsWith('http:');
    try {
      const client = await oidc.discovery(
        new URL(issuer),
        id,
        {},
        secret === null ? oidc.None() : oidc.ClientSecretBasic(secret),
        {
          [oidc.customFetch]: this.#fetch as oidc.CustomFetch,
          execute: [oidc.enableNonRepudiationChecks, ...(isOnThisMachine ? [oidc.allowInsecureRequests] : [])],
        },
      );
      const { jwks_uri: keys } = client.serverMetadata();
      if (keys === undefined) throw new Error('metadata without keys');
      return {
        client,
        keys: createRemoteJWKSet(new URL(keys), { [joseFetch]: (url, options) => this.#fetch(url, options) }),
      };
    } catch (error) {
      throw unreachable(issuer, error);
    }
  }
}

/** The name people know them by, and the one that the provider never gives to anybody else. */
function userOf(named: unknown, sub: string): string {
  const own = plainLine(sub);
  const text = typeof named === 'string' && named !== '' && named !== sub ? `${plainLine(named)} (${own})` : own;
  // Cut in front: what is certain stands behind.
  return Array.from(text).slice(-MOST_USER).join('').slice(-MOST_USER).toWellFormed();
}

/** One id for all requests with this token, and for none with another. */
export function sessionOf(token: string): string {
  return createHash('sha256').update(`session ${token}`).digest('hex').slice(0, 32);
}

function unreachable(issuer: string, cause: unknown): Failure {
  return new Failure('web/provider', {
    expected: 'an answer of the identity provider',
    got: codeOf(cause),
    where: issuer,
    fix: 'see that it is up, that this machine reaches it, and that `reader.web.signOn.issuer` and `ca` are right',
    cause,
  });
}
