// SPDX-License-Identifier: AGPL-3.0-or-later
import type { proto } from '@whiskeysockets/baileys';
import type { ConnectionFault, LoginRefusal, Switches } from './faults.ts';
import type { HttpRequestSeen, QueueEntry, StanzaSeen } from './book.ts';
import type { MediaFault, MediaKind, MediaReference, MediaToHost, ReuploadAnswer } from './media-api.ts';
import type { WireNode } from './wire.ts';

export interface WhatsAppEmulatorOptions {
  /** 0 or absent: any free port. */
  readonly port?: number;
  /** `wss:` and `https:` with a certificate of its own ({@link WhatsAppEmulator.caCertificate}). Default: plain. */
  readonly tls?: boolean;
  readonly accounts?: readonly AccountPreset[];
  readonly people?: readonly PersonPreset[];
  /** Append every entry of the book to this file, one JSON object per line, as its state changes. */
  readonly historyFile?: string;
}

export interface AccountPreset {
  /** Digits only, no plus. */
  readonly number: string;
  /** Digits of the LID. Default: made from the number. */
  readonly lid?: string;
  readonly name?: string;
}

/** Someone who writes to accounts. */
export type PersonPreset = AccountPreset;

export interface GroupPreset {
  readonly subject: string;
  /** Numbers of people and accounts. The first one is the owner. */
  readonly members: readonly string[];
  readonly addressing?: 'pn' | 'lid';
  /** Default: made up. */
  readonly jid?: string;
}

/** State of a device that needs no pairing: what a client would have stored, as JSON with Baileys' `BufferJSON`. */
export interface LinkedState {
  readonly number: string;
  readonly device: number;
  /** `AuthenticationCreds`. */
  readonly creds: string;
  /** Per type and id: the JSON of one value of the key store. */
  readonly keys: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** One message to every linked device of an account. */
export interface Sending {
  /** The account's number. */
  readonly to: string;
  /** The sender's number. Equal to `to`: typed on the owner's phone. */
  readonly from: string;
  /** Sender's device. Default 0, the phone. */
  readonly fromDevice?: number;
  /** JID of a group, broadcast list, status or, for own messages, of the recipient. Absent: a direct message. */
  readonly chat?: string;
  /** Bytes are taken as they are: unknown fields, truncated protos. */
  readonly message: proto.IMessage | Uint8Array;
  readonly id?: string;
  /** Default: the clock. */
  readonly timestampSeconds?: number;
  /** How the sender is addressed in the stanza. Default: `pn`, in groups what the group says. */
  readonly addressing?: 'pn' | 'lid';
  /** `mediatype` of `<enc>`; the stanza then has the type `media`. */
  readonly mediaType?: string;
  /** More or other attributes of `<message>`; `null` leaves one out. */
  readonly attributes?: Readonly<Record<string, string | null>>;
  /** More children of `<message>`. */
  readonly children?: readonly WireNode[];
  /** Changes the ciphertext, so that it cannot be decrypted. */
  readonly corrupt?: boolean;
}

export interface Sent {
  /** Message id in the stanza. */
  readonly id: string;
  /** Serial number in the book, one per linked device. */
  readonly entries: readonly number[];
  /** The `Message` bytes before padding and encryption, as they must be archived. */
  readonly plaintext: Uint8Array;
}

/** Many messages, encrypted first and then put on the wire as fast as the client takes them. */
export interface Burst {
  readonly to: string;
  /** Senders, in turn. */
  readonly from: readonly string[];
  readonly chat?: string;
  readonly count: number;
  /** Text of message i is `text + ' ' + i`. Default `message`. */
  readonly text?: string;
  /** Default: as fast as possible. */
  readonly perSecond?: number;
}

/** History as the phone sends it to a new device, or on demand. */
export interface HistoryChunk {
  readonly syncType: proto.HistorySync.HistorySyncType;
  readonly content: proto.IHistorySync;
  readonly chunkOrder?: number;
  readonly progress?: number;
  /** In the notification itself instead of a blob on the media host. */
  readonly inline?: boolean;
  /** How the media host serves the blob. */
  readonly fault?: MediaFault;
  /** Notification says another length or hash than the blob has. */
  readonly lie?: Partial<Pick<MediaReference, 'fileLength' | 'fileSha256' | 'fileEncSha256'>>;
}

export interface HistorySent extends Sent {
  readonly media: MediaReference | null;
}

/** One change in the phone's app state (delete for me, archive, mute, star, pin, contact, …). */
export interface AppStateChange {
  readonly collection: 'critical_block' | 'critical_unblock_low' | 'regular' | 'regular_high' | 'regular_low';
  readonly index: readonly string[];
  readonly value: proto.ISyncActionValue;
  readonly operation?: 'set' | 'remove';
  readonly version?: number;
}

/**
 * WhatsApp's server, the owner's phone and other people, for the unmodified client.
 *
 * Everything is asynchronous and takes and gives plain values, so that it is the same thing in the test's process
 * ({@link startWhatsAppEmulator}) and in its own ({@link forkWhatsAppEmulator}).
 */
export interface WhatsAppEmulator extends AsyncDisposable {
  /** `ws://127.0.0.1:…/ws/chat` or `wss:`. */
  readonly url: string;
  /** Where blobs are served; stands for `https://mmg.whatsapp.net` and every other media host. */
  readonly mediaUrl: string;
  /** Give it to `trustEmulator()` in the client's process before the client connects. */
  readonly noiseRoot: Uint8Array;
  /** PEM, with {@link WhatsAppEmulatorOptions.tls}. */
  readonly caCertificate: string | null;

  addAccount(preset: AccountPreset): Promise<void>;
  addPerson(preset: PersonPreset): Promise<void>;
  /** Returns the JID. Members who are accounts get it in `w:g2` answers. */
  addGroup(preset: GroupPreset): Promise<string>;

  /** Of the group as metadata queries tell it; nobody is notified. */
  changeGroup(jid: string, change: { readonly subject: string }): Promise<void>;

  /** The owner scans the code on the screen. Resolves with the device number once the client has signed. */
  scanQr(qr: string, number: string): Promise<number>;
  /** The owner types the code into the phone. */
  typePairingCode(code: string, number: string): Promise<number>;
  /** A device that is linked without having been paired. */
  linkReady(number: string, options?: { readonly preKeys?: number }): Promise<LinkedState>;
  /** The owner removes all linked devices: 401, at once or at the next login. */
  unlink(number: string): Promise<void>;

  send(sending: Sending): Promise<Sent>;
  /** Encrypts now; the wire gets it with {@link release}. */
  prepareBurst(burst: Burst): Promise<readonly number[]>;
  /** Puts prepared bursts on the wire (or into the offline queue). Resolves when all are written. */
  release(number: string): Promise<void>;
  /** Any stanza: notification, receipt, call, unencrypted message. In the queue until answered. Ids are made up if absent. */
  push(number: string, node: WireNode): Promise<readonly number[]>;
  /** Any stanza, once, outside the queue. False if the device is not connected. */
  pushOnce(number: string, node: WireNode): Promise<boolean>;
  /** What the server sent before, again, byte for byte: to the connected device or into its next offline batch. */
  redeliver(entries: readonly number[]): Promise<void>;

  putMedia(media: MediaToHost): Promise<MediaReference>;
  setMediaFault(directPath: string, fault: MediaFault | null): Promise<void>;
  /** What the phone answers when asked to upload again. Default `uploads`. */
  setReupload(number: string, answer: ReuploadAnswer): Promise<void>;
  sendHistory(number: string, chunk: HistoryChunk): Promise<HistorySent>;
  /** Answer to on-demand history; null: the phone is silent. */
  setHistoryOnDemand(number: string, content: proto.IHistorySync | null): Promise<void>;
  /** The phone gives its app-state key to the devices; needed before {@link changeAppState} means anything to them. */
  shareAppStateKey(number: string): Promise<Sent>;
  changeAppState(number: string, changes: readonly AppStateChange[]): Promise<void>;
  /** From now on devices that have nothing of the collection get what it holds as a file. */
  snapshotAppState(number: string, collection: AppStateChange['collection']): Promise<MediaReference>;

  /** Drops the TCP connection of the account's devices. */
  drop(number: string): Promise<void>;
  fault(number: string, fault: ConnectionFault): Promise<void>;
  /** Next logins fail like this; null: they succeed again. Without a number: of everyone. */
  refuseLogins(refusal: LoginRefusal | null, number?: string): Promise<void>;
  setSwitches(switches: Partial<Switches>): Promise<void>;

  /** The book: everything queued for devices and how it ended. The judge of loss. */
  book(number?: string): Promise<readonly QueueEntry[]>;
  /** Entries that the client took upon itself: receipted, or acknowledged without error. They must be in the archive. */
  receipted(number?: string): Promise<readonly QueueEntry[]>;
  /** Every stanza the client sent. */
  seen(number?: string): Promise<readonly StanzaSeen[]>;
  requests(): Promise<readonly HttpRequestSeen[]>;
  isConnected(number: string): Promise<boolean>;
  /** Logins so far, refused ones included. */
  logins(number: string): Promise<number>;
  /** Resolves when a device of the account is logged in and asked for its queue. */
  connected(number: string): Promise<void>;
  /** Resolves when these entries have left the server, by receipt or refusal. */
  answered(entries: readonly number[]): Promise<void>;
  /** Resolves when nothing of the account is in the queue. */
  drained(number: string): Promise<void>;
}

export type { MediaFault, MediaKind, MediaReference, MediaToHost, ReuploadAnswer, QueueEntry, StanzaSeen, WireNode };
