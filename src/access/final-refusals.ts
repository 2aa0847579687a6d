// SPDX-License-Identifier: AGPL-3.0-or-later
import type { FailureCode } from '../base/failure.ts';
import { parseEntry } from '../record/entry.ts';
import { FormatError } from '../record/format-error.ts';
import { APPROVAL_GOOD_FOR_MS } from '../record/hold.ts';
import { fromSeconds } from '../record/period.ts';

interface RefusalParts {
  readonly origin: string;
  readonly clock: () => number;
  /** Told once of each entry. */
  readonly onRefused: (code: FailureCode) => void;
}

/** Leaves out of what waits for the log what the archiver refuses whenever it comes: to send it again and again would end never. */
export class FinalRefusals {
  readonly #parts: RefusalParts;
  readonly #told = new Set<string>();

  constructor(parts: RefusalParts) {
    this.#parts = parts;
  }

  /** Those that may be logged yet. The others stay where they are: whoever signed them may still look at them. */
  without<Waiting extends { readonly line: string }>(waiting: readonly Waiting[]): Waiting[] {
    return waiting.filter(({ line }) => {
      const code = this.#refusalOf(line);
      if (code !== null && !this.#told.has(line)) {
        this.#told.add(line);
        this.#parts.onRefused(code);
      }
      return code === null;
    });
  }

  #refusalOf(line: string): FailureCode | null {
    const { origin, clock } = this.#parts;
    try {
      const { log, at } = parseEntry(line) as { readonly log?: string; readonly at: string };
      if (log !== origin) return 'archive/other-log';
      return fromSeconds(at) < clock() - APPROVAL_GOOD_FOR_MS ? 'archive/stale-approval' : null;
    } catch (error) {
      if (error instanceof FormatError) return 'archive/bad-approval';
      throw error;
    }
  }
}
