// SPDX-License-Identifier: AGPL-3.0-or-later
import type { MessageRef, NativeId, Party, View, ViewKind } from '../../record/message.ts';
import type { Understood } from './normalise.ts';
import { keyOf } from './normalise/frame.ts';

/** How others name a message: who wrote it, and when by the author's clock. */
export interface Stamp {
  readonly author: string;
  readonly sentAtMs: number;
}

/** The owner. Receipts for own messages name no author, and the owner's ACI may not be known yet. */
export const SELF = 'self';

/** What receipts, quotes and the like can point at. */
const REFERABLE: ReadonlySet<ViewKind> = new Set([
  'message',
  'edit',
  'delete',
  'reaction',
  'poll-vote',
  'poll-end',
  'pin',
  'unpin',
  'timer',
  'story',
  'group-update',
  'empty',
  'unknown',
]);

/**
 * Identity of "the message by this author at this time", whatever conversation, device and kind it turns out to be of: all that a
 * reference, or the header of an undecryptable message, tells. Pseudonym of such gaps and of the index of authored messages.
 */
export function refNative({ author, sentAtMs }: Stamp): NativeId {
  return { chat: '', sender: author, id: String(sentAtMs), kind: 'ref', revision: '' };
}

/** The stamps under which others may name this message; none if nothing can point at it. */
export function stampsOf({ view, headerAtMs }: Understood, account: string): Stamp[] {
  if (!REFERABLE.has(view.kind) || view.sender === null) return [];
  return stamps(authorKeys(view, account), [view.sentAtMs, headerAtMs]);
}

/** Under which a header says "this came": what an undecryptable message had in its header before. */
export function headerStamps({ view, headerAtMs }: Understood, account: string): Stamp[] {
  return view.sender === null ? [] : stamps(authorKeys(view, account), [headerAtMs, view.sentAtMs]);
}

/** All earlier messages that this one names. */
export function referencesOf(view: View, account: string): Stamp[] {
  const found = refsOf(view).flatMap((ref) => stampOf(ref, account));
  return [...new Map(found.map((stamp) => [`${stamp.author}@${stamp.sentAtMs}`, stamp])).values()];
}

/** True if the owner's own devices sent it. */
export function isOwn(view: View, account: string): boolean {
  if (view.direction === 'out' || view.sender?.number === account) return true;
  return view.kind === 'read-sync' || view.kind === 'block-list' || view.kind === 'sync';
}

function refsOf(view: View): readonly MessageRef[] {
  switch (view.kind) {
    case 'message':
      return contentRefs(view.content);
    case 'edit':
      return [view.target, ...contentRefs(view.content)];
    case 'delete':
    case 'reaction':
    case 'poll-vote':
    case 'poll-end':
    case 'pin':
    case 'unpin':
      return [view.target];
    case 'receipt':
    case 'read-sync':
      return view.targets;
    default:
      return [];
  }
}

function contentRefs({ quote, storyReply }: { quote?: MessageRef; storyReply?: MessageRef }): MessageRef[] {
  return [quote, storyReply].flatMap((ref) => ref ?? []);
}

function stampOf({ author, sentAtMs }: MessageRef, account: string): Stamp[] {
  const key = author.number === account && author.id === null ? SELF : keyOf(author);
  return key === '' || sentAtMs === null || sentAtMs <= 0 ? [] : [{ author: key, sentAtMs }];
}

function authorKeys(view: View, account: string): string[] {
  const key = keyOf(view.sender as Party);
  return isOwn(view, account) ? [SELF, key] : [key];
}

function stamps(authors: readonly string[], times: readonly (number | null)[]): Stamp[] {
  const distinct = [...new Set(times)].flatMap((time) => (time === null || time <= 0 ? [] : [time]));
  return authors.flatMap((author) => (author === '' ? [] : distinct.map((sentAtMs) => ({ author, sentAtMs }))));
}
