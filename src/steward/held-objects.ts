// SPDX-License-Identifier: AGPL-3.0-or-later
import type { HoldEntry } from '../record/entry-types.ts';
import { FormatError } from '../record/format-error.ts';
import { sha256Hex } from '../record/hash.ts';
import { approvalText, isApproved, parseHoldDocument } from '../record/hold.ts';
import type { KeyId, SigningKey } from '../record/key.ts';
import { mediaKey, packKey } from '../record/layout.ts';

/** What the store must keep, folded from the `hold` entries of the log, in its order. Needs public keys only. */
export class HeldObjects {
  readonly #origin: string;
  readonly #holds = new Map<string, { readonly keys: Set<string>; released: boolean }>();
  readonly #signed = new Set<string>();
  /** Entries that count for nothing: by no officer, a replay, without their document, behind a release. */
  ignored = 0;

  constructor(origin: string) {
    this.#origin = origin;
  }

  take(entry: HoldEntry, docs: readonly string[], officers: ReadonlyMap<KeyId, SigningKey>): void {
    const keys = this.#keysIn(entry, docs);
    const signed = sha256Hex(approvalText(entry));
    const hold = this.#holds.get(entry.hold) ?? { keys: new Set<string>(), released: false };
    if (keys === null || this.#signed.has(signed) || hold.released || !isApproved(entry, officers)) {
      this.ignored += 1;
      return;
    }
    this.#signed.add(signed);
    this.#holds.set(entry.hold, hold);
    for (const key of keys) hold.keys.add(key);
    hold.released = entry.state === 'released';
  }

  #keysIn({ objects }: HoldEntry, docs: readonly string[]): string[] | null {
    const document = docs.find((doc) => sha256Hex(doc) === objects.h);
    try {
      const { packs, media } = parseHoldDocument(document ?? '');
      return [...packs.map((hash) => packKey(this.#origin, hash)), ...media.map(mediaKey)];
    } catch (error) {
      if (error instanceof FormatError) return null;
      throw error;
    }
  }

  /** Keys that a hold in force names. */
  wanted(): Set<string> {
    return new Set([...this.#holds.values()].flatMap(({ keys, released }) => (released ? [] : [...keys])));
  }

  /** Keys that a released hold named, and none in force does. */
  freed(): Set<string> {
    const wanted = this.wanted();
    const named = [...this.#holds.values()].flatMap(({ keys, released }) => (released ? [...keys] : []));
    return new Set(named.filter((key) => !wanted.has(key)));
  }

  get inForce(): number {
    return [...this.#holds.values()].filter(({ released }) => !released).length;
  }
}
