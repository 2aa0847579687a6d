// SPDX-License-Identifier: AGPL-3.0-or-later
import { timingSafeEqual } from 'node:crypto';
import { Readable } from 'node:stream';
import type { AddressInfo } from 'node:net';
import Fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerOptions,
} from 'fastify';
import type { Audit } from '../access/audit.ts';
import type { Deed } from '../access/act.ts';
import { codeOf, Failure } from '../base/failure.ts';
import { PROOF_HEADER, type Authenticator, type Identity } from './authenticator.ts';
import { Denials } from './denials.ts';
import { documentOf, PREFIX } from './document.ts';
import {
  assertNamed,
  assertNavigates,
  assertOwn,
  BY_TLS,
  loopbackOrigins,
  SAFE_HEADERS,
  type Origins,
} from './gate.ts';
import { isPermission, type Permission } from '../base/permission.ts';
import { forbidden, forged, noRoute, refusalOf, tooSlow, unauthenticated } from './refusal.ts';
import type { Answer, Route, RouteParts } from './route.ts';
import { OPEN_PATHS, registerSignOn, type Greeter } from './sign-on/pages.ts';
import type { SignOn } from './sign-on/sign-on.ts';

const MAX_BODY_BYTES = 65_536;
/** For a whole request to arrive, for a silent client, and for an answer to be found. */
const REQUEST_MS = 15_000;
const SILENCE_MS = 60_000;
const ANSWER_MS = 60_000;
const KEPT_OPEN_MS = 10_000;
const MOST_CONNECTIONS = 512;
/** Sessions that are remembered as recorded; beyond, beginnings are recorded again. */
const MOST_GREETED = 50_000;

export interface WebServerParts extends Omit<RouteParts, 'document'> {
  readonly audit: Audit;
  readonly authenticator: Authenticator;
  /** Null where the authenticator needs no pages to sign on. */
  readonly signOn: SignOn | null;
  /** What browsers call this server; null for this machine's own names at the port. */
  readonly address: string | null;
  /** PEM; null for plain HTTP, which is for this machine only. */
  readonly tls: { readonly cert: string; readonly key: string } | null;
  readonly routes: readonly Route[];
  readonly clock: () => number;
  /** How long an answer may be looked for; sending it may take longer. A minute if left out. */
  readonly answerMs?: number;
  /** Told of what went wrong inside, by its code. */
  readonly onTrouble: (code: string) => void;
}

/**
 * The reader's HTTP API. A request goes through, in this order: is it of this server's own, who is it, may they; then the route's form;
 * then the answer is found; then what is about to be shown is recorded; then it is sent. Whatever fails, nothing behind it happens.
 */
export class WebServer implements AsyncDisposable {
  readonly #parts: WebServerParts;
  readonly #routeParts: RouteParts;
  readonly #server: FastifyInstance;
  readonly #denials: Denials;
  readonly #identities = new WeakMap<FastifyRequest, Identity>();
  /** Sessions whose beginning is recorded. */
  readonly #greeted = new Set<string>();
  #origins: Origins = new Set();
  readonly #headers: Readonly<Record<string, string>>;

  constructor(parts: WebServerParts) {
    this.#parts = parts;
    const { index, files, exports, holds, sessions, version, routes, tls } = parts;
    this.#routeParts = { index, files, exports, holds, sessions, version, document: documentOf(routes, version) };
    this.#headers = { ...SAFE_HEADERS, ...(parts.address?.startsWith('https:') === true ? BY_TLS : {}) };
    this.#denials = new Denials(parts.audit, parts.clock);
    const options: FastifyServerOptions = {
      bodyLimit: MAX_BODY_BYTES,
      requestTimeout: REQUEST_MS,
      connectionTimeout: SILENCE_MS,
      keepAliveTimeout: KEPT_OPEN_MS,
      exposeHeadRoutes: false,
      forceCloseConnections: true,
      // The framework's own answers quote what was asked.
      frameworkErrors: (error, _request, reply) => void this.#refuse(error, reply as FastifyReply),
      clientErrorHandler: (_error, socket) => void socket.destroy(),
    };
    const secured = tls === null ? options : { ...options, https: { ...tls, minVersion: 'TLSv1.2' } };
    this.#server = Fastify(secured as FastifyServerOptions);
    this.#server.server.maxConnections = MOST_CONNECTIONS;
    this.#server.removeContentTypeParser('text/plain');
    // Default deny: what names no permission cannot even be registered.
    this.#server.addHook('onRoute', ({ config, url }) => {
      if (!OPEN_PATHS.has(url) && !isPermission((config as { permission?: unknown } | undefined)?.permission))
        throw new RangeError(`a permission of ${url}`);
    });
    this.#server.addHook('onRequest', (request, reply) => this.#admit(request, reply));
    this.#server.setErrorHandler((error, request, reply) => this.#failed(error, request, reply));
    this.#server.setNotFoundHandler((_request, reply) => this.#refuse(noRoute(), reply));
    for (const one of routes) this.register(one);
    if (parts.signOn !== null) registerSignOn(this.#server, parts.signOn, this.#greeter(parts));
  }

  /** Adds a way in. Throws for a route without a permission that exists. */
  register(one: Route): void {
    const { method, path, permission, isLimited = false, mostBytes = MAX_BODY_BYTES } = one;
    this.#server.route({
      method,
      bodyLimit: mostBytes,
      url: PREFIX + path,
      config: { permission, isLimited },
      handler: (request, reply) => this.#answer(one, request, reply),
    });
  }

  /** Resolves to the port once requests are taken. Throws `web/listen`. */
  async listen(host: string, port: number): Promise<number> {
    // Not before the port is known is anything taken for this server's own.
    await this.#server.listen({ host, port }).catch((cause: unknown) => {
      const fix = 'free the port, or name another one: `reader.web.port`';
      throw new Failure('web/listen', {
        expected: 'a free port',
        got: codeOf(cause),
        where: `${host}:${port}`,
        fix,
        cause,
      });
    });
    const { port: taken } = this.#server.server.address() as AddressInfo;
    const { address } = this.#parts;
    this.#origins = address === null ? loopbackOrigins(taken) : new Set([address]);
    return taken;
  }

  async #admit(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    reply.headers(this.#headers);
    if (OPEN_PATHS.has(request.routeOptions.url ?? '')) {
      assertNamed(request.headers, this.#origins);
      return assertNavigates(request.headers);
    }
    assertOwn(request.headers, this.#origins);
    if (request.is404) return;
    const { permission, isLimited } = request.routeOptions.config as unknown as RouteConfig;
    const identity = await this.#parts.authenticator.authenticate(request.headers);
    if (identity === null) throw unauthenticated();
    this.#identities.set(request, identity);
    if (!identity.permissions.has(permission)) throw forbidden(permission);
    // Default deny: what does not heed the limit is not for those who have one.
    if (identity.matters !== null && !isLimited) throw forbidden(permission);
    const isProven = identity.proof === null || isSame(request.headers[PROOF_HEADER], identity.proof);
    if (request.method !== 'GET' && !isProven) throw forged();
  }

  async #answer(one: Route, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const identity = this.#identities.get(request);
    if (identity === undefined) throw unauthenticated();
    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort());
    const answerMs = this.#parts.answerMs ?? ANSWER_MS;
    const late = AbortSignal.timeout(answerMs);
    const signal = AbortSignal.any([gone.signal, late]);
    const { params, query, body, headers } = request;
    const ifRange = headers['if-range'];
    const range = { range: headers.range ?? null, ifRange: typeof ifRange === 'string' ? ifRange : null };
    let answer: Answer<unknown>;
    try {
      answer = await one.answer({ params, query, body }, { identity, range, signal }, this.#routeParts);
    } catch (error) {
      throw late.aborted && !gone.signal.aborted ? tooSlow(answerMs) : error;
    }
    try {
      if (answer.deeds !== 'nothing-shown') await this.#record(answer.deeds, identity);
    } catch (error) {
      if ('bytes' in answer) await answer.letGo?.();
      throw error;
    }
    // What is sent to nobody is never begun, and so nothing closes it.
    if (gone.signal.aborted && 'bytes' in answer) await answer.letGo?.();
    if ('bytes' in answer)
      return reply
        .code(answer.status ?? 200)
        .headers(answer.headers)
        .send(Readable.from(answer.bytes, { objectMode: false }));
    const told = 'done' in answer ? await answer.done() : answer.body;
    // A string goes out as it is: what it holds is the route's word, and no serializer leaves members out.
    return reply.type('application/json; charset=utf-8').send(JSON.stringify(told));
  }

  async #record(deeds: readonly Deed[], { user, session }: Identity): Promise<void> {
    const isNew = !this.#greeted.has(session);
    const all: readonly Deed[] = isNew ? [{ act: 'login' }, ...deeds] : deeds;
    await this.#parts.audit.record(all, { user, session, via: 'web' });
    if (this.#greeted.size >= MOST_GREETED) this.#greeted.clear();
    this.#greeted.add(session);
  }

  /** A sign-on is in the record before the browser has the cookie. */
  #greeter({ sessions }: WebServerParts): Greeter {
    return async (identity) => {
      try {
        await this.#record([], identity);
      } catch (error) {
        sessions.end(identity.session);
        throw error;
      }
    };
  }

  async #failed(error: unknown, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const { status, body } = refusalOf(error);
    const identity = this.#identities.get(request) ?? null;
    if (status >= 500 && body.error.code !== 'search/given-up') this.#parts.onTrouble(body.error.code);
    if (!body.error.code.startsWith('access/')) {
      const what = `${request.method} ${request.routeOptions.url ?? '/'}`;
      await this.#denials.record(what, body.error.code, status, identity);
    }
    return this.#refuse(error, reply);
  }

  async #refuse(error: unknown, reply: FastifyReply): Promise<FastifyReply> {
    const { status, body } = refusalOf(error);
    if (status === 503) reply.header('retry-after', '5');
    if (status === 401) reply.header('www-authenticate', 'Bearer');
    return reply.headers(this.#headers).code(status).type('application/json; charset=utf-8').send(JSON.stringify(body));
  }

  /** Takes nothing more; what is under way is cut off. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.close();
  }
}

interface RouteConfig {
  readonly permission: Permission;
  readonly isLimited: boolean;
}

function isSame(given: string | string[] | undefined, wanted: string): boolean {
  if (typeof given !== 'string') return false;
  const [own, expected] = [Buffer.from(given), Buffer.from(wanted)];
  return own.length === expected.length && timingSafeEqual(own, expected);
}
