// SPDX-License-Identifier: AGPL-3.0-or-later
import { codeOf, Failure } from '../base/failure.ts';
import { encodeAddCheckpoint } from '../record/add-checkpoint.ts';
import { openCheckpoint } from '../record/checkpoint.ts';
import { verifyCosignatures } from '../record/cosignature.ts';
import { FormatError } from '../record/format-error.ts';
import { sha256Hex, type Hash } from '../record/hash.ts';
import { parseNote, signatureLine, type NoteKey } from '../record/note.ts';

export interface WitnessAddress {
  /** Without `/add-checkpoint`. */
  readonly url: string;
  /** Its cosigner's key, by the name it has in the manifest. */
  readonly key: NoteKey;
  /** How a request for a cosignature gets there, if not over the network. */
  readonly ask?: AskDirectly | undefined;
}

export type AskDirectly = (body: string) => Promise<WitnessAnswer>;

export interface WitnessAnswer {
  readonly status: number;
  readonly text: string;
}

export interface Question {
  readonly size: number;
  /** The signed checkpoint of that size. */
  readonly checkpoint: string;
  /** Proof that the first `old` leaves, at least one, are the beginning of this log. */
  readonly proofFrom: (old: number) => Promise<readonly Hash[]>;
}

const ANSWER_MS = 10_000;
const MAX_ANSWER_BYTES = 64 * 1024;
const OK = 200;
const MALFORMED = 400;
const CONFLICT = 409;
const UNPROVEN = 422;

/**
 * Asks a witness for its cosignature and returns its line. `known`: the size that it cosigned last, as far as known. Throws
 * `witness/unreachable`, `witness/answer`, and `witness/conflict` where the witness knows a log that this one does not continue.
 */
export async function askWitness(
  address: WitnessAddress,
  question: Question,
  known: number,
  signal: AbortSignal,
): Promise<string> {
  let old = known;
  // Once with what is believed, once with what it says, and once more if somebody else asked it meanwhile.
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const proof = old === 0 ? [] : await question.proofFrom(old);
    const answer = await post(address, encodeAddCheckpoint(old, proof, question.checkpoint), signal);
    if (answer.status === OK) return lineOf(address, question.checkpoint, answer.text);
    if (answer.status !== CONFLICT) throw refused(address, answer, old);
    old = sizeOf(address, answer.text);
    if (old > question.size) throw conflict(address, `${old} leaves that it has cosigned`, question.size);
  }
  throw unexpected(address, 'a size that changes with each request');
}

/**
 * How many leaves of this log the witness cosigned last; null if it says nothing of it. It is not asked to cosign. Throws
 * `witness/unreachable`, `witness/answer`.
 */
export async function witnessAt(address: WitnessAddress, log: NoteKey, signal: AbortSignal): Promise<number | null> {
  const { status, text } = await exchange(address.url, `${sha256Hex(log.name)}/checkpoint`, {}, signal);
  if (status === OK) return cosignedSize(address, log, text);
  // That address is our witnesses' own. All of them refuse what is no request, and so show that they are there.
  const refusal = await post(address, '', signal);
  if (refusal.status === MALFORMED) return null;
  throw unexpected(address, `status ${refusal.status}`);
}

function cosignedSize(address: WitnessAddress, log: NoteKey, note: string): number {
  try {
    const { size } = openCheckpoint(note, log);
    if (verifyCosignatures(parseNote(note), [address.key]).length === 1) return size;
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
  }
  throw unexpected(address, 'no checkpoint of this log cosigned by that key');
}

async function post({ url, ask }: WitnessAddress, body: string, signal: AbortSignal): Promise<WitnessAnswer> {
  return ask === undefined ? exchange(url, 'add-checkpoint', { method: 'POST', body }, signal) : ask(body);
}

async function exchange(url: string, path: string, init: RequestInit, signal: AbortSignal): Promise<WitnessAnswer> {
  try {
    const response = await fetch(`${url.replace(/\/+$/, '')}/${path}`, {
      ...init,
      redirect: 'error',
      signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]),
    });
    return { status: response.status, text: await textOf(response) };
  } catch (cause) {
    if (cause instanceof Failure) throw cause;
    throw new Failure('witness/unreachable', {
      expected: 'an answer',
      got: codeOf(cause instanceof TypeError && cause.cause !== undefined ? cause.cause : cause),
      where: url,
      cause,
    });
  }
}

/** Whoever answers there is not trusted with this process's memory. */
async function textOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > MAX_ANSWER_BYTES) break;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The line by the witness's own key; whatever else it sent is dropped. */
function lineOf(address: WitnessAddress, checkpoint: string, lines: string): string {
  const { key } = address;
  try {
    const note = parseNote(checkpoint + lines);
    const own = note.signatures.find(({ name, hash }) => name === key.name && hash.equals(key.hash));
    if (own !== undefined && verifyCosignatures(note, [key]).length === 1) return signatureLine(key, own.signature);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
  }
  throw unexpected(address, 'no cosignature by that key');
}

function sizeOf(address: WitnessAddress, text: string): number {
  const size = /^(?:0|[1-9]\d{0,15})\n$/.test(text) ? Number(text) : NaN;
  if (Number.isSafeInteger(size)) return size;
  throw unexpected(address, 'a conflict without a size');
}

function refused(address: WitnessAddress, { status }: WitnessAnswer, old: number): Failure {
  return status === UNPROVEN
    ? conflict(address, `another log of ${old} leaves that it has cosigned`, old)
    : unexpected(address, `status ${status}`);
}

function conflict({ url }: WitnessAddress, got: string, size: number): Failure {
  return new Failure('witness/conflict', {
    expected: `a witness of this log, which has ${size} leaves there`,
    got,
    where: url,
    fix: 'stop and find out: this archive was set back, or somebody else writes under its log key',
  });
}

function unexpected({ url, key }: WitnessAddress, got: string): Failure {
  return new Failure('witness/answer', { expected: `a cosignature by ${key.key.id}`, got, where: url });
}
