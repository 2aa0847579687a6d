// SPDX-License-Identifier: AGPL-3.0-or-later
import type { JudgedStamp } from '../../prove/judge-stamps.ts';
import type { TimeStampJudge } from '../../record/time-stamp.ts';
import { readStamp, stampNames } from '../stamps/stamps.ts';
import { WITNESSES_FILE } from '../stamps/witnesses.ts';
import type { ExportFindings } from './findings.ts';

/** A token may be this much older than the state of the log it is over, for want of one clock. */
const CLOCK_MARGIN_MS = 5 * 60_000;
const PEM = /\/[0-9a-f]{16}\.pem$/;

/** Tokens over the manifest, by authorities that the verifier trusts. Gives those that hold, and those that nobody judged. */
export async function checkStamps(
  folder: string,
  manifest: Buffer,
  {
    checkpointAtMs,
    judge,
    findings,
  }: { checkpointAtMs: number; judge: TimeStampJudge | null; findings: ExportFindings },
): Promise<JudgedStamp[]> {
  const text = manifest.toString('utf8');
  const found: JudgedStamp[] = [];
  for (const file of await stampNames(folder)) {
    if (PEM.test(file) || file === WITNESSES_FILE) continue;
    const refused = (expected: string, got: string): void => findings.add('exported/time-stamp', file, expected, got);
    try {
      const stamp = await readStamp(folder, file, text);
      if (stamp === null) {
        findings.add('exported/file-unknown', file, 'a time stamp', 'another file');
      } else if (judge === null) {
        found.push({ file, at: null, signer: null, revocationChecked: false });
      } else {
        const verdict = await judge(stamp);
        if (!verdict.ok) refused(verdict.expected, verdict.got);
        else if (verdict.atMs < checkpointAtMs - CLOCK_MARGIN_MS)
          refused('a time behind the checkpoint', new Date(verdict.atMs).toISOString());
        else {
          const { atMs, signer, revocationChecked } = verdict;
          found.push({ file, at: new Date(atMs).toISOString(), signer, revocationChecked });
        }
      }
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      refused(error.message, 'something else');
    }
  }
  return found;
}
