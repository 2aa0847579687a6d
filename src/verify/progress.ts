// SPDX-License-Identifier: Apache-2.0

/** How far verification is. Rates and what is left follow from it. */
export interface ProgressReport {
  readonly step: 'listing' | 'reading' | 'reading again';
  readonly records: number;
  readonly bytes: number;
  /** Bytes to read in all, as listed; 0 while listing. */
  readonly totalBytes: number;
  readonly elapsedMs: number;
  readonly recordsPerSecond: number;
  /** Null until it can be told. */
  readonly leftMs: number | null;
}

/** Counts what was read and tells whoever asked. */
export class Progress {
  readonly #tell: (report: ProgressReport) => void;
  readonly #clockMs: () => number;
  readonly #startedMs: number;
  #step: ProgressReport['step'] = 'listing';
  #readingMs = 0;
  #records = 0;
  #bytes = 0;
  #totalBytes = 0;

  constructor(tell: (report: ProgressReport) => void, clockMs: () => number) {
    this.#tell = tell;
    this.#clockMs = clockMs;
    this.#startedMs = clockMs();
  }

  /** `totalBytes`: what there is to read, if all of it is read. */
  step(step: ProgressReport['step'], totalBytes: number): void {
    this.#step = step;
    this.#totalBytes = totalBytes;
  }

  /** Reading begins; `share` is the part of it all that is read. */
  startReading(share: number): void {
    this.#totalBytes = Math.round(this.#totalBytes * share);
    this.#bytes = 0;
    this.#readingMs = this.#clockMs();
    this.#report();
  }

  addBytes(bytes: number): void {
    this.#bytes += bytes;
  }

  addRecords(records: number): void {
    this.#records += records;
    this.#report();
  }

  #report(): void {
    const now = this.#clockMs();
    const readingMs = now - this.#readingMs;
    const share = this.#totalBytes > 0 ? Math.min(1, this.#bytes / this.#totalBytes) : 0;
    this.#tell({
      step: this.#step,
      records: this.#records,
      bytes: this.#bytes,
      totalBytes: this.#totalBytes,
      elapsedMs: now - this.#startedMs,
      recordsPerSecond: readingMs > 0 ? Math.round((this.#records * 1000) / readingMs) : 0,
      leftMs: share > 0 && readingMs > 0 ? Math.round((readingMs * (1 - share)) / share) : null,
    });
  }
}
