// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Json } from '../../record/canonical.ts';
import type { Attachment, MessageRef, NativeId, ObjectKey, View, ViewBody } from '../../record/message.ts';
import type { Understood } from './normalise.ts';
import type { StateName } from './state.ts';
import { decodeState, encodeState } from '../state.ts';

/**
 * One attachment on its way into the archive. Persisted with the message that lists it, so that a crash forgets none.
 *
 * - `fetch`: not archived yet
 * - `missing`: not there for long; a gap is open, and it is asked for now and then
 * - `mismatch`: the file kept another length than it should have; what there is, is archived, a gap is open
 * - `delete`: archived; to be removed upstream
 * - `gone`: given up; kept for a while, so that a late copy of the message does not start it again
 */
export type WorkPhase = 'fetch' | 'missing' | 'mismatch' | 'delete' | 'gone';

export interface Work {
  readonly name: StateName;
  readonly phase: WorkPhase;
  readonly attachment: Attachment & { readonly id: string };
  readonly native: NativeId;
  readonly head: Omit<View, keyof ViewBody>;
  readonly target: MessageRef;
  /** When the message was captured, and when this phase began. */
  readonly addedMs: number;
  readonly sinceMs: number;
}

/** Identity of one file of one message. */
export function mediaNative(message: NativeId, { place, id }: Attachment): NativeId {
  return { ...message, kind: 'attachment', revision: `${message.kind}/${message.revision}/${place}/${id ?? ''}` };
}

/** Everything that a message lists and that has a name upstream. */
export function worksOf({ view, native }: Understood, tagOf: (native: NativeId) => string, nowMs: number): Work[] {
  const attachments = 'content' in view ? (view.content.attachments ?? []) : [];
  if (attachments.length === 0) return [];
  const { v, app, account, direction, chat, sender, sentAtMs, serverAtMs } = view;
  const head = { v, app, account, direction, chat, sender, sentAtMs, serverAtMs };
  const target = { author: sender ?? { id: null, number: null }, sentAtMs: sentAtMs ?? 0 };
  return attachments.flatMap((attachment) => {
    const { id } = attachment;
    if (id === null) return [];
    const own = mediaNative(native, attachment);
    const name: StateName = `work/${tagOf(own)}`;
    const times = { addedMs: nowMs, sinceMs: nowMs };
    return [{ name, phase: 'fetch', attachment: { ...attachment, id }, native: own, head, target, ...times }];
  });
}

export function mediaView({ head, target, attachment }: Work, object: ObjectKey): View {
  return { ...head, kind: 'attachment', target, attachment, object } as View;
}

export function encodeWork(work: Work): Uint8Array {
  return encodeState(work as unknown as Json);
}

export function decodeWork(bytes: Uint8Array | null): Work | null {
  return decodeState<Work>(bytes);
}

/** A name that could leave the attachments' folder is asked of nobody: signal-cli never makes one. */
export function isSafeId(id: string): boolean {
  return id !== '' && id !== '.' && id !== '..' && !/[/\\\0]/.test(id);
}
