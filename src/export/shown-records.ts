// SPDX-License-Identifier: AGPL-3.0-or-later
import type { StoredLine } from '../search/snapshot.ts';
import { csvRow } from './csv.ts';
import { lineKey } from './item.ts';
import { plannedLines, type Plan } from './plan.ts';

const ID_BYTES = 32;
const AT_FIRST = 1024;

/** Every record that an export shows, in its order: place in the log and id, 40 bytes each. */
export class ShownRecords {
  #ids = Buffer.alloc(AT_FIRST * ID_BYTES);
  #leaves = new Float64Array(AT_FIRST);
  /** How many records each line has. */
  readonly #counts: number[] = [];
  count = 0;

  /** Of the next line. */
  add({ records }: StoredLine): void {
    for (const { leaf, id } of records) {
      if (this.count === this.#leaves.length) this.#grow();
      this.#leaves[this.count] = leaf;
      this.#ids.write(id, this.count * ID_BYTES, ID_BYTES, 'hex');
      this.count += 1;
    }
    this.#counts.push(records.length);
  }

  #grow(): void {
    const [ids, leaves] = [Buffer.alloc(2 * this.#ids.length), new Float64Array(2 * this.#leaves.length)];
    ids.set(this.#ids);
    leaves.set(this.#leaves);
    [this.#ids, this.#leaves] = [ids, leaves];
  }

  /** In the order of the log, each once. */
  leaves(): Float64Array {
    const sorted = this.#leaves.slice(0, this.count).toSorted();
    return sorted.filter((leaf, at) => at === 0 || leaf !== sorted[at - 1]);
  }

  /** Each with its line: what a proof is asked for by. */
  async *csv(plan: Plan): AsyncGenerator<string> {
    yield csvRow(['leaf', 'record_id', 'line', 'scope']);
    let at = 0;
    let line = 0;
    for (const planned of plannedLines(plan)) {
      const [key, scope] = [lineKey({ planned }), planned.isHit ? 'hit' : 'context'];
      const end = at + (this.#counts[line] ?? 0);
      // Digits and letters only: nothing to quote.
      for (; at < end; at += 1) yield `${this.#leaves[at]},${this.#id(at)},${key},${scope}\r\n`;
      line += 1;
    }
  }

  #id(at: number): string {
    return this.#ids.toString('hex', at * ID_BYTES, (at + 1) * ID_BYTES);
  }
}
