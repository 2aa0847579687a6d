// SPDX-License-Identifier: AGPL-3.0-or-later
import { existsSync, readFileSync } from 'node:fs';
import { replaceSynced } from '../base/durable-file.ts';
import { codeOf, Failure } from '../base/failure.ts';
import { openCheckpoint } from '../record/checkpoint.ts';
import { FormatError } from '../record/format-error.ts';
import { checkpointKey } from '../record/layout.ts';
import type { Trust } from '../record/trust.ts';
import { readWhole, type ArchiveReader } from '../verify/reader.ts';
import type { Report } from '../verify/report.ts';

// What an auditor keeps from visit to visit: the signed checkpoint of the log that was checked last. With it, a log that was set back or
// replaced is a finding though every signature in it is right.

/** The checkpoint kept at the last visit; null at the first one. */
export function readState(file: string): string | null {
  try {
    return existsSync(file) ? readFileSync(file, 'utf8') : null;
  } catch (cause) {
    throw new Failure('config/missing', {
      expected: 'the state of the last visit',
      got: codeOf(cause),
      where: file,
      cause,
    });
  }
}

/**
 * Keeps the published checkpoint if it is of exactly the log that was checked, and nothing was found. Returns whether it was kept: otherwise
 * the file stays what it was. Replaced as a whole and on the disk before this returns.
 */
export async function keepState(file: string, reader: ArchiveReader, trust: Trust, report: Report): Promise<boolean> {
  if (report.findings.length > 0 || report.verdict === 'unchecked') return false;
  const note = await publishedNote(reader, trust);
  if (note === null || !isOf(note, trust, report)) return false;
  try {
    replaceSynced(file, note, 0o644);
    return true;
  } catch (cause) {
    throw new Failure('config/unwritable', {
      expected: 'a place to keep the state',
      got: codeOf(cause),
      where: file,
      cause,
    });
  }
}

async function publishedNote(reader: ArchiveReader, trust: Trust): Promise<string | null> {
  const key = checkpointKey(trust.origin);
  for await (const { key: found, version, size, deleteMarker } of reader.listVersions(key)) {
    if (found !== key) return null;
    if (!deleteMarker) return (await readWhole(reader, key, version, size)).toString('utf8');
  }
  return null;
}

function isOf(note: string, trust: Trust, { size, root }: Report): boolean {
  try {
    const checkpoint = openCheckpoint(note, trust.log);
    return checkpoint.size === size && checkpoint.root.toString('hex') === root;
  } catch (error) {
    if (error instanceof FormatError) return false;
    throw error;
  }
}
