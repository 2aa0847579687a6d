// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Attachment, Content, Party, Quote } from '../../../record/message.ts';
import { fields, fieldsList, integer, list, plain, text, type Fields, type JsonValue } from '../json.ts';
import { messageRef, party } from './frame.ts';

const LONG_TEXT = 'text/x-signal-plain';
const NOBODY: Party = { id: null, number: null };

/** What a data message says. Members of a message that are events of their own (reactions and the like) are not here. */
export function contentOf(data: Fields): Content {
  return {
    text: text(data['message']),
    ...some('attachments', attachmentsOf(data)),
    ...one('quote', quoteOf(data['quote'])),
    ...some('mentions', fieldsList(data['mentions']).map(mentionOf)),
    ...some('styles', fieldsList(data['textStyles']).map(styleOf)),
    ...some('previews', fieldsList(data['previews']).map(previewOf)),
    ...one('sticker', stickerOf(data['sticker'])),
    ...some(
      'contacts',
      list(data['contacts']).map((contact) => plain(contact)),
    ),
    ...one('payment', paymentOf(data['payment'])),
    ...one('poll', pollOf(data['pollCreate'])),
    ...one('storyReply', storyReplyOf(data['storyContext'])),
    ...(data['viewOnce'] === true ? { viewOnce: true } : {}),
    ...timer(data['expiresInSeconds']),
  };
}

/** False for the shell that profile key updates and group call notices come in. */
export function saysSomething(content: Content): boolean {
  const { text: body, expiresInSeconds: _timer, ...rest } = content;
  return body !== null || Object.keys(rest).length > 0;
}

export function storyContent(story: Fields): Content {
  const file = fields(story['fileAttachment']);
  const card = fields(story['textAttachment']);
  const preview = fields(card?.['preview']);
  const attachments = [
    ...(file === null ? [] : [attachmentOf(file, 'story')]),
    ...(preview === null ? [] : previewImages([preview])),
  ];
  return {
    text: text(card?.['text']),
    ...some('attachments', attachments),
    ...some('previews', preview === null ? [] : [previewOf(preview)]),
  };
}

/** Every file that a message brings or shows, wherever it stands in it. */
function attachmentsOf(data: Fields): Attachment[] {
  const quoted = fieldsList(fields(data['quote'])?.['attachments']);
  const avatars = fieldsList(
    fieldsList(data['contacts']).map((contact) => fields(contact['avatar'])?.['attachment'] ?? null),
  );
  return [
    ...fieldsList(data['attachments']).map((file) =>
      attachmentOf(file, text(file['contentType']) === LONG_TEXT ? 'long-text' : 'attachment'),
    ),
    ...quoted.map(quotedAttachment),
    ...previewImages(fieldsList(data['previews'])),
    ...avatars.map((avatar) => attachmentOf(avatar, 'contact')),
  ];
}

function attachmentOf(file: Fields, place: Attachment['place']): Attachment {
  return {
    id: text(file['id']),
    contentType: text(file['contentType']),
    fileName: text(file['filename']),
    size: integer(file['size']),
    width: integer(file['width']),
    height: integer(file['height']),
    caption: text(file['caption']),
    place,
  };
}

/** A quote names the original's type and name; only its thumbnail, if any, is a file. */
function quotedAttachment(quoted: Fields): Attachment {
  const thumbnail = fields(quoted['thumbnail']);
  if (thumbnail !== null) return { ...attachmentOf(thumbnail, 'quote'), fileName: text(quoted['filename']) };
  return {
    id: null,
    contentType: text(quoted['contentType']),
    fileName: text(quoted['filename']),
    size: null,
    place: 'quote',
  };
}

function previewImages(previews: readonly Fields[]): Attachment[] {
  return previews.flatMap((preview) => {
    const image = fields(preview['image']);
    return image === null ? [] : [attachmentOf(image, 'preview')];
  });
}

function quoteOf(value: JsonValue | undefined): Quote | null {
  const quote = fields(value);
  if (quote === null) return null;
  const author = party(quote, 'authorUuid', 'authorNumber', 'author') ?? NOBODY;
  return { author, sentAtMs: integer(quote['id']) ?? 0, text: text(quote['text']) };
}

function mentionOf(mention: Fields): NonNullable<Content['mentions']>[number] {
  const who = party(mention, 'uuid', 'number') ?? NOBODY;
  return { ...range(mention), party: { ...who, name: text(mention['name']) } };
}

function styleOf(style: Fields): NonNullable<Content['styles']>[number] {
  return { ...range(style), style: text(style['style']) ?? '' };
}

function range(from: Fields): { start: number; length: number } {
  return { start: integer(from['start']) ?? 0, length: integer(from['length']) ?? 0 };
}

function previewOf(preview: Fields): NonNullable<Content['previews']>[number] {
  return { url: text(preview['url']) ?? '', title: text(preview['title']), description: text(preview['description']) };
}

function stickerOf(value: JsonValue | undefined): Content['sticker'] | null {
  const sticker = fields(value);
  if (sticker === null) return null;
  return { pack: text(sticker['packId']) ?? '', id: integer(sticker['stickerId']) ?? 0 };
}

function paymentOf(value: JsonValue | undefined): Content['payment'] | null {
  const payment = fields(value);
  return payment === null ? null : { note: text(payment['note']), receipt: text(payment['receipt']) };
}

function pollOf(value: JsonValue | undefined): Content['poll'] | null {
  const poll = fields(value);
  if (poll === null) return null;
  return {
    question: text(poll['question']) ?? '',
    multiple: poll['allowMultiple'] === true,
    options: list(poll['options']).map((option) => text(option) ?? ''),
  };
}

function storyReplyOf(value: JsonValue | undefined): Content['storyReply'] | null {
  const story = fields(value);
  if (story === null) return null;
  return messageRef(party(story, 'authorUuid', 'authorNumber') ?? NOBODY, integer(story['sentTimestamp']) ?? 0);
}

function timer(value: JsonValue | undefined): Pick<Content, 'expiresInSeconds'> {
  const seconds = integer(value);
  return seconds === null || seconds <= 0 ? {} : { expiresInSeconds: seconds };
}

function one<Name extends keyof Content>(name: Name, value: Content[Name] | null): Partial<Content> {
  return value === null || value === undefined ? {} : { [name]: value };
}

function some<Name extends keyof Content>(name: Name, value: Content[Name] & readonly unknown[]): Partial<Content> {
  return value.length === 0 ? {} : { [name]: value };
}
