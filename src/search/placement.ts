// SPDX-License-Identifier: AGPL-3.0-or-later
import type { MessageRef, Party, View } from '../record/message.ts';

/** How a record stands to the lines of a conversation: it makes one, or belongs to earlier ones, or both. */
export interface Placement {
  /** Name of the line that it makes; null if it only belongs to others. */
  readonly own: LineName | null;
  /** A further name under which later records may mean the first of its targets: an edit is answered by its own time. */
  readonly alias: LineName | null;
  readonly targets: readonly LineName[];
}

/** `author` and `rest` together name a line; without author the rest alone does. */
export interface LineName {
  readonly author: Party | null;
  readonly rest: string;
}

/** Where a record makes a line that nobody can mean: the leaf is its name. */
export function placementOf(view: View, leaf: number): Placement {
  const targets = targetsOf(view);
  if (targets.length > 0) {
    return { own: null, alias: view.kind === 'edit' ? nameOf(view) : null, targets };
  }
  return { own: ownName(view) ?? { author: null, rest: `leaf.${leaf}` }, alias: null, targets };
}

function ownName(view: View): LineName | null {
  if (view.kind === 'message' || view.kind === 'story') return nameOf(view);
  // All events of a call are one line, whoever's account saw them.
  if (view.kind === 'call') return { author: null, rest: `call.${view.app}.${view.callId}` };
  if (view.direction === 'none') return null;
  const name = nameOf(view);
  return name === null ? null : { ...name, rest: `${view.kind}.${name.rest}` };
}

function nameOf({ sender, sentAtMs, id }: View): LineName | null {
  return sender === null ? null : refName({ author: sender, sentAtMs, ...(id === undefined ? {} : { id }) });
}

function refName({ author, sentAtMs, id }: MessageRef): LineName | null {
  if (author.id === null && (author.number ?? null) === null) return null;
  if (typeof id === 'string') return { author, rest: `i${id}` };
  return sentAtMs === null ? null : { author, rest: `t${sentAtMs}` };
}

/** The earlier messages a view is about. One that cannot be named leaves the view a line of its own. */
function targetsOf(view: View): LineName[] {
  switch (view.kind) {
    case 'edit':
    case 'delete':
    case 'reaction':
    case 'poll-vote':
    case 'poll-end':
    case 'pin':
    case 'unpin':
    case 'event-response':
    case 'keep':
    case 'attachment':
      return named([view.target]);
    case 'gap':
    case 'delete-for-me':
      return view.target === undefined ? [] : named([view.target]);
    case 'receipt':
    case 'read-sync':
      return named(view.targets);
    default:
      return [];
  }
}

function named(refs: readonly MessageRef[]): LineName[] {
  return refs.flatMap((ref) => refName(ref) ?? []);
}

/** False for records that change nothing a search could find: they are only shown. */
export function changesSearch(view: View): boolean {
  return view.kind !== 'receipt' && view.kind !== 'read-sync';
}
