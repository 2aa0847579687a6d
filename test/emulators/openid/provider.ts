// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT, type CryptoKey, type JWK } from 'jose';

export interface Claims {
  readonly sub: string;
  readonly [claim: string]: unknown;
}

/** What a provider that is broken, or that is somebody else, would do. */
export interface Faults {
  /** Claims of the ID token instead of the right ones. */
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly signedBy?: 'another key' | 'nobody';
  readonly withoutIdToken?: boolean;
  /** The token endpoint answers with this status. */
  readonly status?: number;
}

interface Code {
  readonly challenge: string;
  readonly nonce: string;
  readonly redirect: string;
}

const LIFE_SECONDS = 300;

/**
 * An OpenID Connect provider as the wire shows it: discovery, keys, code flow with PKCE and client secret, ID tokens. Whoever comes to
 * its page is signed on at once, as `person`.
 */
export class OpenIdProvider implements AsyncDisposable {
  readonly client = 'holdfast-reader';
  readonly secret = 'the secret: of/the+client %';
  readonly audience = 'holdfast-api';
  person: Claims = { sub: 'u-1', preferred_username: 'ines', groups: ['readers'] };
  faults: Faults = {};
  /** False: nobody is vouched for. */
  consents = true;
  asked: string[] = [];
  issuer = '';
  readonly #codes = new Map<string, Code>();
  #server!: Server;
  #key!: CryptoKey;
  #otherKey!: CryptoKey;
  #published!: JWK;

  static async start(tls: { readonly cert: string; readonly key: string } | null = null): Promise<OpenIdProvider> {
    const provider = new OpenIdProvider();
    const own = await generateKeyPair('RS256', { extractable: true });
    provider.#key = own.privateKey;
    provider.#otherKey = (await generateKeyPair('RS256')).privateKey;
    provider.#published = { ...(await exportJWK(own.publicKey)), kid: 'k1', alg: 'RS256', use: 'sig' };
    const answer = (request: IncomingMessage, response: ServerResponse): void => {
      provider.#answer(request, response).catch(() => response.writeHead(500).end());
    };
    provider.#server = tls === null ? createServer(answer) : createTlsServer(tls, answer);
    await new Promise<void>((resolve) => provider.#server.listen(0, '127.0.0.1', resolve));
    const { port } = provider.#server.address() as AddressInfo;
    provider.issuer = `${tls === null ? 'http' : 'https'}://127.0.0.1:${port}`;
    return provider;
  }

  /** An access token as a program gets one, with these claims in the place of the usual ones. */
  async accessToken(claims: Readonly<Record<string, unknown>> = {}, by?: Faults['signedBy']): Promise<string> {
    return await this.#signed(
      { ...this.person, aud: this.audience, jti: randomBytes(8).toString('hex'), ...claims },
      by,
    );
  }

  async #signed(claims: Readonly<Record<string, unknown>>, by: Faults['signedBy']): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    const all = { iss: this.issuer, iat: now, exp: now + LIFE_SECONDS, ...claims };
    if (by === 'nobody') return new UnsecuredJWT(all).encode();
    const key = by === 'another key' ? this.#otherKey : this.#key;
    return await new SignJWT(all).setProtectedHeader({ alg: 'RS256', kid: 'k1', typ: 'JWT' }).sign(key);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.issuer);
    this.asked.push(`${request.method ?? ''} ${url.pathname}`);
    switch (`${request.method ?? ''} ${url.pathname}`) {
      case 'GET /.well-known/openid-configuration':
        return sendJson(response, 200, this.#metadata());
      case 'GET /keys':
        return sendJson(response, 200, { keys: [this.#published] });
      case 'GET /authorize':
        return this.#authorize(url.searchParams, response);
      case 'POST /token':
        return this.#token(request, new URLSearchParams(await text(request)), response);
      default:
        response.writeHead(404).end();
    }
  }

  #metadata(): object {
    const at = (path: string): string => this.issuer + path;
    return {
      issuer: this.issuer,
      authorization_endpoint: at('/authorize'),
      token_endpoint: at('/token'),
      jwks_uri: at('/keys'),
      response_types_supported: ['code'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256'],
      code_challenge_methods_supported: ['S256'],
      token_endpoint_auth_methods_supported: ['client_secret_basic'],
      authorization_response_iss_parameter_supported: true,
    };
  }

  #authorize(asked: URLSearchParams, response: ServerResponse): void {
    const value = (name: string): string => asked.get(name) ?? '';
    const isRight =
      value('response_type') === 'code' &&
      value('client_id') === this.client &&
      value('code_challenge_method') === 'S256' &&
      value('scope').split(' ').includes('openid');
    if (!isRight) return void response.writeHead(400).end();
    const back = new URL(value('redirect_uri'));
    back.searchParams.set('state', value('state'));
    back.searchParams.set('iss', this.issuer);
    if (this.consents) {
      const code = randomBytes(16).toString('hex');
      this.#codes.set(code, {
        challenge: value('code_challenge'),
        nonce: value('nonce'),
        redirect: value('redirect_uri'),
      });
      back.searchParams.set('code', code);
    } else back.searchParams.set('error', 'access_denied');
    response.writeHead(302, { location: back.href }).end();
  }

  async #token(request: IncomingMessage, form: URLSearchParams, response: ServerResponse): Promise<void> {
    const { status, claims, signedBy, withoutIdToken = false } = this.faults;
    if (status !== undefined) return sendJson(response, status, { error: 'server_error' });
    if (!this.#isClient(request.headers.authorization)) return sendJson(response, 401, { error: 'invalid_client' });
    const code = this.#codes.get(form.get('code') ?? '');
    // A code is good once.
    this.#codes.delete(form.get('code') ?? '');
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url');
    const isRight =
      form.get('grant_type') === 'authorization_code' &&
      code?.challenge === challenge &&
      code.redirect === form.get('redirect_uri');
    if (!isRight || code === undefined) return sendJson(response, 400, { error: 'invalid_grant' });
    const own = { ...this.person, aud: this.client, nonce: code.nonce, ...claims };
    const idToken = withoutIdToken ? {} : { id_token: await this.#signed(own, signedBy) };
    sendJson(response, 200, { access_token: 'opaque', token_type: 'Bearer', expires_in: LIFE_SECONDS, ...idToken });
  }

  /** RFC 6749, 2.3.1: both halves as in forms, in which there is more than one way to write a letter. */
  #isClient(authorization: string | undefined): boolean {
    const basic = /^Basic ([A-Za-z0-9+/=]+)$/.exec(authorization ?? '')?.[1] ?? '';
    const halves = Buffer.from(basic, 'base64').toString().split(':');
    const [id, secret] = halves.map((half) => new URLSearchParams(`v=${half}`).get('v'));
    return id === this.client && secret === this.secret;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
