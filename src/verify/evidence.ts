// SPDX-License-Identifier: Apache-2.0
import { sha256Hex } from '../record/hash.ts';
import type { Findings, FindingCode } from './findings.ts';
import { judgeLock } from './lock.ts';
import { listed, readWhole, ReaderTrouble, stateOf, type ArchiveReader, type StoredVersion } from './reader.ts';
import type { NeededLock } from './rules.ts';
import { shown } from './survey.ts';

/** Others' words on the log, beside it: cosignatures and time stamps. Each object is named by its size and its hash. */
export interface Evidence {
  readonly key: string;
  /** Size of the log that it speaks of, as its name says. */
  readonly size: number;
  readonly bytes: Buffer;
  readonly version: string;
}

const NAME = /^(\d{16})-([0-9a-f]{16})$/;
const MAX_EVIDENCE_BYTES = 4 * 1024 * 1024;
const READ_AT_ONCE = 16;
const ANY_LOCK: NeededLock = { mode: 'GOVERNANCE', untilMs: 0 };

/**
 * Lists and reads a folder of evidence. Taken before the segments, which it follows. What is hidden, replaced or not what its name says
 * is found here, under `malformed` where there is no code of its own.
 */
export async function readEvidence(
  reader: ArchiveReader,
  prefix: string,
  malformed: FindingCode,
  findings: Findings,
): Promise<Evidence[]> {
  const wanted: StoredVersion[] = [];
  for await (const versions of byKey(listed(reader, prefix))) {
    const { key } = versions[0] as StoredVersion;
    const objects = versions.filter(({ deleteMarker }) => !deleteMarker);
    const winner = objects.at(-1);
    if (!NAME.test(key.slice(prefix.length))) {
      findings.add('verify/version-unknown-key', { key: shown(key) }, 'a name of this folder', 'another name');
      continue;
    }
    if (objects.length < versions.length) {
      findings.add('verify/version-delete-marker', { key }, 'no delete marker', `${versions.length - objects.length}`);
    }
    for (const later of objects.slice(0, -1)) await judgeLater(reader, key, later, malformed, findings);
    if (winner !== undefined) wanted.push(winner);
  }
  const found: Evidence[] = [];
  for (let at = 0; at < wanted.length; at += READ_AT_ONCE) {
    const some = wanted.slice(at, at + READ_AT_ONCE);
    const read = await Promise.all(some.map((version) => readOne(reader, prefix, version, malformed, findings)));
    found.push(...read.filter((evidence) => evidence !== null));
  }
  return found;
}

async function* byKey(listing: AsyncIterable<StoredVersion>): AsyncGenerator<StoredVersion[]> {
  let group: StoredVersion[] = [];
  for await (const version of listing) {
    if (group.length > 0 && group[0]?.key !== version.key) yield group.splice(0);
    group.push(version);
  }
  if (group.length > 0) yield group;
}

/** A name fits one sequence of bytes, so a later version is either the same or somebody else's. */
async function judgeLater(
  reader: ArchiveReader,
  key: string,
  { size, version }: StoredVersion,
  malformed: FindingCode,
  findings: Findings,
): Promise<void> {
  const bytes = await readBounded(reader, key, version, size, malformed, findings);
  if (bytes === null) return;
  const code = isNamed(key, bytes) ? 'verify/version-identical' : 'verify/version-other-bytes';
  findings.add(code, { key }, 'one version', `a later one of ${size} bytes`);
}

async function readOne(
  reader: ArchiveReader,
  prefix: string,
  { key, version, size }: StoredVersion,
  malformed: FindingCode,
  findings: Findings,
): Promise<Evidence | null> {
  const bytes = await readBounded(reader, key, version, size, malformed, findings);
  if (bytes === null) return null;
  if (!isNamed(key, bytes)) {
    findings.add(malformed, { key }, 'bytes with the hash of the name', sha256Hex(bytes).slice(0, 16));
    return null;
  }
  return { key, version, bytes, size: Number(key.slice(prefix.length).slice(0, 16)) };
}

async function readBounded(
  reader: ArchiveReader,
  key: string,
  version: string,
  size: number,
  malformed: FindingCode,
  findings: Findings,
): Promise<Buffer | null> {
  if (size > MAX_EVIDENCE_BYTES) {
    findings.add(malformed, { key }, `at most ${MAX_EVIDENCE_BYTES} bytes`, `${size}`);
    return null;
  }
  try {
    return await readWhole(reader, key, version, size);
  } catch (error) {
    if (!(error instanceof ReaderTrouble)) throw error;
    findings.add('verify/reader-failed', { key }, 'the object as listed', error.got);
    return null;
  }
}

function isNamed(key: string, bytes: Buffer): boolean {
  return key.endsWith(`-${sha256Hex(bytes).slice(0, 16)}`);
}

/** Evidence is locked like heads: as the longest schedule said at its size. Where that was not read, only that it is locked is judged. */
export async function judgeEvidenceLocks(
  reader: ArchiveReader,
  all: readonly Evidence[],
  needed: (size: number) => NeededLock | null,
  findings: Findings,
): Promise<void> {
  for (let at = 0; at < all.length; at += READ_AT_ONCE) {
    await Promise.all(
      all.slice(at, at + READ_AT_ONCE).map(async ({ key, version, size }) => {
        const state = await stateOf(reader, key, version);
        judgeLock(state?.lock ?? null, needed(size) ?? ANY_LOCK, { key }, findings);
      }),
    );
  }
}
