// SPDX-License-Identifier: AGPL-3.0-or-later
import type { ProgressReport } from '../verify/progress.ts';

const EVERY_MS = 200;

/** Steps are named by whoever does them. */
type Shown = Omit<ProgressReport, 'step'> & { readonly step: string };

/** One line on a terminal that keeps changing; nothing at all in a pipe. */
export class ProgressLine {
  readonly #stream: NodeJS.WriteStream;
  #shownMs = 0;

  constructor(stream: NodeJS.WriteStream = process.stderr) {
    this.#stream = stream;
  }

  show(report: Shown): void {
    const nowMs = Date.now();
    if (!this.#stream.isTTY || nowMs - this.#shownMs < EVERY_MS) return;
    this.#shownMs = nowMs;
    this.#stream.write(`\r\u001B[K${describe(report)}`);
  }

  clear(): void {
    if (this.#stream.isTTY && this.#shownMs > 0) this.#stream.write('\r\u001B[K');
  }
}

function describe({ step, records, bytes, totalBytes, recordsPerSecond, leftMs }: Shown): string {
  const share = totalBytes > 0 ? `  ${Math.floor((100 * bytes) / totalBytes)} %` : '';
  const left = leftMs === null ? '' : `  ${Math.ceil(leftMs / 1000)} s left`;
  return `${step}  ${records} records${share}  ${Math.round(recordsPerSecond)}/s${left}`;
}
