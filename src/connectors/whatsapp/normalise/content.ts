// SPDX-License-Identifier: AGPL-3.0-or-later
import { proto } from '@whiskeysockets/baileys/WAProto/index.js';
import type { Content, GeoPlace } from '../../../record/message.ts';
import { addressOf, bareJid, partyOfJid, personOf, STATUS } from './address.ts';
import { CARD_MEMBERS, cardOf } from './cards.ts';
import type { Frame } from './frame.ts';
import type { MediaSource } from './input.ts';
import {
  audioFile,
  documentFile,
  imageFile,
  linkPictureFiles,
  stickerFile,
  stickerPackFiles,
  videoFile,
  type MediaFile,
} from './media.ts';
import { decimal, integer, listed, msOf, msOfSeconds, text } from './plain.ts';
import { targetBy, targetOf, type Said } from './said.ts';
import type { Spoken } from './spoken.ts';
import { nameOf, wordOf } from './words.ts';

type Speaker = (message: proto.IMessage, frame: Frame) => Spoken | null | undefined;

/** Members that are content: text, media, cards. Null where the member is not there after all. */
const SPEAKERS: Readonly<Record<string, Speaker>> = {
  conversation: ({ conversation }) => ({ content: { text: text(conversation) } }),
  extendedTextMessage: ({ extendedTextMessage: one }) => one && linkText(one),
  imageMessage: ({ imageMessage: one }) => one && captioned(one, [imageFile(one, 'attachment')], one.viewOnce),
  videoMessage: ({ videoMessage: one }) => one && captioned(one, [videoFile(one, 'attachment', false)], one.viewOnce),
  ptvMessage: ({ ptvMessage: one }) => one && captioned(one, [videoFile(one, 'attachment', true)], one.viewOnce),
  audioMessage: ({ audioMessage: one }) => one && captioned(one, [audioFile(one, 'attachment')], one.viewOnce),
  documentMessage: ({ documentMessage: one }) => one && captioned(one, [documentFile(one, 'attachment')]),
  stickerMessage: ({ stickerMessage: one }) => one && captioned(one, [stickerFile(one, 'attachment')]),
  stickerPackMessage: ({ stickerPackMessage: one }) => one && captioned(one, stickerPackFiles(one, 'attachment')),
  albumMessage: ({ albumMessage: one }) =>
    one && {
      content: {
        album: { images: integer(one.expectedImageCount) ?? 0, videos: integer(one.expectedVideoCount) ?? 0 },
      },
      context: one.contextInfo,
    },
  contactMessage: ({ contactMessage: one }) =>
    one && { content: { contacts: [contactOf(one)] }, context: one.contextInfo },
  contactsArrayMessage: ({ contactsArrayMessage: one }) =>
    one && {
      content: { text: text(one.displayName), contacts: listed(one.contacts).map(contactOf) },
      context: one.contextInfo,
    },
  locationMessage: ({ locationMessage: one }) =>
    one && { content: { text: text(one.comment), place: placeOf(one) }, context: one.contextInfo },
  liveLocationMessage: ({ liveLocationMessage: one }) => one && liveLocation(one),
  groupInviteMessage: ({ groupInviteMessage: one }) => one && groupInvite(one),
  eventMessage: ({ eventMessage: one }) => one && { content: eventOf(one), context: one.contextInfo },
  pollCreationMessage: ({ pollCreationMessage: one }) => one && pollOf(one),
  pollCreationMessageV2: ({ pollCreationMessageV2: one }) => one && pollOf(one),
  pollCreationMessageV3: ({ pollCreationMessageV3: one }) => one && pollOf(one),
  pollCreationMessageV5: ({ pollCreationMessageV5: one }) => one && pollOf(one),
  scheduledCallCreationMessage: ({ scheduledCallCreationMessage: one }) => one && scheduledCall(one),
  commentMessage: ({ commentMessage: one }, frame) => one && comment(one, frame),
};

export const SPOKEN_MEMBERS: readonly string[] = [...Object.keys(SPEAKERS), ...CARD_MEMBERS];

/** The spoken content of a member; null if the member is none that speaks. */
export function spokenOf(member: string, message: proto.IMessage, frame: Frame): Spoken | null {
  return SPEAKERS[member]?.(message, frame) ?? cardOf(member, message);
}

export interface Contents {
  readonly content: Content;
  readonly media: readonly MediaSource[];
}

/** Replaced by one of its own once the message's identity is known. */
const NO_NATIVE = { chat: '', sender: '', id: '', kind: '', revision: '' };

/** All that a content member says, with its quote, mentions and circumstances. */
export function contentOf(said: Pick<Said, 'frame' | 'info' | 'wrappers'>, spoken: Spoken): Contents {
  const { frame, info, wrappers } = said;
  const { context } = spoken;
  const quote = quotedOf(frame, context);
  const files = [...(spoken.files ?? []), ...quote.files];
  const { viewOnce, ...content } = spoken.content;
  const isViewOnce = viewOnce === true || [...wrappers].some((name) => name.startsWith('viewOnce'));
  const seconds = integer(context?.expiration) ?? 0;
  return {
    media: files.flatMap(({ source }) => (source === null ? [] : [{ ...source, native: NO_NATIVE }])),
    content: {
      text: null,
      ...content,
      ...(files.length === 0 ? {} : { attachments: files.map(({ attachment }) => attachment) }),
      ...quote.content,
      ...mentionsOf(frame, content.text, context),
      ...forwardedOf(context, wrappers),
      ...associationOf(frame, info),
      ...(isViewOnce ? { viewOnce: true } : {}),
      ...(seconds > 0 ? { expiresInSeconds: seconds } : {}),
    },
  };
}

/** A quote names the original and repeats what it showed, as the quoting client says: its files are fetched like others. */
function quotedOf(
  frame: Frame,
  context: proto.IContextInfo | null | undefined,
): { content: Partial<Content>; files: MediaFile[] } {
  const id = text(context?.stanzaId);
  if (context === null || context === undefined || id === null) return { content: {}, files: [] };
  const author = personOf(frame.context.own, context.participant);
  const isStory = context.remoteJid === STATUS;
  const { ref } = targetBy({ ...frame, room: isStory ? STATUS : frame.room }, author, id);
  if (isStory) return { content: { storyReply: ref }, files: [] };
  const quoted = context.quotedMessage ?? {};
  const spoken = Object.keys(quoted).map((member) => spokenOf(member, quoted, frame));
  const said = spoken.find((one) => one !== null)?.content;
  const files = spoken.flatMap((one) => one?.files ?? []);
  return {
    content: { quote: { ...ref, text: said?.text ?? said?.poll?.question ?? said?.event?.name ?? null } },
    files: files.map(quotedFile),
  };
}

function quotedFile({ attachment, source }: MediaFile): MediaFile {
  const quoted = { ...attachment, place: 'quote' } as const;
  return { attachment: quoted, source: source === null ? null : { ...source, attachment: quoted } };
}

/** WhatsApp tells who is mentioned, and the text says `@number`: ranges are found there, 0 and 0 where it does not. */
function mentionsOf(
  frame: Frame,
  said: string | null | undefined,
  context: proto.IContextInfo | null | undefined,
): Partial<Content> {
  const people = listed(context?.mentionedJid).map((jid) => ({
    ...rangeOf(said, addressOf(jid)?.user),
    party: partyOfJid(frame.context, jid),
  }));
  const groups = listed(context?.groupMentions).map(({ groupJid, groupSubject }) => ({
    ...rangeOf(said, groupJid),
    party: { id: bareJid(groupJid), name: text(groupSubject) },
  }));
  const mentions = [...people, ...groups];
  return mentions.length === 0 ? {} : { mentions };
}

function rangeOf(said: string | null | undefined, user: string | null | undefined): { start: number; length: number } {
  const start = text(user) === null ? -1 : (said ?? '').indexOf(`@${user}`);
  return start < 0 ? { start: 0, length: 0 } : { start, length: (user ?? '').length + 1 };
}

function forwardedOf(context: proto.IContextInfo | null | undefined, wrappers: ReadonlySet<string>): Partial<Content> {
  const times = integer(context?.forwardingScore) ?? 0;
  const isForwarded = context?.isForwarded === true || times > 0 || wrappers.has('botForwardedMessage');
  return isForwarded ? { forwarded: { times: Math.max(times, 1) } } : {};
}

/** An item of an album, the same picture in a higher resolution, the cover of an event. */
function associationOf(frame: Frame, { messageAssociation }: proto.IMessageContextInfo): Partial<Content> {
  const parent = targetOf(frame, messageAssociation?.parentMessageKey);
  if (parent === null) return {};
  const how = wordOf(nameOf(proto.MessageAssociation.AssociationType, messageAssociation?.associationType));
  return { partOf: { ...parent.ref, how } };
}

function linkText(one: proto.Message.IExtendedTextMessage): Spoken {
  const url = text(one.matchedText);
  const previews = url === null ? [] : [{ url, title: text(one.title), description: text(one.description) }];
  return {
    content: {
      text: text(one.text),
      ...(previews.length === 0 ? {} : { previews }),
      ...(one.viewOnce === true ? { viewOnce: true } : {}),
    },
    files: linkPictureFiles(one),
    context: one.contextInfo,
  };
}

interface Captioned {
  readonly caption?: string | null;
  readonly contextInfo?: proto.IContextInfo | null;
}

function captioned(one: Captioned, files: readonly MediaFile[], viewOnce?: boolean | null): Spoken {
  return {
    content: { text: text(one.caption), ...(viewOnce === true ? { viewOnce: true } : {}) },
    files,
    context: one.contextInfo,
  };
}

function contactOf({ displayName, vcard }: proto.Message.IContactMessage): unknown {
  return { name: text(displayName), vcard: text(vcard) };
}

function placeOf(one: proto.Message.ILocationMessage): GeoPlace {
  return {
    latitude: decimal(one.degreesLatitude),
    longitude: decimal(one.degreesLongitude),
    name: text(one.name),
    address: text(one.address),
    isLive: one.isLive === true,
  };
}

function liveLocation(one: proto.Message.ILiveLocationMessage): Spoken {
  const { degreesLatitude, degreesLongitude } = one;
  const place = placeOf({ degreesLatitude: degreesLatitude ?? null, degreesLongitude: degreesLongitude ?? null });
  return { content: { text: text(one.caption), place: { ...place, isLive: true } }, context: one.contextInfo };
}

function groupInvite(one: proto.Message.IGroupInviteMessage): Spoken {
  const groupInvite = {
    group: bareJid(one.groupJid) ?? '',
    name: text(one.groupName),
    expiresAtMs: msOfSeconds(one.inviteExpiration),
  };
  return { content: { text: text(one.caption), groupInvite }, context: one.contextInfo };
}

export function eventOf(one: proto.Message.IEventMessage): Partial<Content> {
  const event = {
    name: one.name ?? '',
    description: text(one.description),
    startAtMs: msOfSeconds(one.startTime),
    endAtMs: msOfSeconds(one.endTime),
    canceled: one.isCanceled === true,
    link: text(one.joinLink),
    place: one.location === null || one.location === undefined ? null : placeOf(one.location),
  };
  return { event };
}

function pollOf(one: proto.Message.IPollCreationMessage): Spoken {
  const options = listed(one.options).map(({ optionName }) => optionName ?? '');
  const poll = { question: one.name ?? '', multiple: one.selectableOptionsCount !== 1, options };
  return { content: { poll }, context: one.contextInfo };
}

function scheduledCall(one: proto.Message.IScheduledCallCreationMessage): Spoken {
  const startAtMs = msOf(one.scheduledTimestampMs);
  const event = { name: one.title ?? '', description: null, startAtMs, endAtMs: null, canceled: false };
  return { content: { event: { ...event, link: null, place: null } } };
}

function comment({ message, targetMessageKey }: proto.Message.ICommentMessage, frame: Frame): Spoken {
  const inner = message ?? {};
  const spoken = Object.keys(inner)
    .map((member) => spokenOf(member, inner, frame))
    .find((one) => one !== null);
  const target = targetOf(frame, targetMessageKey);
  const partOf = target === null ? {} : { partOf: { ...target.ref, how: 'comment' } };
  return { ...spoken, content: { ...spoken?.content, ...partOf } };
}
