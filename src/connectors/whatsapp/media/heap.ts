// SPDX-License-Identifier: AGPL-3.0-or-later

/** Gives what comes first, in logarithmic time: queues may hold a hundred thousand works after a large history. */
export class Heap<T> {
  readonly #items: T[] = [];
  readonly #rank: (item: T) => number;

  constructor(rank: (item: T) => number) {
    this.#rank = rank;
  }

  get first(): T | undefined {
    return this.#items[0];
  }

  push(item: T): void {
    const items = this.#items;
    const rank = this.#rank(item);
    let at = items.push(item) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = items[above] as T;
      if (this.#rank(parent) <= rank) break;
      items[at] = parent;
      at = above;
    }
    items[at] = item;
  }

  pop(): T | undefined {
    const items = this.#items;
    const [first] = items;
    const last = items.pop();
    if (last === undefined || items.length === 0) return first;
    const rank = this.#rank(last);
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      if (left >= items.length) break;
      const right = left + 1;
      const isRight = right < items.length && this.#rank(items[right] as T) < this.#rank(items[left] as T);
      const below = isRight ? right : left;
      const child = items[below] as T;
      if (this.#rank(child) >= rank) break;
      items[at] = child;
      at = below;
    }
    items[at] = last;
    return first;
  }
}
