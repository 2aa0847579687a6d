// SPDX-License-Identifier: Apache-2.0
import { FormatError } from './format-error.ts';
import { HASH_BYTES, type Hash } from './hash.ts';
import { verifyInclusion } from './merkle.ts';
import { openWitnessed, type Policy, type Witnessed } from './policy.ts';

// C2SP tlog-proof v1: https://c2sp.org/tlog-proof

const MAGIC = 'c2sp.org/tlog-proof@v1';
const MAX_HASHES = 63;
const MAX_PROOF_CHARS = 1_000_000;

/** That an entry is in a log, in a form that is checked without a network. */
export interface TlogProof {
  readonly index: number;
  /** RFC 6962 inclusion proof, from the leaf's sibling upwards. */
  readonly hashes: readonly Hash[];
  /** Covered by no signature. */
  readonly extra?: Buffer;
  /** The signed checkpoint, with the cosignatures of witnesses, as it was issued. */
  readonly checkpoint: string;
}

export function encodeTlogProof({ index, hashes, extra, checkpoint }: TlogProof): string {
  const lines = [
    MAGIC,
    ...(extra === undefined ? [] : [`extra ${extra.toString('base64')}`]),
    `index ${index}`,
    ...hashes.map((hash) => hash.toString('base64')),
  ];
  return `${lines.join('\n')}\n\n${checkpoint}`;
}

function malformed(expected: string, got: string): FormatError {
  return new FormatError('format/tlog-proof', expected, got);
}

/** Parses the form of a proof. Throws `format/tlog-proof`; the checkpoint is taken as it stands. */
export function parseTlogProof(text: string): TlogProof {
  if (text.length > MAX_PROOF_CHARS) throw malformed(`at most ${MAX_PROOF_CHARS} characters`, `${text.length}`);
  const split = text.indexOf('\n\n');
  if (split < 0) throw malformed('lines, an empty line and a checkpoint', 'no empty line');
  const [magic, ...lines] = text.slice(0, split).split('\n');
  if (magic !== MAGIC) throw malformed(`a first line "${MAGIC}"`, 'another');
  const extra = lines[0]?.startsWith('extra ') === true ? decoded(lines.shift()?.slice('extra '.length) ?? '') : null;
  const index = /^index (0|[1-9]\d{0,15})$/.exec(lines.shift() ?? '')?.[1];
  if (index === undefined || !Number.isSafeInteger(Number(index)))
    throw malformed('`index` and a leaf number', 'another line');
  if (lines.length > MAX_HASHES) throw malformed(`at most ${MAX_HASHES} hashes`, `${lines.length}`);
  const hashes = lines.map(decoded);
  for (const hash of hashes) {
    if (hash.length !== HASH_BYTES) throw malformed('32-byte hashes', `${hash.length} bytes`);
  }
  const checkpoint = text.slice(split + 2);
  return { index: Number(index), hashes, ...(extra === null ? {} : { extra }), checkpoint };
}

function decoded(base64: string): Buffer {
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.toString('base64') !== base64) throw malformed('standard base64', `${base64.length} other characters`);
  return bytes;
}

/**
 * Checks a proof of one entry under a policy: a log of the policy signed the checkpoint, the quorum cosigned it, and the entry with this
 * leaf hash is in it. Throws `format/policy-unmet` and what else a note, checkpoint or proof throws.
 */
export function verifyTlogProof(proof: TlogProof, leaf: Hash, policy: Policy): Witnessed {
  const witnessed = openWitnessed(proof.checkpoint, policy);
  const { size, root } = witnessed.checkpoint;
  verifyInclusion(leaf, proof.index, size, proof.hashes, root);
  return witnessed;
}
