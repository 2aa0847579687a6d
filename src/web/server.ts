// SPDX-License-Identifier: AGPL-3.0-or-later
import { Readable } from 'node:stream';
import type { AddressInfo } from 'node:net';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Audit } from '../access/audit.ts';
import type { Deed } from '../access/act.ts';
import { codeOf, Failure } from '../base/failure.ts';
import type { Authenticator, Identity } from './authenticator.ts';
import { Denials } from './denials.ts';
import { documentOf, PREFIX } from './document.ts';
import { assertOwn, loopbackHosts, SAFE_HEADERS, type Hosts } from './gate.ts';
import { isPermission, type Permission } from './permission.ts';
import { refusalOf } from './refusal.ts';
import type { Answer, Route, RouteParts } from './route.ts';

const MAX_BODY_BYTES = 65_536;
/** For a whole request to arrive, for a silent client, and for an answer to be found. */
const REQUEST_MS = 15_000;
const SILENCE_MS = 60_000;
const ANSWER_MS = 60_000;
const KEPT_OPEN_MS = 10_000;
const MOST_CONNECTIONS = 512;

export interface WebServerParts extends Omit<RouteParts, 'document'> {
  readonly audit: Audit;
  readonly authenticator: Authenticator;
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
  #hosts: Hosts = new Set();

  constructor(parts: WebServerParts) {
    this.#parts = parts;
    const { index, files, exports, holds, version, routes } = parts;
    this.#routeParts = { index, files, exports, holds, version, document: documentOf(routes, version) };
    this.#denials = new Denials(parts.audit, parts.clock);
    this.#server = Fastify({
      bodyLimit: MAX_BODY_BYTES,
      requestTimeout: REQUEST_MS,
      connectionTimeout: SILENCE_MS,
      keepAliveTimeout: KEPT_OPEN_MS,
      exposeHeadRoutes: false,
      forceCloseConnections: true,
      // The framework's own answers quote what was asked.
      frameworkErrors: (error, _request, reply) => void this.#refuse(error, reply as FastifyReply),
      clientErrorHandler: (_error, socket) => void socket.destroy(),
    });
    this.#server.server.maxConnections = MOST_CONNECTIONS;
    this.#server.removeContentTypeParser('text/plain');
    // Default deny: what names no permission cannot even be registered.
    this.#server.addHook('onRoute', ({ config, url }) => {
      if (!isPermission((config as { permission?: unknown } | undefined)?.permission))
        throw new RangeError(`a permission of ${url}`);
    });
    this.#server.addHook('onRequest', (request, reply) => this.#admit(request, reply));
    this.#server.setErrorHandler((error, request, reply) => this.#failed(error, request, reply));
    this.#server.setNotFoundHandler((_request, reply) => this.#refuse(noRoute(), reply));
    for (const one of routes) this.register(one);
  }

  /** Adds a way in. Throws for a route without a permission that exists. */
  register(one: Route): void {
    const { method, path, permission, mostBytes = MAX_BODY_BYTES } = one;
    this.#server.route({
      method,
      bodyLimit: mostBytes,
      url: PREFIX + path,
      config: { permission },
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
    this.#hosts = loopbackHosts(taken);
    return taken;
  }

  async #admit(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    reply.headers(SAFE_HEADERS);
    assertOwn(request.headers, this.#hosts);
    if (request.is404) return;
    const { permission } = request.routeOptions.config as unknown as { permission: Permission };
    const identity = await this.#parts.authenticator.authenticate(request.headers);
    if (identity === null) throw unauthenticated();
    this.#identities.set(request, identity);
    if (!identity.permissions.has(permission)) throw forbidden(permission);
  }

  async #answer(one: Route, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const identity = this.#identities.get(request);
    if (identity === undefined) throw unauthenticated();
    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort());
    const late = AbortSignal.timeout(this.#parts.answerMs ?? ANSWER_MS);
    const signal = AbortSignal.any([gone.signal, late]);
    const { params, query, body } = request;
    let answer: Answer<unknown>;
    try {
      answer = await one.answer({ params, query, body }, { identity, signal }, this.#routeParts);
    } catch (error) {
      throw late.aborted && !gone.signal.aborted ? tooSlow() : error;
    }
    if (answer.deeds !== 'nothing-shown') await this.#record(answer.deeds, identity);
    if ('bytes' in answer)
      return reply.headers(answer.headers).send(Readable.from(answer.bytes, { objectMode: false }));
    const told = 'done' in answer ? await answer.done() : answer.body;
    // A string goes out as it is: what it holds is the route's word, and no serializer leaves members out.
    return reply.type('application/json; charset=utf-8').send(JSON.stringify(told));
  }

  async #record(deeds: readonly Deed[], { user, session }: Identity): Promise<void> {
    const isNew = !this.#greeted.has(session);
    const all: readonly Deed[] = isNew ? [{ act: 'login' }, ...deeds] : deeds;
    await this.#parts.audit.record(all, { user, session, via: 'web' });
    this.#greeted.add(session);
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
    return reply.headers(SAFE_HEADERS).code(status).type('application/json; charset=utf-8').send(JSON.stringify(body));
  }

  /** Takes nothing more; what is under way is cut off. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.close();
  }
}

function unauthenticated(): Failure {
  return new Failure('web/unauthenticated', {
    expected: '`Authorization: Bearer` and the token',
    got: 'nobody known',
    fix: 'take the token from the file that `holdfast read --serve` names',
  });
}

function forbidden(permission: Permission): Failure {
  return new Failure('web/forbidden', { expected: `the permission \`${permission}\``, got: 'somebody without it' });
}

function noRoute(): Failure {
  return new Failure('web/no-route', {
    expected: 'an address of the API',
    got: 'another one',
    fix: 'see /api/v1/openapi.json',
  });
}

function tooSlow(): Failure {
  return new Failure('web/too-slow', {
    expected: `an answer within ${ANSWER_MS / 1000} s`,
    got: 'none yet',
    fix: 'ask for less: a shorter time, or more words',
  });
}
