// SPDX-License-Identifier: AGPL-3.0-or-later
import { FormatError } from '../record/format-error.ts';
import { PARTS } from '../record/commitment.ts';

/** Files of a bundle by name; `/` separates folders. */
export type Files = ReadonlyMap<string, Buffer>;

/** A bundle is these files, and others that are made from them. */
export const CORE = {
  record: 'record.json',
  proof: 'record.tlog-proof',
  batch: 'batch.json',
  after: 'after.txt',
  previous: 'previous.json',
  previousProof: 'previous.tlog-proof',
  next: 'next.json',
  nextProof: 'next.tlog-proof',
  manifest: 'manifest.json',
  trust: 'trust.json',
  policy: 'policy.txt',
  seal: 'seal.json',
  sealProof: 'seal.tlog-proof',
  sealStream: 'seal-stream.json',
  stampProof: 'stamp.tlog-proof',
  commitments: 'disclosed/commitments',
} as const;

/** Time stamps of one checkpoint, by as many authorities. */
export const STAMPS: readonly string[] = ['stamp-1.json', 'stamp-2.json', 'stamp-3.json', 'stamp-4.json'];

export const REQUIRED: readonly string[] = [
  CORE.record,
  CORE.proof,
  CORE.batch,
  CORE.after,
  CORE.manifest,
  CORE.trust,
  CORE.policy,
];

/** A disclosed part as its commitment hashes it: label, salt, length, bytes. */
export const partFile = (name: string): string => `disclosed/${name}.part`;

export const CORE_NAMES: ReadonlySet<string> = new Set([...Object.values(CORE), ...STAMPS, ...PARTS.map(partFile)]);

export function fileOf(files: Files, name: string): Buffer {
  const bytes = files.get(name);
  if (bytes === undefined) throw new FormatError('format/not-json', `a file ${name}`, 'none');
  return bytes;
}

/** Stands in a line for the id of the record before it, which whoever reads it computes: no record holds this character. */
const LINK = '@';

/** A record's line without its link: a third less to carry, and nothing to compare. */
export function withoutLink(line: string): string {
  return line.replace(/"prev":"[0-9a-f]{64}"/, `"prev":"${LINK}"`);
}

export function linkedTo(id: string, line: string): string {
  return line.replace(LINK, id);
}

/** The lines of a file; none of an empty one. */
export function linesOf(bytes: Buffer): string[] {
  return bytes.length === 0 ? [] : bytes.toString('latin1').replace(/\n$/, '').split('\n');
}
