// SPDX-License-Identifier: AGPL-3.0-or-later
import type { ExportProgress } from '../export/export.ts';
import type { ProgressLine } from './progress.ts';

/** Shows the steps of an export, each with what is left of it. */
export function exportProgress(line: ProgressLine): (progress: ExportProgress) => void {
  let [step, startMs] = ['', 0];
  return ({ step: now, done, total }) => {
    if (now !== step) [step, startMs] = [now, performance.now()];
    const elapsedMs = Math.max(1, performance.now() - startMs);
    line.show({
      step,
      records: done,
      bytes: done,
      totalBytes: total,
      recordsPerSecond: (1000 * done) / elapsedMs,
      leftMs: (elapsedMs * (total - done)) / done,
      elapsedMs,
    });
  };
}
