// SPDX-License-Identifier: AGPL-3.0-or-later
import type { StanzaNode } from './normalise/input.ts';

interface Entry {
  readonly node: StanzaNode;
  readonly parts: Set<number>;
  readonly unread: Set<number>;
  readonly atMs: number;
  readonly done: PromiseWithResolvers<void>;
}

/**
 * The book of what one connection received and has not accounted for: every `<message>` ends as captured, as not readable with a gap, or
 * as not sent to linked devices. What stays open means that the client swallowed it.
 */
export class StanzaBook {
  readonly #open = new Map<StanzaNode, Entry>();

  /** `parts`: the children that the client is to decrypt. Resolves once it has read them, or they are accounted for. */
  arrived(node: StanzaNode, parts: readonly number[], atMs: number): Promise<void> {
    const done = Promise.withResolvers<void>();
    this.#open.set(node, { node, parts: new Set(parts), unread: new Set(parts), atMs, done });
    return done.promise;
  }

  /** The client has decrypted a part. It is not durable yet. */
  read(node: StanzaNode, part: number): void {
    const entry = this.#open.get(node);
    entry?.unread.delete(part);
    if (entry?.unread.size === 0) entry.done.resolve();
  }

  accounted(node: StanzaNode, part: number): void {
    const entry = this.#open.get(node);
    entry?.parts.delete(part);
    if (entry?.parts.size !== 0) return;
    this.#open.delete(node);
    entry.done.resolve();
  }

  get oldestMs(): number | null {
    // Insertion order is order of arrival.
    const [oldest] = this.#open.values();
    return oldest?.atMs ?? null;
  }

  /** The oldest that came by then and is open still. It stays in the book until it is {@link given} to somebody, durably. */
  overdue(byMs: number): StanzaNode | null {
    const [oldest] = this.#open.values();
    return oldest !== undefined && oldest.atMs <= byMs ? oldest.node : null;
  }

  /** It is somebody else's to account for. */
  given(node: StanzaNode): void {
    this.#open.delete(node);
  }

  /** What is open still. */
  get nodes(): StanzaNode[] {
    return [...this.#open.keys()];
  }
}
