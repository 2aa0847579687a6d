// SPDX-License-Identifier: AGPL-3.0-or-later
import type { proto } from '@whiskeysockets/baileys/WAProto/index.js';
import type { Attachment } from '../../../record/message.ts';
import type { MediaSource, MediaType } from './input.ts';
import { base64, integer, text } from './plain.ts';

/** A file as the various media messages describe it. */
interface FileFields {
  readonly url?: string | null | undefined;
  readonly directPath?: string | null | undefined;
  readonly mediaKey?: Uint8Array | null | undefined;
  readonly fileSha256?: Uint8Array | null | undefined;
  readonly fileEncSha256?: Uint8Array | null | undefined;
  readonly fileLength?: number | object | null | undefined;
  readonly mimetype?: string | null | undefined;
}

interface Shown {
  readonly shownAs?: Attachment['shownAs'];
  readonly fileName?: string | null | undefined;
  readonly caption?: string | null | undefined;
  readonly width?: number | null | undefined;
  readonly height?: number | null | undefined;
  readonly seconds?: number | null | undefined;
}

/** A thumbnail that lies on the media host, beside the one in the message. */
interface ThumbnailFields {
  readonly thumbnailDirectPath?: string | null | undefined;
  readonly thumbnailSha256?: Uint8Array | null | undefined;
  readonly thumbnailEncSha256?: Uint8Array | null | undefined;
  readonly mediaKey?: Uint8Array | null | undefined;
  readonly thumbnailWidth?: number | null | undefined;
  readonly thumbnailHeight?: number | null | undefined;
}

/** An attachment of the view, and what fetches it; `source` is null where the message gives nothing to fetch. */
export interface MediaFile {
  readonly attachment: Attachment;
  readonly source: Omit<MediaSource, 'native'> | null;
}

type Place = Attachment['place'];

export function imageFile(image: proto.Message.IImageMessage, place: Place): MediaFile {
  const { width, height } = image;
  return mediaFile('image', image, { shownAs: 'image', width, height }, place);
}

export function videoFile(video: proto.Message.IVideoMessage, place: Place, isNote: boolean): MediaFile {
  const { width, height, seconds } = video;
  const shownAs = isNote ? 'video-note' : video.gifPlayback === true ? 'gif' : 'video';
  return mediaFile('video', video, { shownAs, width, height, seconds }, place);
}

export function audioFile(audio: proto.Message.IAudioMessage, place: Place): MediaFile {
  const { seconds } = audio;
  return mediaFile('audio', audio, { shownAs: audio.ptt === true ? 'voice' : 'audio', seconds }, place);
}

export function documentFile(document: proto.Message.IDocumentMessage, place: Place): MediaFile {
  const fileName = text(document.fileName) ?? text(document.title);
  return mediaFile('document', document, { shownAs: 'document', fileName }, place);
}

export function stickerFile(sticker: proto.Message.IStickerMessage, place: Place): MediaFile {
  const { width, height } = sticker;
  return mediaFile('image', sticker, { shownAs: 'sticker', width, height }, place);
}

export function stickerPackFiles(pack: proto.Message.IStickerPackMessage, place: Place): MediaFile[] {
  const shown = { shownAs: 'sticker-pack', fileName: text(pack.name) } as const;
  const whole = mediaFile('sticker-pack', { ...pack, mimetype: 'application/zip' }, shown, place);
  return [whole, ...thumbnailFiles('sticker-pack-thumbnail', pack, 'preview')];
}

/** The picture of a link, where it is larger than what the message itself holds. */
export function linkPictureFiles(link: proto.Message.IExtendedTextMessage): MediaFile[] {
  return thumbnailFiles('thumbnail-link', link, 'preview');
}

function thumbnailFiles(type: MediaType, fields: ThumbnailFields, place: Place): MediaFile[] {
  if (text(fields.thumbnailDirectPath) === null) return [];
  const { thumbnailWidth: width, thumbnailHeight: height } = fields;
  const file = {
    directPath: fields.thumbnailDirectPath,
    mediaKey: fields.mediaKey,
    fileSha256: fields.thumbnailSha256,
    fileEncSha256: fields.thumbnailEncSha256,
    mimetype: 'image/jpeg',
  };
  return [mediaFile(type, file, { shownAs: 'image', width, height }, place)];
}

function mediaFile(type: MediaType, file: FileFields, shown: Shown, place: Place): MediaFile {
  const key = base64(file.mediaKey);
  const sha256 = base64(file.fileSha256);
  const encryptedSha256 = base64(file.fileEncSha256);
  const path = text(file.directPath);
  const url = text(file.url);
  const size = integer(file.fileLength);
  const { shownAs, fileName, caption, width, height, seconds } = shown;
  const source = key === null ? null : { type, path, url, key, sha256, encryptedSha256 };
  const attachment: Attachment = {
    id: encryptedSha256 ?? sha256 ?? path ?? url,
    contentType: text(file.mimetype),
    fileName: text(fileName),
    size,
    ...(width === undefined ? {} : { width }),
    ...(height === undefined ? {} : { height }),
    ...(seconds === undefined ? {} : { seconds }),
    ...(text(caption) === null ? {} : { caption: text(caption) }),
    ...(shownAs === undefined ? {} : { shownAs }),
    ...(source === null ? {} : { source }),
    place,
  };
  if (source === null || (path ?? url) === null) return { attachment, source: null };
  return { attachment, source: mediaSource(attachment, type, file) };
}

function mediaSource(attachment: Attachment, type: MediaType, file: FileFields): Omit<MediaSource, 'native'> {
  return {
    attachment,
    type,
    directPath: text(file.directPath),
    url: text(file.url),
    mediaKey: file.mediaKey ?? new Uint8Array(),
    fileSha256: file.fileSha256 ?? null,
    fileEncSha256: file.fileEncSha256 ?? null,
    size: attachment.size,
  };
}
