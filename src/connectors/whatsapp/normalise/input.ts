// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Attachment, NativeId, View } from '../../../record/message.ts';

/** A node as the socket gives it (Baileys' `BinaryNode`). Never changed here. */
export interface StanzaNode {
  readonly tag: string;
  readonly attrs: Readonly<Record<string, string>>;
  readonly content?: readonly StanzaNode[] | string | Uint8Array;
}

/** The account's own two addresses, without device: `…@s.whatsapp.net` and `…@lid`. */
export interface OwnAddresses {
  readonly pn: string;
  readonly lid: string | null;
}

/**
 * What was learnt before and is needed to understand what comes now. Lookups MUST see what the same transaction is about to write.
 * Nothing here is needed to archive: without an answer the bytes are kept, and the view says what could not be told.
 */
export interface Context {
  readonly own: OwnAddresses;
  /** The other address of a person, where known: LID of a phone-number JID and the other way round. Users without device. */
  readonly counterpart: (jid: string) => string | null;
  /** What {@link Memory} was last stored for this message; null if none. */
  readonly recall: (of: NativeId) => Uint8Array | null;
}

/** One decrypted part of a `<message>` stanza. A stanza with two `<enc>` children is two inputs. */
export interface DecryptedInput {
  readonly node: StanzaNode;
  /** Position in `node.content` of the `<enc>` or `<plaintext>` child that was decrypted. */
  readonly part: number;
  /** What the Signal session gave for it, padding included (`decryptMessage`, `decryptGroupMessage`). `<plaintext>`: its content. */
  readonly plaintext: Uint8Array;
}

/**
 * Any stanza of which nothing was decrypted: `<message>` that is unavailable, undecryptable, empty or of an unknown encryption,
 * `<notification>`, `<receipt>`, `<call>`, `<chatstate>`, `<ack>`, and `<iq type=result>` with group metadata for snapshots.
 */
export interface StanzaInput {
  readonly node: StanzaNode;
  /** Why a `<message>` could not be read: a closed word of the connector, never an error's text. */
  readonly failure?: string;
}

/** A downloaded and inflated history blob. Yields thousands of captures: take them one after the other. */
export interface HistoryInput {
  /** `HistorySyncNotification`, as it was in the message that announced the blob ({@link HistorySource.notification}). */
  readonly notification: Uint8Array;
  /** `HistorySync`: what the blob holds once decrypted and inflated. */
  readonly blob: Uint8Array;
}

/** One decrypted mutation of the app state: deleted for me, chat cleared, starred, muted, a contact's name … */
export interface MutationInput {
  /** `regular_low`, `critical_block` … */
  readonly collection: string;
  readonly operation: 'set' | 'remove';
  /** `SyncActionData`, as decrypted. */
  readonly action: Uint8Array;
}

/** `keyData` of the app state key with this id (base64); null if it was not shared with this device yet. */
export type AppStateKeys = (keyId: string) => Uint8Array | null;

/** A downloaded and decrypted blob of app state (`md-app-state`): a collection's snapshot, or a patch's external mutations. */
export interface AppStateRecords {
  readonly collection: string;
  readonly sort: 'snapshot' | 'mutations';
  readonly blob: Uint8Array;
}

/** What one capture is made of, and what follows from it for the session state. `via` and `atMs` are the caller's to add. */
export interface Understood {
  readonly native: NativeId;
  readonly view: View;
  /** Stanza and decrypted bytes in the encoding of `normalise/raw.ts`. */
  readonly raw: Uint8Array;
  /**
   * The message, by who wrote it and its id, whatever became of it: a message that could not be read and the same one sent again have
   * this in common. Name gaps by it (`undecryptable` opens, any other kind closes). Null: not a message.
   */
  readonly ref: NativeId | null;
  /** False for what stands for a message that was not read and may still come: undecryptable, sent to other devices. */
  readonly isComplete: boolean;
  readonly media: readonly MediaSource[];
  /** To be stored in the same transaction, replacing what was there under this identity; answers `Context.recall` later. */
  readonly memory: readonly Memory[];
  /** Pairs of addresses that this told. */
  readonly pairs: readonly AddressPair[];
  /** A blob of history or app state that this announces. */
  readonly history: HistorySource | null;
}

/** Secret and options of a message: what edits, votes and reactions to come are decrypted with. */
export interface Memory {
  readonly of: NativeId;
  readonly value: Uint8Array;
}

export interface AddressPair {
  readonly lid: string;
  readonly pn: string;
}

/** What a downloader needs of one file. The same is in the sealed view (`attachment.source`). */
export interface MediaSource {
  /** Identity of the record that the file's bytes go into. */
  readonly native: NativeId;
  readonly attachment: Attachment;
  readonly type: MediaType;
  readonly directPath: string | null;
  /** Chosen by the sender: never fetch it, other than its path from an allowed host. */
  readonly url: string | null;
  readonly mediaKey: Uint8Array;
  readonly fileSha256: Uint8Array | null;
  readonly fileEncSha256: Uint8Array | null;
  readonly size: number | null;
}

/** Which keys a file's key expands to: HKDF info is `WhatsApp … Keys`. */
export type MediaType =
  | 'image'
  | 'video'
  | 'audio'
  | 'document'
  | 'sticker-pack'
  | 'thumbnail-image'
  | 'thumbnail-video'
  | 'thumbnail-document'
  | 'thumbnail-link'
  | 'sticker-pack-thumbnail';

export interface HistorySource {
  /** `HistorySyncNotification` as it came, or `ExternalBlobReference` for app state. Holds key and path of the blob, or the blob itself. */
  readonly notification: Uint8Array;
  /** Set where the blob is no history but app state. */
  readonly appState?: Pick<AppStateRecords, 'collection' | 'sort'>;
  readonly syncType: number;
  readonly chunk: number | null;
}
