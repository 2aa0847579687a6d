// SPDX-License-Identifier: AGPL-3.0-or-later
import type { StoredLine } from '../search/snapshot.ts';

/** From whose accounts the lines of an export were captured, by the agency's directory as of the time of each. */
export class Custodians {
  readonly #lines = new Map<string, number>();
  /** Lines of accounts that the directory names nobody for. */
  unnamed = 0;

  add({ shown: { custodians } }: StoredLine): void {
    if (custodians.length === 0) this.unnamed += 1;
    for (const name of custodians) this.#lines.set(name, (this.#lines.get(name) ?? 0) + 1);
  }

  /** By name; a line captured from two custodians counts for both. */
  get all(): { readonly name: string; readonly lines: number }[] {
    return [...this.#lines]
      .map(([name, lines]) => ({ name, lines }))
      .toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  }
}
