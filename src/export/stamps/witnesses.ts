// SPDX-License-Identifier: AGPL-3.0-or-later
import { lstat, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from '../../base/failure.ts';
import { ArchiveSource } from '../../prove/archive-source.ts';
import { canonicalize, parseCanonical, type Json } from '../../record/canonical.ts';
import { openCheckpoint, type Checkpoint } from '../../record/checkpoint.ts';
import { FormatError } from '../../record/format-error.ts';
import { HASH_BYTES, type Hash } from '../../record/hash.ts';
import { verifyConsistency } from '../../record/merkle.ts';
import { openWitnessed, type Policy, type Witnessed } from '../../record/policy.ts';
import type { Trust } from '../../record/trust.ts';
import type { ArchiveReader } from '../../verify/reader.ts';
import type { parseManifest } from '../manifest.ts';
import { keepFiles, STAMPS_FOLDER } from './stamps.ts';

/** A later checkpoint that witnesses cosigned, and the proof that it goes on from the one that the records are proven under. */
export const WITNESSES_FILE = `${STAMPS_FOLDER}/witnesses.json`;
const CONTEXT = 'holdfast export witnesses v1';
const MAX_BYTES = 2_000_000;

interface Witnesses {
  readonly checkpoint: string;
  readonly consistency: readonly Hash[];
}

/**
 * Lays beside an export what witnesses have cosigned since: of its own checkpoint, or of the earliest later one. Gives its size; null where
 * there is none yet. Throws `export/write` and what a store throws.
 */
export async function keepWitnesses(
  folder: string,
  { checkpoint: { size }, proofs }: NonNullable<ReturnType<typeof parseManifest>>,
  { reader, trust, policy }: { readonly reader: ArchiveReader; readonly trust: Trust; readonly policy: Policy | null },
): Promise<number | null> {
  if (proofs === 'none') return null;
  const found = await new ArchiveSource(reader, trust, policy).cosignedSince(size);
  if (found === null) return null;
  const { checkpoint, consistency } = found;
  const hashes = consistency.map((hash) => hash.toString('base64'));
  const text = canonicalize({ checkpoint, consistency: hashes, ctx: CONTEXT });
  await keepFiles(folder, [[WITNESSES_FILE, Buffer.from(`${text}\n`)]]);
  return openCheckpoint(checkpoint, trust.log).size;
}

/** Null where there is no such file. Throws `FormatError`. */
export async function readWitnesses(folder: string): Promise<Witnesses | null> {
  const path = join(folder, WITNESSES_FILE);
  const found = await lstat(path).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  });
  if (found === null) return null;
  if (!found.isFile() || found.size > MAX_BYTES) throw malformed();
  const value = parseCanonical((await readFile(path, 'utf8')).replace(/\n$/, ''));
  const { checkpoint, consistency, ctx } = (value ?? {}) as Readonly<Record<string, Json>>;
  if (ctx !== CONTEXT || typeof checkpoint !== 'string' || !Array.isArray(consistency)) throw malformed();
  const hashes = consistency.map((hash: Json) => Buffer.from(typeof hash === 'string' ? hash : '', 'base64'));
  if (hashes.some(({ length }) => length !== HASH_BYTES)) throw malformed();
  return { checkpoint, consistency: hashes };
}

/** What witnesses vouch for, of the log that `own` is the beginning of. Throws `FormatError`. */
export function openWitnesses({ checkpoint, consistency }: Witnesses, own: Checkpoint, policy: Policy): Witnessed {
  const witnessed = openWitnessed(checkpoint, policy);
  const { size, root, origin } = witnessed.checkpoint;
  if (origin !== own.origin) throw new FormatError('format/checkpoint', 'a checkpoint of the same log', 'of another');
  verifyConsistency(own.size, size, consistency, own.root, root);
  return witnessed;
}

function malformed(): FormatError {
  return new FormatError('format/proof', 'a cosigned checkpoint and a consistency proof', 'another file');
}
