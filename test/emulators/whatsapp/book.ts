// SPDX-License-Identifier: AGPL-3.0-or-later
import type { WireNode } from './wire.ts';

/**
 * Where a stanza stands.
 *
 * - `on-server`: not answered; it is sent again at every login.
 * - `receipted`: the client told the server that it has it, by a receipt or by an ack without error. Nobody sends it again.
 * - `refused`: acknowledged with an error (487, 495, 500, …). Gone from the server, and the client said that it has not got it.
 * - `dropped`: the device was unlinked while the stanza waited.
 */
export type EntryState = 'on-server' | 'receipted' | 'refused' | 'dropped';

export interface Reply {
  readonly tag: 'receipt' | 'ack';
  readonly type: string | null;
  readonly error: string | null;
  readonly atMs: number;
}

/** One stanza for one device. */
export interface QueueEntry {
  readonly serial: number;
  readonly number: string;
  readonly device: number;
  readonly tag: string;
  readonly id: string;
  /** JID the stanza came from: the chat, in a group the group. */
  readonly from: string;
  readonly participant: string | null;
  /** SHA-256 in hex of each decrypted `Message`, in the order of the `<enc>` children. Empty for other stanzas. */
  readonly plaintextSha256: readonly string[];
  /** SHA-256 in hex of each ciphertext. */
  readonly ciphertextSha256: readonly string[];
  /** The first text in it, if it has one: to see which one is missing. */
  readonly text: string | null;
  readonly state: EntryState;
  /** Times it was written to a connection. */
  readonly sent: number;
  /** Retry receipts for it. */
  readonly retries: number;
  readonly replies: readonly Reply[];
}

export interface StanzaSeen {
  readonly number: string | null;
  readonly device: number | null;
  readonly atMs: number;
  readonly node: WireNode;
  /** For messages to the owner's phone: the decrypted `Message` bytes. */
  readonly plaintext: Uint8Array | null;
}

export interface HttpRequestSeen {
  readonly method: string;
  readonly host: string | null;
  readonly path: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Body bytes written before the end, or before the client left. */
  readonly bytesSent: number;
}
