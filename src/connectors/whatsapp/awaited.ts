// SPDX-License-Identifier: AGPL-3.0-or-later
import type { StanzaNode } from './normalise/input.ts';

/**
 * Messages that a connection ended with, unaccounted for. Nobody receipted them, so the server must send them again; what does not come
 * again was refused by the client behind our back.
 */
export class Awaited {
  readonly #nodes = new Map<string, StanzaNode>();
  #sinceMs: number | null = null;

  expect(nodes: readonly StanzaNode[]): void {
    for (const node of nodes) this.#nodes.set(keyOf(node), node);
  }

  arrived(node: StanzaNode): void {
    if (this.#nodes.size > 0) this.#nodes.delete(keyOf(node));
  }

  /** The server has offered everything it had: from now on the wait counts. */
  resume(nowMs: number): void {
    this.#sinceMs ??= nowMs;
  }

  pause(): void {
    this.#sinceMs = null;
  }

  /** One that the server should have sent again by now. It is awaited until it is {@link missed}. */
  overdue(nowMs: number, afterMs: number): StanzaNode | null {
    if (this.#sinceMs === null || nowMs - this.#sinceMs < afterMs) return null;
    const [first] = this.#nodes.values();
    return first ?? null;
  }

  /** That it did not come is recorded. */
  missed(node: StanzaNode): void {
    this.#nodes.delete(keyOf(node));
  }
}

function keyOf({ attrs }: StanzaNode): string {
  return JSON.stringify([attrs['from'], attrs['participant'] ?? '', attrs['id']]);
}
