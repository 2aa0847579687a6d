// SPDX-License-Identifier: AGPL-3.0-or-later
import type { GapEntry, Hex256, StreamRecord } from '../record/entry-types.ts';
import type { Attachment, Content, View, ViewKind } from '../record/message.ts';
import type { Defect } from './open-task.ts';

/** A person within one messenger, as the index numbers them. */
export type PersonId = number;

/** One record that belongs to a line, with those it names already told apart. */
export interface LineRecord {
  readonly leaf: number;
  readonly id: Hex256;
  /** When it was captured. */
  readonly atMs: number;
  readonly account: PersonId | null;
  readonly sender: PersonId | null;
  readonly view: View | null;
  /** Sealed objects that the record's header names. */
  readonly objects?: readonly Hex256[];
  readonly defect: Defect | null;
  readonly clear: Extract<StreamRecord, { t: 'open' | 'close' | 'hole' }> | GapEntry | null;
}

/**
 * What a line of a conversation is. Beside the kinds of views: `never-captured` (something refers to a message that is not in the archive),
 * `unreadable` (a record that does not open), `hole` and `capture` (a stream lost records, began, ended).
 */
export type LineKind = ViewKind | 'never-captured' | 'unreadable' | 'hole' | 'capture';

export interface Version {
  readonly content: Content;
  /** The author's clock, or else when it was captured. */
  readonly atMs: number;
  readonly leaf: number;
}

export interface Reaction {
  readonly person: PersonId | null;
  readonly emoji: string;
  readonly atMs: number;
  readonly removed: boolean;
}

export interface Mark {
  readonly kind: 'pin' | 'unpin' | 'keep' | 'unkeep' | 'poll-end' | 'delete-for-me' | 'response' | 'gap';
  readonly person: PersonId | null;
  readonly atMs: number;
  readonly detail: string;
}

export interface Receipt {
  readonly person: PersonId | null;
  readonly state: 'delivered' | 'read' | 'viewed' | 'read-here';
  readonly atMs: number;
}

export interface Vote {
  readonly person: PersonId | null;
  /** Null where the messenger does not give the choice to a linked device. */
  readonly options: readonly number[] | null;
  readonly atMs: number;
}

export interface HeldBytes {
  readonly size: number;
  readonly sha256: string;
  /** Leaf of the record that holds the key: names the file in every index of this log. */
  readonly leaf: number;
}

export interface HeldFile {
  readonly attachment: Attachment;
  /** Plaintext length and hash, once the bytes are in the archive; null while, or if, they are not. */
  readonly held: HeldBytes | null;
}

/** One line of a conversation: a message with everything that happened to it, or an event. */
export interface Line {
  readonly kind: LineKind;
  readonly author: PersonId | null;
  readonly sentAtMs: number | null;
  readonly serverAtMs: number | null;
  /** First what was sent, then each edit. Empty for events and for what was never captured. */
  readonly versions: readonly Version[];
  readonly deleted: { readonly by: 'sender' | 'admin'; readonly person: PersonId | null; readonly atMs: number } | null;
  readonly reactions: readonly Reaction[];
  readonly votes: readonly Vote[];
  readonly receipts: readonly Receipt[];
  readonly marks: readonly Mark[];
  readonly files: readonly HeldFile[];
  /** Events of one line, in the order captured: a call's, mostly one. */
  readonly events: readonly LineRecord[];
  /** The accounts it was captured from, each once, the first first. */
  readonly capturedBy: readonly { readonly account: PersonId | null; readonly leaf: number; readonly atMs: number }[];
  /** Every record that is folded into this line. */
  readonly leaves: readonly number[];
  readonly defects: readonly Defect[];
}
