// SPDX-License-Identifier: AGPL-3.0-or-later
import type { MessageRef, View } from '../../record/message.ts';
import type { AccountSink } from '../connector.ts';
import { encodeWork, worksOf, type Work } from './attachment-work.ts';
import { noteBlocked } from './blocked.ts';
import type { Draft } from './draft.ts';
import type { GapBook } from '../gap-book.ts';
import type { Understood } from './normalise.ts';
import { headerStamps, isOwn, referencesOf, refNative, SELF, stampsOf, type Stamp } from './references.ts';
import type { Alarm } from './reasons.ts';
import { seenName, type StateName } from './state.ts';
import { encodeState } from '../state.ts';

/** A message that was referred to and is not archived. */
export interface PendingReference {
  readonly stamp: Stamp;
  readonly sinceMs: number;
}

/** What a frame's consequences depend on, and whom they concern. */
export interface AccountContext {
  readonly account: string;
  readonly sink: AccountSink;
  readonly gaps: GapBook;
  /** References not yet resolved, by tag: an image of the session state. */
  readonly pending: Map<string, PendingReference>;
  /** Start of the archive for this account. */
  readonly linkedMs: number;
  readonly horizonMs: number;
  readonly onWork: (work: Work) => void;
  readonly onGroup: (groupId: string, revision: number | null, updated: boolean) => void;
  readonly onPhone: (atMs: number) => void;
  readonly alarm: (reason: Alarm, count?: number) => void;
}

/** More references than this in one frame are not audited; honest clients stay far below. */
const MOST_REFERENCES = 2000;
const CLOCK_TOLERANCE_MS = 86_400_000;
const NOTHING = Buffer.alloc(0);

/** What one capture means for the rest of the account's state: goes into the same transaction. */
export function noteConsequences(context: AccountContext, draft: Draft, found: Understood, isNew: boolean): void {
  // Another message may bear the same identity and bring other files.
  noteAttachments(context, draft, found);
  if (!isNew) return;
  noteArrival(context, draft, found);
  noteReferences(context, draft, found.view);
  if (found.view.kind === 'undecryptable') noteUndecryptable(context, draft, found);
  if (found.view.kind === 'block-list') noteBlocked(context, draft, found.view, found.headerAtMs);
  noteSender(context, draft, found.view);
  const { chat } = found.view;
  if (chat?.type === 'group' && chat.id !== null) {
    const { id, revision = null } = chat;
    draft.afterwards(() => context.onGroup(id, revision, found.view.kind === 'group-update'));
  }
}

function noteAttachments({ sink, onWork }: AccountContext, draft: Draft, found: Understood): void {
  for (const work of worksOf(found, (native) => sink.tagOf(native), draft.nowMs)) {
    if (draft.read(work.name) !== null || sink.has(work.native)) continue;
    draft.write(work.name, encodeWork(work));
    draft.afterwards(() => onWork(work));
  }
}

/** The message is here: whoever misses it need not any more, and whoever refers to it later will find it. */
function noteArrival(
  { account, sink, gaps, pending, horizonMs }: AccountContext,
  draft: Draft,
  found: Understood,
): void {
  if (found.view.kind === 'undecryptable') return;
  const named = stampsOf(found, account);
  for (const stamp of headerStamps(found, account)) {
    const native = refNative(stamp);
    const tag = sink.tagOf(native);
    // A receipt may be what could not be decrypted; it is not what a quote refers to.
    const filled = gaps.ofTag(tag).filter(({ cause }) => cause !== 'reference-unseen' || named.length > 0);
    draft.arrived(tag, filled, { native });
  }
  for (const stamp of named) {
    if (!isWithin(stamp, draft.nowMs - horizonMs, draft.nowMs)) continue;
    const tag = sink.tagOf(refNative(stamp));
    draft.write(seenName(tag, stamp.sentAtMs), NOTHING);
    if (isPending(pending, draft, tag)) dropPending(pending, draft, tag);
  }
}

function noteReferences(context: AccountContext, draft: Draft, view: View): void {
  const { account, sink, pending, linkedMs, horizonMs } = context;
  const oldestMs = Math.max(linkedMs, draft.nowMs - horizonMs);
  for (const stamp of referencesOf(view, account).slice(0, MOST_REFERENCES)) {
    if (!isWithin(stamp, oldestMs, draft.nowMs)) continue;
    const tag = sink.tagOf(refNative(stamp));
    if (isPending(pending, draft, tag) || draft.read(seenName(tag, stamp.sentAtMs)) !== null) continue;
    const reference = { stamp, sinceMs: draft.nowMs };
    draft.write(`ref/${tag}`, encodeState({ ...reference, stamp: { ...stamp } }));
    draft.afterwards(() => pending.set(tag, reference));
  }
}

/** Senders' clocks may say anything: times that cannot be judged are neither kept nor expected. */
function isWithin({ sentAtMs }: Stamp, oldestMs: number, nowMs: number): boolean {
  return sentAtMs > oldestMs && sentAtMs < nowMs + CLOCK_TOLERANCE_MS;
}

export function dropPending(pending: AccountContext['pending'], draft: Draft, tag: string): void {
  draft.write(`ref/${tag}`, null);
  draft.afterwards(() => pending.delete(tag));
}

function isPending(pending: AccountContext['pending'], draft: Draft, tag: string): boolean {
  const drafted = draft.drafted(`ref/${tag}`);
  return drafted === undefined ? pending.has(tag) : drafted !== null;
}

/** Only a header came. The message itself may come again, under the same sender and time; until then it is missing. */
function noteUndecryptable({ account, sink, gaps, alarm }: AccountContext, draft: Draft, found: Understood): void {
  const { view, headerAtMs, native } = found;
  if (view.kind !== 'undecryptable') return;
  const cause = view.reason === 'UntrustedIdentityException' ? 'untrusted-identity' : 'undecryptable';
  const times = headerAtMs === null ? {} : { fromMs: headerAtMs };
  const [stamp] = headerStamps(found, account);
  if (stamp === undefined) {
    draft.open(sink.tagOf(native), { cause, scope: 'message', detail: view.reason, ...times });
    return;
  }
  const missing = refNative(stamp);
  const tag = sink.tagOf(missing);
  const isArchived = draft.read(seenName(tag, stamp.sentAtMs)) !== null;
  if (isArchived || gaps.ofTag(tag).some((gap) => gap.cause === cause)) return;
  const target = targetOf(account, stamp);
  draft.open(tag, { cause, scope: 'message', native: missing, detail: view.reason, target, ...times });
  if (cause === 'untrusted-identity') draft.afterwards(() => alarm('untrusted-identity'));
}

export function targetOf(account: string, { author, sentAtMs }: Stamp): MessageRef {
  return { author: author === SELF ? { id: null, number: account } : { id: author, number: null }, sentAtMs };
}

/** What the owner's own devices send tells the owner's ACI, and that the phone is alive. */
function noteSender({ account, onPhone }: AccountContext, draft: Draft, view: View): void {
  const { sender } = view;
  if (sender === null || !isOwn(view, account)) return;
  const name: StateName = 'self';
  if (sender.id !== null && draft.read(name) === null) draft.write(name, encodeState(sender.id));
  const atMs = view.serverAtMs ?? view.sentAtMs;
  if (sender.device === 1 && atMs !== null) draft.afterwards(() => onPhone(atMs));
}
