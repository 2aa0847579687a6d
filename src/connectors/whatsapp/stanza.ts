// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash, type Hash } from 'node:crypto';
import { decodeMessageNode, type BinaryNode } from '@whiskeysockets/baileys';
import { childrenOf } from './normalise/frame.ts';
import type { OwnAddresses, StanzaNode } from './normalise/input.ts';
import type { Unread } from './reasons.ts';

/** What the client is going to do with a `<message>`. */
export type Course =
  /** It decrypts these children; each is captured where it is decrypted. */
  | { readonly course: 'decrypts'; readonly parts: readonly number[] }
  /** It takes these children as they are. */
  | { readonly course: 'reads'; readonly parts: readonly number[] }
  /** It tells the server that it is done with it, and nobody else. */
  | { readonly course: 'drops'; readonly why: Unread };

const DECRYPTED = new Set(['pkmsg', 'msg', 'skmsg']);

/** Mirrors the client's own decisions; what it would drop must be captured before it gets to see it. */
export function courseOf(node: StanzaNode, own: OwnAddresses): Course {
  const children = childrenOf(node);
  if (children.find(({ tag }) => tag === 'enc')?.attrs['type'] === 'msmsg')
    return { course: 'drops', why: 'bot-message' };
  if (!isRoutable(node, own)) return { course: 'drops', why: 'unroutable' };
  const partsOf = (isOne: (child: StanzaNode) => boolean): number[] =>
    children.flatMap((child, at) => (child.content instanceof Uint8Array && isOne(child) ? [at] : []));
  const encrypted = partsOf(({ tag, attrs }) => tag === 'enc' && DECRYPTED.has(attrs['type'] ?? ''));
  if (encrypted.length > 0) return { course: 'decrypts', parts: encrypted };
  const plain = partsOf(({ tag }) => tag === 'plaintext');
  if (plain.length > 0) return { course: 'reads', parts: plain };
  if (children.some(({ tag }) => tag === 'unavailable')) return { course: 'drops', why: 'unavailable' };
  return { course: 'drops', why: children.some(({ tag }) => tag === 'enc') ? 'unknown-encryption' : 'empty' };
}

function isRoutable(node: StanzaNode, own: OwnAddresses): boolean {
  try {
    decodeMessageNode(node as BinaryNode, own.pn, own.lid ?? '');
    return true;
  } catch {
    return false;
  }
}

/** The same for a stanza however often the server sends it: only the mark that it comes from the queue may differ. */
export function hashOf(node: StanzaNode): string {
  const hash = createHash('sha256');
  addTo(hash, node);
  return hash.digest('hex');
}

function addTo(hash: Hash, { tag, attrs, content }: StanzaNode): void {
  const { offline: _, ...lasting } = attrs;
  const names = Object.keys(lasting).toSorted();
  const children = Array.isArray(content) ? (content as readonly StanzaNode[]) : [];
  const bytes = content === undefined || Array.isArray(content) ? '' : (content as string | Uint8Array);
  hash.update(JSON.stringify([tag, names.map((name) => [name, lasting[name]]), children.length, bytes.length]));
  hash.update(bytes);
  for (const child of children) addTo(hash, child);
}
