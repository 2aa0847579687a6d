// SPDX-License-Identifier: Apache-2.0
import { canonicalize, type Json } from '../record/canonical.ts';
import { entryIdHex } from '../record/entry.ts';
import type { ScrubEntry } from '../record/entry-types.ts';

/** A round in which an auditor read again all that is stored, as the log tells it. */
export interface ScrubReport extends Pick<ScrubEntry, 'from' | 'at' | 'size' | 'objects' | 'bytes' | 'findings'> {
  /** Id of the entry. */
  readonly id: string;
  readonly leaf: number;
}

/** What auditors signed that they saw. What a manifest's auditor did not sign counts for nothing. */
export class ScrubBook {
  readonly #rounds: ScrubReport[] = [];

  get rounds(): readonly ScrubReport[] {
    return this.#rounds;
  }

  apply(entry: ScrubEntry, leaf: number, isApproved: boolean): void {
    if (!isApproved) return;
    const { from, at, size, objects, bytes, findings } = entry;
    const id = entryIdHex(canonicalize(entry as unknown as Json));
    this.#rounds.push({ id, leaf, from, at, size, objects, bytes, findings });
  }
}
