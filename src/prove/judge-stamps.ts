// SPDX-License-Identifier: AGPL-3.0-or-later
import { FormatError } from '../record/format-error.ts';
import { parseTimeStamp, type TimeStampJudge } from '../record/time-stamp.ts';
import { fileOf, STAMPS, type Files } from './files.ts';
import { BUNDLE_CATALOGUE, type BundleFinding } from './findings.ts';

export interface JudgedStamp {
  readonly file: string;
  /** Null where no roots of authorities were given: it is not judged then. */
  readonly at: string | null;
  /** SHA-256 of the signer's certificate, hex. */
  readonly signer: string | null;
  readonly revocationChecked: boolean;
}

/** The tokens of a bundle, under authorities that the verifier trusts. What they are over is for `checkBundle` to judge. */
export async function judgeStamps(
  files: Files,
  judge: TimeStampJudge | null,
): Promise<{ readonly stamps: readonly JudgedStamp[]; readonly findings: readonly BundleFinding[] }> {
  const stamps: JudgedStamp[] = [];
  const findings: BundleFinding[] = [];
  for (const file of STAMPS.filter((name) => files.has(name))) {
    const verdict = judge === null ? null : await judged(fileOf(files, file).toString('utf8'), judge);
    if (verdict === null) stamps.push({ file, at: null, signer: null, revocationChecked: false });
    else if (verdict.ok) {
      const { atMs, signer, revocationChecked } = verdict;
      stamps.push({ file, at: new Date(atMs).toISOString(), signer, revocationChecked });
    } else {
      const { expected, got } = verdict;
      findings.push({ code: 'proof/stamp', meaning: BUNDLE_CATALOGUE['proof/stamp'], file, expected, got });
    }
  }
  return { stamps, findings };
}

/** Null for what is no stamp, which `checkBundle` says. */
async function judged(text: string, judge: TimeStampJudge): Promise<Awaited<ReturnType<TimeStampJudge>> | null> {
  try {
    return await judge(parseTimeStamp(text));
  } catch (error) {
    if (error instanceof FormatError) return null;
    throw error;
  }
}
