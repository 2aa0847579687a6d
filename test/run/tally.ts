// SPDX-License-Identifier: AGPL-3.0-or-later

/** What the reporter in the Vitest process tells the test command, in the order of events. */
export type Report =
  | { readonly type: 'files'; readonly files: readonly string[] }
  /** `failures` are those outside of tests: the file cannot be loaded, or a hook of a group failed. */
  | { readonly type: 'file-done'; readonly file: string; readonly failures: readonly TestFailure[] }
  | { readonly type: 'started'; readonly test: string }
  | { readonly type: 'settled'; readonly test: string; readonly failure?: TestFailure }
  | { readonly type: 'end'; readonly passed: number; readonly failures: readonly TestFailure[] };

/** Anything but a passed test, and errors outside of tests. */
export interface TestFailure {
  readonly what: string;
  /** `failed`, or how it came to no result. */
  readonly why: 'failed' | 'skipped' | 'not finished' | 'hung';
}

/** Counts reports. Complete after `end`; before, it knows what was going on when a run was cut short. */
export class Tally {
  #passed = 0;
  #failures: TestFailure[] = [];
  #isComplete = false;
  readonly #running = new Set<string>();
  readonly #unfinished = new Set<string>();

  add(report: Report): void {
    switch (report.type) {
      case 'files':
        for (const file of report.files) this.#unfinished.add(file);
        break;
      case 'file-done':
        this.#unfinished.delete(report.file);
        this.#failures.push(...report.failures);
        break;
      case 'started':
        this.#running.add(report.test);
        break;
      case 'settled':
        this.#running.delete(report.test);
        if (report.failure === undefined) this.#passed += 1;
        else this.#failures.push(report.failure);
        break;
      case 'end':
        this.#passed = report.passed;
        this.#failures = [...report.failures];
        this.#isComplete = true;
        break;
    }
  }

  get isComplete(): boolean {
    return this.#isComplete;
  }

  get passed(): number {
    return this.#passed;
  }

  /** Of a run cut short, every test under way counts as hung, and every file under way or waiting as not finished. */
  get failures(): readonly TestFailure[] {
    if (this.#isComplete) return this.#failures;
    return [
      ...this.#failures,
      ...[...this.#running].map((what) => ({ what, why: 'hung' }) as const),
      ...[...this.#unfinished].map((what) => ({ what, why: 'not finished' }) as const),
    ];
  }
}
