// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from '../../base/failure.ts';
import type { JudgedStamp } from '../../prove/judge-stamps.ts';
import { fingerprintOf } from '../../record/key.ts';
import type { TimeStampJudge } from '../../record/time-stamp.ts';
import type { Policy } from '../../record/policy.ts';
import type { Trust } from '../../record/trust.ts';
import type { ExportProgress } from '../export.ts';
import { MANIFEST_FILE, parseManifest } from '../manifest.ts';
import { notAnExport } from '../read-manifest.ts';
import { STAMPS_FOLDER } from '../stamps/stamps.ts';
import type { WrittenFile } from '../staging.ts';
import { checkContent, checkProof, type ProofPlace, type Proven } from './check-proof.ts';
import { checkLines } from './check-lines.ts';
import { checkStamps } from './check-stamps.ts';
import { checkWitnesses, type CheckedWitnesses } from './check-witnesses.ts';
import { ExportFindings, type ExportFinding } from './findings.ts';

const MAX_MANIFEST_BYTES = 256 * 1024 * 1024;

export interface ExportCheckOptions {
  /** What the verifier has from elsewhere, and so need not take from the export. */
  readonly trust?: Trust;
  /** SHA-256 of the manifest, hex, from elsewhere. */
  readonly manifestSha256?: string;
  /** Which cosignatures the verifier asks for. */
  readonly policy?: Policy;
  /** Judges time stamps under roots that the verifier trusts; without, they are named and not judged. */
  readonly timeStamps?: TimeStampJudge;
  readonly onProgress?: (progress: ExportProgress) => void;
}

export interface ExportReport {
  readonly findings: readonly ExportFinding[];
  readonly manifestSha256: string;
  readonly files: number;
  /** What the records are proven against; null where nothing is proven, or it does not hold. */
  readonly proven: { readonly origin: string; readonly size: number; readonly records: number } | null;
  /** Records whose content is disclosed, and what they commit to; null where none is. */
  readonly disclosed: number | null;
  /** Lines that were held against the list of records; null where there is no messages.jsonl. */
  readonly lines: number | null;
  readonly stamps: readonly JudgedStamp[];
  readonly witnessed: CheckedWitnesses | null;
  /** False: trust came with the export, and must be compared by its fingerprints. */
  readonly trustGiven: boolean;
  /** Public half of the log's key and of the root: SHA-256, hex. */
  readonly fingerprints: { readonly log: string; readonly root: string } | null;
}

type Manifest = NonNullable<ReturnType<typeof parseManifest>>;

/** Checks an export in a folder, with nothing but itself and what the verifier trusts. Throws `export/not-an-export` where there is none. */
export async function checkExport(folder: string, options: ExportCheckOptions = {}): Promise<ExportReport> {
  const findings = new ExportFindings();
  const bytes = await manifestBytes(folder);
  const manifestSha256 = createHash('sha256').update(bytes).digest('hex');
  const given = options.manifestSha256;
  if (given !== undefined && given !== manifestSha256)
    findings.add('exported/manifest-other', MANIFEST_FILE, given, manifestSha256);
  const manifest = parseManifest(bytes);
  const nothing = { proven: null, disclosed: null, lines: null, fingerprints: null, witnessed: null };
  const report = { manifestSha256, files: manifest?.files.length ?? 0, trustGiven: options.trust !== undefined };
  // Bytes that are no text would be another text to whoever stamped them.
  if (manifest === null || !Buffer.from(bytes.toString('utf8')).equals(bytes)) {
    findings.add('exported/manifest', MANIFEST_FILE, 'the manifest of an export', 'other bytes');
    return { ...report, ...nothing, stamps: [], findings: findings.all };
  }
  const checkpointAtMs = Date.parse(manifest.checkpoint.at);
  const stamps = await checkStamps(folder, bytes, { checkpointAtMs, judge: options.timeStamps ?? null, findings });
  const isWhole = await checkFiles(folder, manifest.files, findings, options.onProgress);
  const place = { pathOf: pathsOf(folder), findings, ...statedBy(manifest), trust: options.trust ?? null };
  // What is built from files that are not there, or are others, would be told twice.
  const inside = isWhole ? await checkInside(place, manifest, folder, options.policy ?? null) : nothing;
  return { ...report, ...inside, stamps, findings: findings.all };
}

async function checkInside(
  place: ProofPlace,
  manifest: Manifest,
  folder: string,
  policy: Policy | null,
): Promise<Pick<ExportReport, 'proven' | 'disclosed' | 'lines' | 'fingerprints' | 'witnessed'>> {
  const isProven = manifest.proofs !== 'none';
  if (!isProven) refuseUnproven(place, policy);
  const proven = isProven ? await checkProof(place) : null;
  const disclosed = manifest.proofs === 'content' && proven !== null ? await checkContent(place, proven) : null;
  // Without a proof there is nothing but the export itself to hold its lines against.
  const lines = isProven && proven === null ? null : await checkLines(place, manifest, proven?.records ?? null);
  const { findings } = place;
  const witnessed = proven === null ? null : await checkWitnesses(folder, proven, { policy, findings });
  return { proven: provenIn(proven), disclosed, lines, fingerprints: fingerprintsOf(proven), witnessed };
}

/** That nothing is proven is the manifest's own word, and whoever strips a proof can write it: who gave what to prove by was promised one. */
function refuseUnproven({ findings, trust }: ProofPlace, policy: Policy | null): void {
  if (trust !== null)
    findings.add('exported/proof', MANIFEST_FILE, 'records that are proven, because a trust file was given', 'none');
  if (policy !== null && policy.quorum !== null)
    findings.add('exported/witnesses', MANIFEST_FILE, 'records that are proven, because a policy was given', 'none');
}

function provenIn(proven: Proven | null): ExportReport['proven'] {
  if (proven === null) return null;
  const { checkpoint, records } = proven;
  return { origin: checkpoint.origin, size: checkpoint.size, records: records.count };
}

function fingerprintsOf(proven: Proven | null): ExportReport['fingerprints'] {
  if (proven === null) return null;
  return { log: fingerprintOf(proven.trust.log.key), root: fingerprintOf(proven.trust.root) };
}

function statedBy({ origin, checkpoint: { size, root } }: Manifest): Pick<ProofPlace, 'stated'> {
  return { stated: { origin, size, root } };
}

const pathsOf =
  (folder: string) =>
  (name: string): string =>
    join(folder, ...name.split('/'));

async function manifestBytes(folder: string): Promise<Buffer> {
  try {
    const path = join(folder, MANIFEST_FILE);
    const found = await lstat(path);
    if (found.isFile() && found.size <= MAX_MANIFEST_BYTES) return await readFile(path);
  } catch (cause) {
    throw notAnExport(folder, codeOf(cause), cause);
  }
  throw notAnExport(folder, 'something else of that name');
}

/** Every file that the manifest names, and no other. True if they are all there as it says. */
async function checkFiles(
  folder: string,
  files: readonly WrittenFile[],
  findings: ExportFindings,
  onProgress: ExportCheckOptions['onProgress'],
): Promise<boolean> {
  const before = findings.all.length;
  const named = new Set([MANIFEST_FILE, ...files.map(({ name }) => name)]);
  for await (const name of namesIn(folder)) {
    if (!named.has(name)) findings.add('exported/file-unknown', name, 'no such file', 'one');
  }
  let done = 0;
  for (const file of files) {
    const found = await digestOf(pathsOf(folder)(file.name));
    if (found === null) findings.add('exported/file-missing', file.name, 'a file', 'none');
    else if (found.sha256 !== file.sha256 || found.size !== file.size)
      findings.add('exported/file-changed', file.name, file.sha256, found.sha256);
    onProgress?.({ step: 'checking files', done: (done += 1), total: files.length });
  }
  return findings.all.length === before;
}

/** Null for what is no plain file. */
async function digestOf(path: string): Promise<{ readonly sha256: string; readonly size: number } | null> {
  try {
    if (!(await lstat(path)).isFile()) return null;
    const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    const hash = createHash('sha256');
    let size = 0;
    for await (const chunk of handle.createReadStream()) {
      hash.update(chunk as Buffer);
      size += (chunk as Buffer).length;
    }
    return { sha256: hash.digest('hex'), size };
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return null;
    throw error;
  }
}

/** Names of all files, stamps excepted. */
async function* namesIn(folder: string, under = ''): AsyncGenerator<string> {
  const found = await readdir(join(folder, under), { withFileTypes: true });
  for (const entry of found.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const name = under === '' ? entry.name : `${under}/${entry.name}`;
    if (!entry.isDirectory()) yield name;
    else if (name !== STAMPS_FOLDER) yield* namesIn(folder, name);
  }
}
