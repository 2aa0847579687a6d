// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';
import { Failure } from '../base/failure.ts';
import type { PlannedLine } from './plan.ts';

/** Counts what a file was given, and holds it against what was to go into it: by number and by hash of all leaves, in order. */
export class Tally {
  readonly #hash = createHash('sha256');
  lines = 0;

  out({ leaf }: PlannedLine): void {
    this.lines += 1;
    this.#hash.update(`${leaf}\n`);
  }

  /** Throws `export/unbalanced`: a file that lacks a line must not exist. */
  assertEqual(expected: Iterable<PlannedLine>, file: string): void {
    const other = new Tally();
    for (const line of expected) other.out(line);
    const [got, wanted] = [this.#hash.digest('hex'), other.#hash.digest('hex')];
    if (got === wanted && this.lines === other.lines) return;
    throw new Failure('export/unbalanced', {
      expected: `${other.lines} lines, as selected`,
      got: `${this.lines}, or others`,
      where: file,
      fix: 'report this: the export was not written',
    });
  }
}
