// SPDX-License-Identifier: AGPL-3.0-or-later
import type { KeyObject } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import Fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import { codeOf, Failure } from '../base/failure.ts';
import { cosignAs, cosignerKey } from '../record/cosignature.ts';
import { FormatError } from '../record/format-error.ts';
import { sha256Hex } from '../record/hash.ts';
import { signingKeyOf } from '../record/key.ts';
import { signatureLine, type NoteKey, type SignedNote } from '../record/note.ts';
import type { WitnessBook } from './book.ts';
import { judgeAlone, judgeGrowth, type Refusal } from './judge.ts';
import { parseAddCheckpoint, type AddCheckpoint } from '../record/add-checkpoint.ts';

export interface WitnessParts {
  /** Under which it signs; the same as in manifests and policies. */
  readonly name: string;
  readonly key: KeyObject;
  /** Logs that it watches, by the keys it trusts for them. */
  readonly logs: readonly NoteKey[];
  readonly book: WitnessBook;
  readonly clock: () => number;
  readonly events: WitnessEvents;
}

/** What a witness tells its operator: sizes and codes. */
export interface WitnessEvents {
  cosigned(size: number): void;
  /** `reason`: a code, or `conflict` for an old size that is not the last one. Statuses 403 and 422 may be proof of a forged history. */
  refused(status: number, reason: string): void;
}

const MAX_BODY_BYTES = 256 * 1024;
const MS = 1000;

/**
 * A C2SP tlog-witness: cosigns a log's checkpoint if the log has only grown since the last one it cosigned. It says nothing about what
 * the log holds, and needs nothing but its key, its database and the logs' public keys.
 *
 * Crash behaviour: what it cosigned is on the disk before it answers, so it never cosigns two histories, whenever it is killed.
 */
export class WitnessServer {
  readonly #parts: WitnessParts;
  readonly #key: NoteKey;
  readonly #logs: ReadonlyMap<string, NoteKey>;
  readonly #byHash: ReadonlyMap<string, NoteKey>;
  readonly #server: FastifyInstance;

  constructor(parts: WitnessParts) {
    this.#parts = parts;
    // A name that no note could carry is refused now, not at the first request.
    this.#key = cosignerKey(parts.name, signingKeyOf(parts.key));
    this.#logs = new Map(parts.logs.map((log) => [log.name, log]));
    this.#byHash = new Map(parts.logs.map((log) => [sha256Hex(log.name), log]));
    this.#server = Fastify({ bodyLimit: MAX_BODY_BYTES, forceCloseConnections: 'idle' });
    this.#server.removeAllContentTypeParsers();
    this.#server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
    this.#server.post('/add-checkpoint', (request, reply) => this.#addCheckpoint(request.body, reply));
    this.#server.get<{ Params: { hash: string } }>('/:hash/checkpoint', (request, reply) =>
      this.#checkpoint(request.params.hash, reply),
    );
    this.#server.setErrorHandler((error, _request, reply) => this.#failed(error, reply));
  }

  /** Resolves with the port once requests are taken. Throws `witness/listen`. */
  async listen(host: string, port: number): Promise<number> {
    await this.#server.listen({ host, port }).catch((cause: unknown) => {
      throw new Failure('witness/listen', {
        expected: 'a free port',
        got: codeOf(cause),
        where: `${host}:${port}`,
        fix: 'free it, or choose another with --listen',
        cause,
      });
    });
    return (this.#server.server.address() as AddressInfo).port;
  }

  /** Answers a request for a cosignature without a network, in the same way. */
  async ask(body: string): Promise<{ status: number; text: string }> {
    const { statusCode, payload } = await this.#server.inject({
      method: 'POST',
      url: '/add-checkpoint',
      payload: body,
    });
    return { status: statusCode, text: payload };
  }

  /** Takes nothing more; requests under way are answered. */
  async close(): Promise<void> {
    await this.#server.close();
  }

  async #addCheckpoint(body: unknown, reply: FastifyReply): Promise<FastifyReply> {
    let request: AddCheckpoint;
    try {
      request = parseAddCheckpoint(body instanceof Uint8Array ? body : Buffer.alloc(0));
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      return this.#refuse({ status: 400, reason: error.code }, reply);
    }
    const log = this.#logs.get(request.checkpoint.origin);
    if (log === undefined) return this.#plain(reply, 404, 'unknown log\n', 'unknown-log');
    const note = judgeAlone(request, log);
    if ('status' in note) return this.#refuse(note, reply);
    const outcome = await this.#cosign(request, note, log);
    if (typeof outcome !== 'string') return this.#refuse(outcome, reply);
    this.#parts.events.cosigned(request.checkpoint.size);
    return reply.code(200).type('text/plain; charset=utf-8').send(outcome);
  }

  /** The cosignature's line once it is durable, or why there is none. */
  #cosign(request: AddCheckpoint, note: SignedNote, log: NoteKey): Promise<string | Refusal> {
    const { book, key, clock } = this.#parts;
    const { checkpoint } = request;
    return book.transact((page) => {
      const refusal = judgeGrowth(request, page.last(log.name));
      if (refusal !== null) return refusal;
      const line = cosignAs(this.#key, note.text, key, Math.floor(clock() / MS));
      const own = note.signatures.find((signed) => signed.name === log.name && signed.hash.equals(log.hash));
      const logLine = own === undefined ? '' : signatureLine(log, own.signature);
      page.remember(log.name, checkpoint, `${note.text}\n${logLine}${line}`);
      return line;
    });
  }

  #refuse(refusal: Refusal, reply: FastifyReply): FastifyReply {
    if (refusal.status === 409) {
      this.#parts.events.refused(409, 'conflict');
      return reply.code(409).header('content-type', 'text/x.tlog.size').send(`${refusal.size}\n`);
    }
    return this.#plain(reply, refusal.status, `${WORDS[refusal.status]}: ${refusal.reason}\n`, refusal.reason);
  }

  #plain(reply: FastifyReply, status: number, text: string, reason: string): FastifyReply {
    this.#parts.events.refused(status, reason);
    return reply.code(status).type('text/plain; charset=utf-8').send(text);
  }

  async #checkpoint(hash: string, reply: FastifyReply): Promise<FastifyReply> {
    const log = this.#byHash.get(hash);
    const note = log === undefined ? null : this.#parts.book.note(log.name);
    if (note === null) return reply.code(404).type('text/plain; charset=utf-8').send('nothing cosigned\n');
    return reply.code(200).type('text/plain; charset=utf-8').header('cache-control', 'no-cache').send(note);
  }

  async #failed(error: unknown, reply: FastifyReply): Promise<FastifyReply> {
    const status = (error as { readonly statusCode?: unknown }).statusCode;
    const known = typeof status === 'number' && status >= 400 && status < 500 ? status : 500;
    return this.#plain(
      reply,
      known,
      known === 500 ? 'not known whether it was cosigned\n' : 'refused\n',
      codeOf(error),
    );
  }
}

const WORDS = { 400: 'malformed request', 403: 'invalid signature', 422: 'invalid consistency proof' } as const;
