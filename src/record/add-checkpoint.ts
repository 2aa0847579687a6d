// SPDX-License-Identifier: Apache-2.0
import { parseCheckpoint, type Checkpoint } from './checkpoint.ts';
import { FormatError } from './format-error.ts';
import { HASH_BYTES, type Hash } from './hash.ts';
import { decodeBase64 } from './key.ts';
import { parseNote, type SignedNote } from './note.ts';

// C2SP tlog-witness: https://c2sp.org/tlog-witness

/** Body of an add-checkpoint request. */
export interface AddCheckpoint {
  /** Size of the log that the sender believes this witness cosigned last. */
  readonly old: number;
  /** Proof that the log of `old` leaves is the beginning of this one. */
  readonly proof: readonly Hash[];
  /** Null where the signature lines are none: to the protocol that is a signature which does not verify. */
  readonly note: SignedNote | null;
  readonly checkpoint: Checkpoint;
}

const MAX_PROOF_LINES = 63;

/** Parses the form of a request. Throws a `FormatError`; says nothing about signatures or proofs. */
export function parseAddCheckpoint(body: Uint8Array): AddCheckpoint {
  const text = Buffer.from(body).toString('latin1');
  const split = text.indexOf('\n\n');
  if (split < 0)
    throw new FormatError('format/proof', 'an old size, a proof, an empty line, a checkpoint', 'no empty line');
  const [first = '', ...lines] = text.slice(0, split).split('\n');
  const old = /^old (0|[1-9]\d{0,15})$/.exec(first)?.[1];
  if (old === undefined || !Number.isSafeInteger(Number(old))) {
    throw new FormatError('format/proof', '`old` and a size', 'another first line');
  }
  if (lines.length > MAX_PROOF_LINES) {
    throw new FormatError('format/proof', `at most ${MAX_PROOF_LINES} hashes`, `${lines.length}`);
  }
  const proof = lines.map((line) => decodeBase64('format/proof', line));
  for (const hash of proof) {
    if (hash.length !== HASH_BYTES) throw new FormatError('format/proof', '32-byte hashes', `${hash.length} bytes`);
  }
  const { note, checkpoint } = parseSigned(Buffer.from(body).subarray(split + 2));
  if (checkpoint.root.length !== HASH_BYTES) {
    throw new FormatError('format/checkpoint', 'a 32-byte root', `${checkpoint.root.length} bytes`);
  }
  return { old: Number(old), proof, note, checkpoint };
}

function parseSigned(bytes: Buffer): Pick<AddCheckpoint, 'note' | 'checkpoint'> {
  const end = bytes.lastIndexOf('\n\n');
  const checkpoint = parseCheckpoint(bytes.subarray(0, end + 1).toString('utf8'));
  try {
    return { note: parseNote(bytes), checkpoint };
  } catch (error) {
    if (error instanceof FormatError && error.code === 'format/note') return { note: null, checkpoint };
    throw error;
  }
}

export function encodeAddCheckpoint(old: number, proof: readonly Hash[], checkpoint: string): string {
  return `old ${old}\n${proof.map((hash) => `${hash.toString('base64')}\n`).join('')}\n${checkpoint}`;
}
