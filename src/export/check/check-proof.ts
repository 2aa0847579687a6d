// SPDX-License-Identifier: AGPL-3.0-or-later
import { readFile } from 'node:fs/promises';
import { openCheckpoint, type Checkpoint } from '../../record/checkpoint.ts';
import { commitPart, commitRecord } from '../../record/commitment.ts';
import { parseEntry, sealedPart } from '../../record/entry.ts';
import { FormatError } from '../../record/format-error.ts';
import { LogProof, MAX_LOG_PROOF_LINE } from '../../record/log-proof.ts';
import { parseTrust, type Trust } from '../../record/trust.ts';
import { viewHash } from '../proof/content.ts';
import { derivedProof, PROOF } from '../proof/proof-files.ts';
import { withoutKeys } from '../telling.ts';
import type { ExportFindings } from './findings.ts';
import { LineTooLong, linesIn } from './lines.ts';
import { ProvenRecords } from './proven-records.ts';

/** Longer than what any messenger lets one say, kept twice. */
export const MAX_JSON_LINE = 256 * 1024 * 1024;

export interface ProofPlace {
  readonly pathOf: (name: string) => string;
  readonly findings: ExportFindings;
  /** What the manifest says. */
  readonly stated: { readonly origin: string; readonly size: number; readonly root: string };
  /** From elsewhere; null: that of the export is taken. */
  readonly trust: Trust | null;
}

export interface Proven {
  readonly checkpoint: Checkpoint;
  readonly trust: Trust;
  readonly records: ProvenRecords;
}

/** Trust file, checkpoint and log: what is proven. Null, with findings, where it does not hold. */
export async function checkProof(place: ProofPlace): Promise<Proven | null> {
  const { findings, pathOf } = place;
  const opened = await tried(place, PROOF.trust, 'exported/trust-other', async () => {
    const own = parseTrust(await readFile(pathOf(PROOF.trust), 'utf8'));
    const { trust } = place;
    if (trust === null) return own;
    const isSame = trust.origin === own.origin && trust.root.id === own.root.id && trust.log.key.id === own.log.key.id;
    if (!isSame) findings.add('exported/trust-other', PROOF.trust, 'the trust file that was given', 'another');
    return trust;
  });
  if (opened === null) return null;
  const note = await readFile(pathOf(PROOF.checkpoint), 'utf8');
  const checkpoint = await tried(place, PROOF.checkpoint, 'exported/checkpoint', async () => {
    const found = openCheckpoint(note, opened.log);
    const { origin, size, root } = place.stated;
    if (found.origin === origin && found.size === size && found.root.toString('hex') === root) return found;
    throw new FormatError('format/checkpoint', `${size} leaves of ${origin}, as the manifest says`, 'another');
  });
  if (checkpoint === null) return null;
  const records = await tried(place, PROOF.log, 'exported/proof', () => recordsIn(pathOf(PROOF.log), checkpoint));
  await checkDerived(place, opened, note);
  return records === null ? null : { checkpoint, trust: opened, records };
}

async function recordsIn(path: string, { origin, size, root }: Checkpoint): Promise<ProvenRecords> {
  const proof = new LogProof();
  const records = new ProvenRecords();
  for await (const line of linesIn(path, MAX_LOG_PROOF_LINE)) {
    const shown = proof.take(line);
    if (shown !== null) records.add(shown.leaf, shown.id, sealedPart(parseEntry(shown.line))?.com ?? '');
  }
  if (proof.origin !== origin || proof.size !== size) {
    throw new FormatError('format/log-proof', `${size} leaves of ${origin}`, 'others');
  }
  if (!proof.root.equals(root)) throw new FormatError('format/root', 'the root of the checkpoint', 'another root');
  return records;
}

/** Disclosed content, against what the records commit to. Gives how many records it is of. */
export async function checkContent(place: ProofPlace, { records }: Proven): Promise<number> {
  let disclosed = 0;
  await tried(place, PROOF.content, 'exported/content', async () => {
    for await (const line of linesIn(place.pathOf(PROOF.content), MAX_JSON_LINE)) {
      const { leaf, cap, raw, salt, view, defect } = (JSON.parse(line) ?? {}) as Record<string, unknown>;
      if (typeof leaf !== 'number') throw new SyntaxError('a leaf');
      const com = records.commitment(leaf);
      if (typeof defect === 'string' && com !== null) continue;
      if (com === null || commitmentOf(cap, raw, salt, view) !== com) {
        place.findings.add('exported/content', PROOF.content, `what record ${leaf} commits to`, 'something else');
        continue;
      }
      records.say(leaf, viewHash(withoutKeys(JSON.parse(String(view)))));
      disclosed += 1;
    }
  });
  return disclosed;
}

function commitmentOf(cap: unknown, raw: unknown, salt: unknown, view: unknown): string {
  const [capHash, rawHash, saltBytes] = [cap, raw, salt].map((hex) => Buffer.from(String(hex), 'hex'));
  const hash = commitPart('view', saltBytes as Buffer, Buffer.from(String(view)));
  return commitRecord({ cap: capHash as Buffer, view: hash, raw: rawHash as Buffer }).toString('hex');
}

/** Nobody follows a README or runs a program that somebody else put there. */
async function checkDerived({ findings, pathOf }: ProofPlace, trust: Trust, checkpoint: string): Promise<void> {
  for (const [name, bytes] of derivedProof(trust, checkpoint)) {
    const found = await readFile(pathOf(name)).catch(() => null);
    // One that is missing was told already.
    if (found === null || found.equals(Buffer.from(bytes))) continue;
    findings.add('exported/derived', name, 'what the others make', 'other bytes');
  }
}

/** What `work` gives; null, with a finding, where what it reads has not the form it must have. */
async function tried<T>(
  { findings }: ProofPlace,
  file: string,
  code: Parameters<ExportFindings['add']>[0],
  work: () => Promise<T>,
): Promise<T | null> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof FormatError) findings.add(code, file, error.expected, error.got);
    else if (error instanceof LineTooLong) findings.add(code, file, error.message, 'a longer one');
    else if (error instanceof SyntaxError || error instanceof RangeError)
      findings.add(code, file, 'its form', 'another');
    else throw error;
    return null;
  }
}
