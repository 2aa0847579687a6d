// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Json } from '../../../record/canonical.ts';
import type { Attachment, MessageRef, NativeId, ObjectKey, View, ViewBody } from '../../../record/message.ts';
import type { MediaSource, MediaType, Understood } from '../normalise/input.ts';
import { decodeState, encodeState } from '../../state.ts';
import type { BlobSeal } from './decrypt.ts';
import { isPath } from './host.ts';
import { reuploadKeyOf, type ReuploadKey } from './reupload.ts';

/**
 * One file on its way into the archive. Persisted in the transaction of the message that lists it, so that a crash forgets none.
 *
 * - `pending`: to be fetched
 * - `asked`: the media host has not got it, or not whole; the owner's phone is asked to upload it again
 * - `kept`: archived, and gaps about it are still open
 * - `lost`: given up, a final gap; remembered for a while, so that a late copy of the message does not start it again
 */
export type MediaPhase = 'pending' | 'asked' | 'kept' | 'lost';

export interface MediaWork {
  readonly name: string;
  readonly phase: MediaPhase;
  readonly native: NativeId;
  readonly head: Omit<View, keyof ViewBody>;
  readonly target: MessageRef;
  readonly attachment: Attachment;
  readonly type: MediaType;
  readonly path: string | null;
  /** Base64. */
  readonly key: string;
  readonly sha256: string | null;
  readonly encryptedSha256: string | null;
  readonly size: number | null;
  /** What the phone is told of the message; null where nothing tells it. */
  readonly reupload: ReuploadKey | null;
  /** Times the phone was asked, and times it uploaded. */
  readonly asked: number;
  readonly uploads: number;
  /** Why the file is not as it should be: what its gap is about. */
  readonly trouble: 'attachment-missing' | 'attachment-mismatch';
  readonly addedMs: number;
  /** When this phase began, or the phone was asked last. */
  readonly sinceMs: number;
}

/** Under this its state is stored. */
export function workName(tag: string): string {
  return `media/${tag}`;
}

/** Everything that a capture lists and that can be fetched. */
export function worksOf(found: Understood, tagOf: (native: NativeId) => string, nowMs: number): MediaWork[] {
  const { v, app, account, direction, chat, sender, sentAtMs, serverAtMs, id } = found.view;
  const head = { v, app, account, direction, chat, sender, sentAtMs, serverAtMs };
  const target: MessageRef = { author: sender ?? { id: null }, sentAtMs, ...(id === undefined ? {} : { id }) };
  const reupload = found.media.length === 0 ? null : reuploadKeyOf(found);
  return found.media.map((source) => ({
    name: workName(tagOf(source.native)),
    phase: 'pending',
    native: source.native,
    head,
    target,
    attachment: source.attachment,
    type: source.type,
    path: pathOf(source),
    key: Buffer.from(source.mediaKey).toString('base64'),
    sha256: base64(source.fileSha256),
    encryptedSha256: base64(source.fileEncSha256),
    size: source.size,
    reupload,
    asked: 0,
    uploads: 0,
    trouble: 'attachment-missing',
    addedMs: nowMs,
    sinceMs: nowMs,
  }));
}

/** The path that the message tells. Where it tells an address only, that address's path: the host is ours to choose, always. */
function pathOf({ directPath, url }: MediaSource): string | null {
  if (directPath !== null) return isPath(directPath) ? directPath : null;
  if (url === null || !URL.canParse(url)) return null;
  const { protocol, pathname, search } = new URL(url);
  const path = pathname + search;
  return protocol === 'https:' && isPath(path) ? path : null;
}

export function sealOf({ type, key, sha256, encryptedSha256 }: MediaWork): BlobSeal {
  const bytes = (text: string | null): Buffer | null => (text === null ? null : Buffer.from(text, 'base64'));
  return {
    type,
    mediaKey: Buffer.from(key, 'base64'),
    fileSha256: bytes(sha256),
    fileEncSha256: bytes(encryptedSha256),
  };
}

export function mediaView({ head, target, attachment }: MediaWork, object: ObjectKey): View {
  return { ...head, kind: 'attachment', target, attachment, object } as View;
}

export function encodeWork(work: MediaWork): Uint8Array {
  return encodeState(work as unknown as Json);
}

export function decodeWork(bytes: Uint8Array | null): MediaWork | null {
  return decodeState<MediaWork>(bytes);
}

function base64(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : Buffer.from(bytes).toString('base64');
}
