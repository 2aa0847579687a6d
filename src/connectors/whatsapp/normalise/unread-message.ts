// SPDX-License-Identifier: AGPL-3.0-or-later
import { childOf, childrenOf, type Meaning } from './frame.ts';
import type { StanzaNode } from './input.ts';

const UNAVAILABLE: Readonly<Record<string, string>> = {
  view_once: 'view-once',
  view_once_unavailable_fanout: 'view-once',
  hosted_unavailable_fanout: 'hosted',
};

/** Will not come to any linked device: the record says so, and nothing is waited for. */
const NEVER: ReadonlySet<string> = new Set(['view-once', 'hosted']);

/** A `<message>` of which nothing was decrypted: it exists, and that is recorded. */
export function understandUnread(node: StanzaNode, failure: string | undefined): Meaning {
  const unavailable = childOf(node, 'unavailable');
  if (unavailable !== null) {
    const type = unavailable.attrs['type'] ?? '';
    const what = type === '' ? 'not sent to this device' : (UNAVAILABLE[type] ?? type);
    return { body: { kind: 'unavailable', what }, isComplete: NEVER.has(what) };
  }
  const reason = failure ?? reasonOf(node);
  return { body: { kind: 'undecryptable', reason }, isComplete: false };
}

function reasonOf(node: StanzaNode): string {
  const types = childrenOf(node).flatMap(({ tag, attrs }) => (tag === 'enc' ? [attrs['type'] ?? 'without type'] : []));
  const stranger = types.find((type) => !['msg', 'pkmsg', 'skmsg'].includes(type));
  if (stranger !== undefined) return `encryption ${stranger}`;
  return types.length === 0 ? 'no content' : 'not decrypted';
}
