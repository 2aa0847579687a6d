// SPDX-License-Identifier: Apache-2.0

/*
 * Glossary. One word per thing, everywhere.
 *
 * capture     what a connector hands over: the upstream bytes, always, and what it understood of them
 * view        what was understood: one normalised message, event or state
 * raw         the upstream bytes, as they came
 * record      a capture once sealed, numbered and chained in its stream; its header is an entry of the log
 * stream      the records of one capture device of one account (or of one process), gapless and signed by one key
 * entry       one leaf of the log: a record's header, or a line of the log's own writer
 * batch       consecutive records of one stream under one signature
 * epoch       a secret wrapped to the recipients; record keys come from it, one after the other
 * object      sealed bytes too large for a record's body: media, mostly
 * pack        one stored object with the bodies of many records of one retention class
 * segment     one stored object with entries, statements and documents: the commit point of the log
 * checkpoint  the log's signed size and root
 * receipt     proof for a connector that its records are in the log
 * finding     something a verifier holds against an archive; a note is something it mentions
 * gap         a record that says what is missing and why
 */

/** A person or account as the messenger names it. `id` is the messenger's stable identifier. */
export interface Party {
  readonly id: string | null;
  readonly number?: string | null;
  readonly name?: string | null;
  /** Device number within the account, where the messenger tells it. */
  readonly device?: number | null;
}

export interface Chat {
  readonly type: 'direct' | 'group' | 'self' | 'story' | 'broadcast' | 'channel' | 'unknown';
  /** Messenger's identifier of the conversation; for a direct one, the other party's. */
  readonly id: string | null;
  readonly name?: string | null;
  readonly revision?: number | null;
}

/** Names an earlier message: who wrote it, and when (ms since 1970, the author's clock) or under which id. */
export interface MessageRef {
  readonly author: Party;
  /** Null where the messenger names messages by id, and the time is not known. */
  readonly sentAtMs: number | null;
  /** The messenger's id of the message, where it has such ids. Chosen by the author: alone it names nothing. */
  readonly id?: string;
}

export interface Attachment {
  /** Upstream name of the file; what a later `attachment` view refers to. */
  readonly id: string | null;
  readonly contentType: string | null;
  readonly fileName: string | null;
  readonly size: number | null;
  readonly width?: number | null;
  readonly height?: number | null;
  readonly caption?: string | null;
  /** What it is shown as, where the messenger tells more than the content type does. */
  readonly shownAs?:
    | 'image'
    | 'video'
    | 'gif'
    | 'video-note'
    | 'audio'
    | 'voice'
    | 'document'
    | 'sticker'
    | 'sticker-pack';
  readonly seconds?: number | null;
  readonly source?: AttachmentSource;
  /** Where it stands in the message: an attachment proper, or a part of something else. */
  readonly place: 'attachment' | 'quote' | 'preview' | 'contact' | 'story' | 'long-text';
}

/** Where the messenger's server keeps the file, and what opens it there. Binary members are base64. */
export interface AttachmentSource {
  /** What the key is expanded for. */
  readonly type: string;
  readonly path: string | null;
  /** Chosen by the sender; evidence, not an address to call. */
  readonly url: string | null;
  readonly key: string;
  readonly sha256: string | null;
  /** Of the file as the server holds it. */
  readonly encryptedSha256: string | null;
}

export interface Quote extends MessageRef {
  readonly text: string | null;
}

export interface TextRange {
  readonly start: number;
  readonly length: number;
}

/** What a message says. Members are present where the message has them. */
export interface Content {
  readonly text: string | null;
  readonly attachments?: readonly Attachment[];
  readonly quote?: Quote;
  readonly mentions?: readonly (TextRange & { readonly party: Party })[];
  readonly styles?: readonly (TextRange & { readonly style: string })[];
  readonly previews?: readonly {
    readonly url: string;
    readonly title: string | null;
    readonly description: string | null;
  }[];
  readonly sticker?: { readonly pack: string; readonly id: number };
  /** Shared address book entries, as the messenger gives them. */
  readonly contacts?: readonly unknown[];
  readonly payment?: { readonly note: string | null; readonly receipt: string | null };
  readonly poll?: { readonly question: string; readonly multiple: boolean; readonly options: readonly string[] };
  readonly storyReply?: MessageRef;
  readonly event?: CalendarEvent;
  readonly place?: GeoPlace;
  readonly groupInvite?: { readonly group: string; readonly name: string | null; readonly expiresAtMs: number | null };
  /** Titles, footers and buttons of messages made of fixed parts, in the order shown. */
  readonly card?: { readonly lines: readonly string[]; readonly choices: readonly string[] };
  /** Which button or row of an earlier message was chosen. */
  readonly choice?: { readonly id: string | null; readonly label: string | null };
  /** Part of another message: an item of an album, the same picture in a higher resolution, a comment on it. */
  readonly partOf?: MessageRef & { readonly how: string };
  /** An album's announced number of items. */
  readonly album?: { readonly images: number; readonly videos: number };
  /** Forwarded, and how often it was before, as the messenger counts. */
  readonly forwarded?: { readonly times: number };
  /** To whom one of the owner's devices sent it, where it went to a list. */
  readonly recipients?: readonly Party[];
  readonly viewOnce?: boolean;
  /** Disappearing timer in force, seconds. It is recorded; it never deletes anything here. */
  readonly expiresInSeconds?: number;
}

export interface CalendarEvent {
  readonly name: string;
  readonly description: string | null;
  readonly startAtMs: number | null;
  readonly endAtMs: number | null;
  readonly canceled: boolean;
  readonly link: string | null;
  readonly place: GeoPlace | null;
}

/** Degrees as decimal text. */
export interface GeoPlace {
  readonly latitude: string | null;
  readonly longitude: string | null;
  readonly name: string | null;
  readonly address: string | null;
  readonly isLive: boolean;
}

/** One change of a group: what (the messenger's word), whom it concerns, and what it is now. */
export interface GroupChange {
  readonly what: string;
  readonly parties: readonly Party[];
  readonly value: string | null;
}

/** What a view is about. The list is closed for writers; readers show a kind they do not know as `unknown`. */
export type ViewBody =
  | { readonly kind: 'message'; readonly content: Content }
  | { readonly kind: 'edit'; readonly target: MessageRef; readonly content: Content }
  | { readonly kind: 'delete'; readonly target: MessageRef; readonly by: 'sender' | 'admin' }
  | { readonly kind: 'reaction'; readonly target: MessageRef; readonly emoji: string; readonly removed: boolean }
  | {
      readonly kind: 'poll-vote';
      readonly target: MessageRef;
      readonly options: readonly number[];
      /** Options that the voter named and the poll, as far as it is known, does not have: hex of what the messenger calls them by. */
      readonly otherOptions?: readonly string[];
      /** How many votes of the voter this is, where the messenger counts. */
      readonly count: number | null;
    }
  | { readonly kind: 'poll-end'; readonly target: MessageRef }
  | { readonly kind: 'pin'; readonly target: MessageRef; readonly forSeconds: number }
  | { readonly kind: 'unpin'; readonly target: MessageRef }
  | { readonly kind: 'timer'; readonly expiresInSeconds: number }
  | { readonly kind: 'story'; readonly content: Content; readonly allowsReplies: boolean }
  | {
      readonly kind: 'event-response';
      readonly target: MessageRef;
      readonly response: string;
      readonly guests: number | null;
    }
  | { readonly kind: 'keep'; readonly target: MessageRef; readonly kept: boolean }
  /** The owner removed it from the own devices only; the others still have it. Without target: the whole conversation. */
  | { readonly kind: 'delete-for-me'; readonly what: 'message' | 'cleared' | 'chat'; readonly target?: MessageRef }
  | {
      readonly kind: 'call';
      readonly event: string;
      readonly callId: string;
      readonly callType: string | null;
      readonly reason?: string | null;
      readonly seconds?: number | null;
    }
  | {
      readonly kind: 'receipt';
      readonly state: 'delivered' | 'read' | 'viewed';
      readonly targets: readonly MessageRef[];
    }
  | { readonly kind: 'typing'; readonly action: string }
  | { readonly kind: 'group-update'; readonly changes?: readonly GroupChange[] }
  | { readonly kind: 'empty' }
  | { readonly kind: 'read-sync'; readonly targets: readonly MessageRef[] }
  | { readonly kind: 'block-list'; readonly parties: readonly Party[]; readonly groups: readonly string[] }
  | { readonly kind: 'sync'; readonly what: string }
  | { readonly kind: 'undecryptable'; readonly reason: string }
  /** It exists, and the messenger gives it to no linked device (yet). */
  | { readonly kind: 'unavailable'; readonly what: string }
  | {
      readonly kind: 'attachment';
      readonly target: MessageRef;
      readonly attachment: Attachment;
      readonly object: ObjectKey;
    }
  | { readonly kind: 'gap'; readonly cause: string; readonly detail: string | null; readonly target?: MessageRef }
  | { readonly kind: 'group'; readonly state: unknown }
  | { readonly kind: 'contacts'; readonly state: unknown }
  | {
      readonly kind: 'identity-change';
      readonly party: Party;
      readonly before: string | null;
      /** Null where the messenger only tells that it changed. */
      readonly after: string | null;
      readonly status: string;
    }
  | { readonly kind: 'linked'; readonly device: string | null }
  | { readonly kind: 'intakes'; readonly report: unknown }
  | { readonly kind: 'unknown'; readonly reason: string };

export type ViewKind = ViewBody['kind'];

/** How to open an object: its key, its plaintext length (the sealed form is padded) and hash. */
export interface ObjectKey {
  readonly key: string;
  readonly size: number;
  readonly sha256: string;
}

/** One normalised capture: who, where, when, and what. */
export type View = {
  readonly v: 1;
  readonly app: string;
  readonly account: Party;
  readonly direction: 'in' | 'out' | 'none';
  readonly chat: Chat | null;
  readonly sender: Party | null;
  /** The sender's clock, ms since 1970; never used for order. */
  readonly sentAtMs: number | null;
  /** When the messenger's server took it, where it says so. */
  readonly serverAtMs: number | null;
  /** The messenger's id of the message, where it has such ids: what a {@link MessageRef} names. */
  readonly id?: string;
  /** Members of `raw` that this version does not know, as paths of field numbers; the bytes are there. */
  readonly unread?: readonly string[];
} & ViewBody;

/** Identity of a message as the messenger itself knows it; becomes the record's `tag`. Strings, so that no number is rounded. */
export interface NativeId {
  readonly chat: string;
  readonly sender: string;
  readonly id: string;
  readonly kind: string;
  readonly revision: string;
}
