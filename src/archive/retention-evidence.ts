// SPDX-License-Identifier: AGPL-3.0-or-later
import { fixedWidth, timeStampPrefix, witnessPrefix } from '../record/layout.ts';
import type { LogPlace } from './segments.ts';

/** Behind all names of one size: what follows the size is hexadecimal. */
const LAST_OF_SIZE = '-g';

/** What others said of the log beside it, time stamps and cosigned checkpoints, in the order of the log. */
export class EvidenceCursor {
  readonly #folders: readonly Folder[];

  /** Of sizes behind `leaf`. */
  constructor(place: LogPlace, leaf: number) {
    const { origin } = place;
    this.#folders = [timeStampPrefix(origin), witnessPrefix(origin)].map((prefix) => new Folder(place, prefix, leaf));
  }

  /** Keys of sizes up to this one that were not given yet. */
  async upTo(size: number): Promise<string[]> {
    const keys: string[] = [];
    for (const folder of this.#folders) keys.push(...(await folder.upTo(size)));
    return keys;
  }
}

class Folder {
  readonly #prefix: string;
  readonly #keys: AsyncIterator<string>;
  #next: string | null | undefined = undefined;

  constructor({ store }: LogPlace, prefix: string, leaf: number) {
    this.#prefix = prefix;
    const listing = store.listVersions(prefix, prefix + fixedWidth(leaf) + LAST_OF_SIZE);
    this.#keys = (async function* distinct(): AsyncGenerator<string> {
      let last = '';
      for await (const { key, deleteMarker } of listing) if (!deleteMarker && key !== last) yield (last = key);
    })();
  }

  async upTo(size: number): Promise<string[]> {
    const most = this.#prefix + fixedWidth(size) + LAST_OF_SIZE;
    const keys: string[] = [];
    for (let key = await this.#peek(); key !== null && key < most; key = await this.#peek()) {
      keys.push(key);
      this.#next = undefined;
    }
    return keys;
  }

  async #peek(): Promise<string | null> {
    if (this.#next !== undefined) return this.#next;
    const { done, value } = await this.#keys.next();
    return (this.#next = done === true ? null : value);
  }
}
