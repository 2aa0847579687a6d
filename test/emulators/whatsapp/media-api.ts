// SPDX-License-Identifier: AGPL-3.0-or-later

/** Names of the key derivation, as Baileys' `MediaType` has them. */
export type MediaKind =
  | 'image'
  | 'video'
  | 'audio'
  | 'document'
  | 'sticker'
  | 'gif'
  | 'ptt'
  | 'md-msg-hist'
  | 'md-app-state'
  | 'thumbnail-link';

/** The fields that a message carries about a blob on the media host. */
export interface MediaReference {
  /** On the emulator. Senders choose it, so clients must not use it. */
  readonly url: string;
  readonly directPath: string;
  readonly mediaKey: Uint8Array;
  readonly fileSha256: Uint8Array;
  readonly fileEncSha256: Uint8Array;
  readonly fileLength: number;
}

export interface MediaToHost {
  readonly kind: MediaKind;
  /** The plaintext … */
  readonly bytes?: Uint8Array;
  /** … or so many made-up bytes, generated while they are served, whatever the size. */
  readonly size?: number;
  readonly fault?: MediaFault;
}

export type MediaFault =
  | { readonly fault: 'status'; readonly status: number; readonly times?: number }
  /** The body stops after so many bytes and the connection stays open. */
  | { readonly fault: 'stall'; readonly afterBytes: number }
  /** No headers at all. */
  | { readonly fault: 'mute' }
  | { readonly fault: 'trickle'; readonly bytesPerSecond: number }
  | { readonly fault: 'flip'; readonly atByte: number }
  | { readonly fault: 'truncate'; readonly atByte: number }
  /** The connection breaks after so many bytes; `times` absent: every time. */
  | { readonly fault: 'reset'; readonly afterBytes: number; readonly times?: number }
  | { readonly fault: 'append'; readonly bytes: number }
  /** Says this length and sends the blob. */
  | { readonly fault: 'content-length'; readonly bytes: number }
  /** Never ends. */
  | { readonly fault: 'endless' }
  | { readonly fault: 'redirect'; readonly location: string };

/** `uploads`: a new directPath. `not-found`: the phone has not got it. `silent`: the phone is off. */
export type ReuploadAnswer = 'uploads' | 'not-found' | 'silent' | 'garbage';
