// SPDX-License-Identifier: AGPL-3.0-or-later
import { addPeriod, toSeconds } from '../../src/record/period.ts';
import { parseSegment } from '../../src/record/segment.ts';
import { parseEntry } from '../../src/record/entry.ts';
import { mediaKey, packKey } from '../../src/record/layout.ts';
import type { FindingCode } from '../../src/verify/findings.ts';
import type { Trust } from '../../src/record/trust.ts';
import type { Report } from '../../src/verify/report.ts';
import { verifyArchive, type VerifyOptions } from '../../src/verify/verify.ts';
import { makeArchive, temporaryFolder, TRUST } from '../support/archive-fixture.ts';
import { ORIGIN } from '../vectors/keys.ts';
import { MemoryArchive } from './memory-archive.ts';

/** The archive that the real writer makes, in memory. It was written to a directory, and says so. */
export async function smallArchive(): Promise<MemoryArchive> {
  await using folder = await temporaryFolder();
  return await MemoryArchive.of(await makeArchive(folder.path));
}

export function verify(archive: MemoryArchive, options: VerifyOptions = {}, trust: Trust = TRUST): Promise<Report> {
  return verifyArchive(archive, trust, options);
}

/** Codes of what is held against an archive, and of what could not be checked, each once. */
export function codesOf(report: Report): FindingCode[] {
  return [...report.findings, ...report.unchecked].map(({ code }) => code);
}

export function notesOf(report: Report): FindingCode[] {
  return report.notes.map(({ code }) => code);
}

/** Codes after a change to a copy of the archive. */
export async function codesAfter(
  archive: MemoryArchive,
  change: (copy: MemoryArchive) => void,
  options: VerifyOptions = {},
): Promise<FindingCode[]> {
  const copy = archive.clone();
  change(copy);
  return codesOf(await verify(copy, options));
}

/** Turns one bit. */
export function flip(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  const index = at < 0 ? bytes.length + at : at;
  copy[index] = (copy[index] as number) ^ 1;
  return copy;
}

/** Locks every object as the archiver of a bucket would. */
export function lockAll(archive: MemoryArchive): void {
  for (const key of archive.keys().filter((name) => /\/(?:segment|heads)\//.test(name))) {
    archive.lock(key, { mode: 'COMPLIANCE', until: '2034-11-24T00:00:00Z' });
    if (!key.includes('/segment/')) continue;
    for (const line of parseSegment(archive.get(key)).entries) {
      const entry = parseEntry(line.toString());
      if (entry.t === 'pack') archive.lock(packKey(ORIGIN, entry.h), { mode: 'COMPLIANCE', until: entry.until });
      if ((entry.t !== 'media' && entry.t !== 'content') || entry.obj === undefined) continue;
      const until = toSeconds(addPeriod(Date.parse(entry.at), entry.ret.endsWith('011') ? 'P7Y' : 'P3Y'));
      for (const { h } of entry.obj) archive.lock(mediaKey(h), { mode: 'COMPLIANCE', until });
    }
  }
}
