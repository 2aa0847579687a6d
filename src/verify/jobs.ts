// SPDX-License-Identifier: Apache-2.0
import type { Findings } from './findings.ts';
import { ReaderTrouble } from './reader.ts';

/** Runs checks side by side, bounded in number and in bytes held. What a store does not give becomes "could not check". */
export class Jobs {
  readonly #findings: Findings;
  readonly #mostJobs: number;
  readonly #mostBytes: number;
  #jobs = 0;
  #bytes = 0;
  #wake: (() => void)[] = [];
  #failure: { readonly error: unknown } | null = null;

  constructor(findings: Findings, mostJobs: number, mostBytes: number) {
    this.#findings = findings;
    this.#mostJobs = mostJobs;
    this.#mostBytes = mostBytes;
  }

  /** Starts a job as soon as there is room, and resolves then. A single job larger than all room runs alone. */
  async start(bytes: number, job: () => Promise<void>): Promise<void> {
    while (this.#jobs > 0 && (this.#jobs >= this.#mostJobs || this.#bytes + bytes > this.#mostBytes))
      await this.#change();
    this.#assertSound();
    this.#jobs += 1;
    this.#bytes += bytes;
    void job()
      .catch((error: unknown) => this.#onError(error))
      .finally(() => {
        this.#jobs -= 1;
        this.#bytes -= bytes;
        for (const wake of this.#wake.splice(0)) wake();
      });
  }

  /** Waits for all that was started. Rejects with what no job may throw: a fault of this program, or a lost thread. */
  async settle(): Promise<void> {
    while (this.#jobs > 0) await this.#change();
    this.#assertSound();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve));
  }

  #onError(error: unknown): void {
    if (error instanceof ReaderTrouble) {
      this.#findings.add('verify/reader-failed', { key: error.key }, 'the object as it was listed', error.got);
    } else {
      this.#failure ??= { error };
    }
  }

  #assertSound(): void {
    if (this.#failure !== null) throw this.#failure.error;
  }
}
