// SPDX-License-Identifier: AGPL-3.0-or-later
import type { TimeStampJudge } from '../record/time-stamp.ts';

/** Loaded only where it is asked for: it takes an ASN.1 library. */
export async function judgeUnder(file: string): Promise<TimeStampJudge> {
  const [{ readCertificates }, { timeStampJudge }] = await Promise.all([
    import('../main/certificates.ts'),
    import('../timestamp/judge.ts'),
  ]);
  return timeStampJudge(readCertificates(file));
}
