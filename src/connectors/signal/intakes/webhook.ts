// SPDX-License-Identifier: AGPL-3.0-or-later
import type { AddressInfo } from 'node:net';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { codeOf, Failure, isFailure } from '../../../base/failure.ts';
import type { ConnectorEvents } from '../../connector.ts';
import type { AccountLane } from '../lane.ts';
import { gapCapture } from '../own-records.ts';
import { readRpcLine, type RpcLine } from './rpc-line.ts';

export interface WebhookOptions {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly mostBodyBytes: number;
}

export interface WebhookParts {
  readonly options: WebhookOptions;
  readonly lanes: ReadonlyMap<string, AccountLane>;
  readonly clock: () => number;
  readonly events: ConnectorEvents;
}

const OK = 200;
const EMPTY_BODY = 400;
const NOT_STORED = 500;

/**
 * The receiver of RECEIVE_WEBHOOK_URL. The REST process posts each message once, reads nothing else meanwhile, and forgets it
 * whatever the answer is: so 200 means "on this disk", and while the spool is full the request is held, not refused.
 */
export class WebhookIntake {
  readonly #parts: WebhookParts;
  readonly #server: FastifyInstance;

  constructor(parts: WebhookParts) {
    this.#parts = parts;
    const { path, mostBodyBytes } = parts.options;
    // No request may time out here: holding it is how the back end is slowed down.
    this.#server = Fastify({
      bodyLimit: mostBodyBytes,
      requestTimeout: 0,
      connectionTimeout: 0,
      forceCloseConnections: 'idle',
    });
    // Whatever a body calls itself, it is kept.
    this.#server.addHook('onRequest', (request, _reply, done) => {
      request.raw.headers['content-type'] = 'application/octet-stream';
      done();
    });
    this.#server.removeAllContentTypeParsers();
    this.#server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
    this.#server.post(path, (request, reply) => this.#receive(request, reply));
    this.#server.setNotFoundHandler((request, reply) => this.#elsewhere(request, reply));
    this.#server.setErrorHandler((error, _request, reply) => this.#failed(error, reply));
  }

  /** Resolves once requests are taken. Throws `signal/listen`. */
  async listen(): Promise<number> {
    const { host, port } = this.#parts.options;
    await this.#server.listen({ host, port }).catch((error: unknown) => {
      const fix = 'free the port, or change signal.*.webhook';
      throw new Failure('signal/listen', {
        expected: 'a free port for the webhook',
        got: codeOf(error),
        where: String(port),
        fix,
      });
    });
    return (this.#server.server.address() as AddressInfo).port;
  }

  /** Takes nothing more; requests under way are answered. */
  async close(): Promise<void> {
    await this.#server.close();
  }

  async #receive(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const { body } = request;
    if (!(body instanceof Uint8Array) || body.length === 0) return reply.code(EMPTY_BODY).send();
    const line = readRpcLine(body);
    const lane = this.#laneOf(line);
    if (lane === null) return reply.code(NOT_STORED).send();
    const { raw, unknown } = line;
    await lane.submit({ frames: [{ raw, via: 'webhook', ...(unknown === null ? {} : { unknown }) }] });
    if (unknown !== null) lane.alarm('malformed');
    return reply.code(OK).send();
  }

  /** The account that a body belongs to. What names none belongs to the only account there is, if there is only one. */
  #laneOf({ account }: RpcLine): AccountLane | null {
    const { lanes, events } = this.#parts;
    if (account !== null) {
      const lane = lanes.get(account) ?? null;
      // A refusal is logged upstream too: a message for an account that nobody archives must not look like success.
      if (lane === null) events.alarm(null, 'unknown-account');
      return lane;
    }
    const [only] = lanes.values();
    if (only !== undefined && lanes.size === 1) return only;
    events.alarm(null, 'unattributed');
    return null;
  }

  async #elsewhere(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    if (request.method === 'POST') this.#parts.events.alarm(null, 'webhook-path');
    return reply.code(404).send();
  }

  async #failed(error: unknown, reply: FastifyReply): Promise<FastifyReply> {
    const status = (error as { statusCode?: number }).statusCode ?? NOT_STORED;
    if (status === 413) await this.#oversized();
    else if (!isFailure(error, 'fatal')) this.#parts.events.trouble('webhook', error);
    // The framework's own answer would quote the error.
    return reply.code(status).send();
  }

  /** Too long to be read, so nobody knows whose it was: a gap for each account it may belong to. */
  async #oversized(): Promise<void> {
    const { lanes, clock } = this.#parts;
    const about = { cause: 'oversized', scope: 'account', state: 'final', count: 1 } as const;
    const detail = lanes.size === 1 ? 'webhook' : 'webhook, of one of several accounts';
    for (const lane of lanes.values()) {
      await lane.submit({ captures: [gapCapture(lane.account, clock(), { ...about, detail })] });
      lane.alarm('oversized');
    }
  }
}
