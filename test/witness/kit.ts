// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { signCheckpoint } from '../../src/record/checkpoint.ts';
import { cosignerKey, verifyCosignatures, type Cosignature } from '../../src/record/cosignature.ts';
import { EMPTY_ROOT, leafHash } from '../../src/record/hash.ts';
import { EMPTY_RANGE } from '../../src/record/merkle.ts';
import { noteKey, parseNote, type NoteKey } from '../../src/record/note.ts';
import { TreeWindow } from '../../src/record/tree-window.ts';
import { WitnessBook } from '../../src/witness/book.ts';
import { encodeAddCheckpoint } from '../../src/record/add-checkpoint.ts';
import { WitnessServer, type WitnessEvents } from '../../src/witness/server.ts';
import { LOG, ORIGIN, signingPair } from '../vectors/keys.ts';

export const WITNESS = signingPair('witness');
export const WITNESS_NAME = 'witness.example';
export const WITNESS_KEY = cosignerKey(WITNESS_NAME, WITNESS.key);
export const LOG_KEY = noteKey(ORIGIN, LOG.key);

/** A log that grows, and can show another history from any size on. */
export class GrowingLog {
  readonly tree = new TreeWindow(EMPTY_RANGE);
  readonly #word: string;

  constructor(size = 0, word = 'leaf', from = 0) {
    this.#word = word;
    this.grow(from, 'leaf');
    this.grow(size - from);
  }

  grow(count: number, word = this.#word): void {
    for (let at = 0; at < count; at += 1) this.tree.append(leafHash(Buffer.from(`${word} ${this.tree.size}`)));
  }

  note(size = this.tree.size): string {
    const root = size === 0 ? EMPTY_ROOT : this.tree.root(size);
    return signCheckpoint({ origin: ORIGIN, size, root }, LOG.privateKey);
  }

  body(old: number, size = this.tree.size): string {
    return encodeAddCheckpoint(old, old === 0 ? [] : this.tree.consistencyProof(old, size), this.note(size));
  }
}

export interface Told extends WitnessEvents {
  readonly sizes: number[];
  readonly refusals: string[];
}

/** A witness on a port of its own, in this process. */
export class RunningWitness implements AsyncDisposable {
  readonly directory: string;
  readonly #ownsDirectory: boolean;
  readonly told: Told;
  readonly fatals: unknown[] = [];
  book!: WitnessBook;
  #server!: WitnessServer;
  url = '';

  private constructor(directory: string | undefined) {
    this.#ownsDirectory = directory === undefined;
    this.directory = directory ?? mkdtempSync(join(tmpdir(), 'holdfast-witness-'));
    const [sizes, refusals]: [number[], string[]] = [[], []];
    this.told = {
      sizes,
      refusals,
      cosigned: (size) => void sizes.push(size),
      refused: (status, reason) => void refusals.push(`${status} ${reason}`),
    };
  }

  static async start(
    options: { directory?: string; logs?: readonly NoteKey[]; name?: string; port?: number } = {},
  ): Promise<RunningWitness> {
    const running = new RunningWitness(options.directory);
    running.book = new WitnessBook(running.directory, (error) => void running.fatals.push(error));
    running.#server = new WitnessServer({
      name: options.name ?? WITNESS_NAME,
      key: WITNESS.privateKey,
      logs: options.logs ?? [LOG_KEY],
      book: running.book,
      clock: Date.now,
      events: running.told,
    });
    running.url = `http://127.0.0.1:${await running.#server.listen('127.0.0.1', options.port ?? 0)}`;
    return running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.close();
    this.book[Symbol.dispose]();
    if (this.#ownsDirectory) rmSync(this.directory, { recursive: true });
  }
}

export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

export async function add(url: string, body: string | Uint8Array<ArrayBuffer>): Promise<Answer> {
  const response = await fetch(`${url}/add-checkpoint`, { method: 'POST', body });
  return { status: response.status, type: response.headers.get('content-type') ?? '', text: await response.text() };
}

/** The witness's word under a checkpoint. */
export function cosignatures(note: string, lines: string): Cosignature[] {
  return verifyCosignatures(parseNote(note + lines), [WITNESS_KEY]);
}
