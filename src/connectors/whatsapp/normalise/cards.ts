// SPDX-License-Identifier: AGPL-3.0-or-later
import type { proto } from '@whiskeysockets/baileys/WAProto/index.js';
import type { Content } from '../../../record/message.ts';
import { documentFile, imageFile, videoFile, type MediaFile } from './media.ts';
import { integer, listed, text } from './plain.ts';
import type { Spoken } from './spoken.ts';

// Messages made of fixed parts, as businesses send them: every text that is shown is kept, in the order shown.

type Maker = (message: proto.IMessage) => Spoken | null | undefined;
type Texts = readonly (string | null | undefined)[];

const MAKERS: Readonly<Record<string, Maker>> = {
  buttonsMessage: ({ buttonsMessage: one }) => one && buttons(one),
  buttonsResponseMessage: ({ buttonsResponseMessage: one }) =>
    one && chosen(one.selectedButtonId, one.selectedDisplayText, one.contextInfo),
  listMessage: ({ listMessage: one }) => one && list(one),
  listResponseMessage: ({ listResponseMessage: one }) =>
    one && chosen(one.singleSelectReply?.selectedRowId, one.title ?? one.description, one.contextInfo),
  templateMessage: ({ templateMessage: one }) => one && template(one),
  templateButtonReplyMessage: ({ templateButtonReplyMessage: one }) =>
    one && chosen(one.selectedId, one.selectedDisplayText, one.contextInfo),
  interactiveMessage: ({ interactiveMessage: one }) => one && { ...interactive(one, 3), context: one.contextInfo },
  interactiveResponseMessage: ({ interactiveResponseMessage: one }) =>
    one && chosen(one.nativeFlowResponseMessage?.paramsJson, one.body?.text, one.contextInfo),
  highlyStructuredMessage: ({ highlyStructuredMessage: one }) => one && structured(one),
  productMessage: ({ productMessage: one }) => one && product(one),
  orderMessage: ({ orderMessage: one }) =>
    one && {
      content: {
        text: text(one.message),
        card: card([one.orderTitle, amount(one.totalAmount1000, one.totalCurrencyCode)]),
      },
      context: one.contextInfo,
    },
  invoiceMessage: ({ invoiceMessage: one }) => one && payment(one.note, one.token),
  sendPaymentMessage: ({ sendPaymentMessage: one }) => one && payment(noteOf(one.noteMessage), one.transactionData),
  requestPaymentMessage: ({ requestPaymentMessage: one }) =>
    one && payment(noteOf(one.noteMessage), amount(one.amount1000, one.currencyCodeIso4217)),
  newsletterAdminInviteMessage: ({ newsletterAdminInviteMessage: one }) => one && channelInvite(one),
  newsletterFollowerInviteMessageV2: ({ newsletterFollowerInviteMessageV2: one }) => one && channelInvite(one),
  pollResultSnapshotMessage: ({ pollResultSnapshotMessage: one }) => one && pollResult(one),
  pollResultSnapshotMessageV3: ({ pollResultSnapshotMessageV3: one }) => one && pollResult(one),
};

export const CARD_MEMBERS: readonly string[] = Object.keys(MAKERS);

export function cardOf(member: string, message: proto.IMessage): Spoken | null {
  return MAKERS[member]?.(message) ?? null;
}

function buttons(one: proto.Message.IButtonsMessage): Spoken {
  const choices = listed(one.buttons).map(
    ({ buttonText, nativeFlowInfo }) => buttonText?.displayText ?? nativeFlowInfo?.name,
  );
  return {
    content: { text: text(one.contentText), card: card([one.text, one.footerText], choices) },
    files: headFiles(one),
    context: one.contextInfo,
  };
}

function list(one: proto.Message.IListMessage): Spoken {
  const rows = listed(one.sections).flatMap(({ title, rows: inner }) => [
    title,
    ...listed(inner).map((row) => [row.title, row.description].filter((part) => text(part) !== null).join(' – ')),
  ]);
  return {
    content: { text: text(one.description), card: card([one.title, one.footerText, one.buttonText], rows) },
    context: one.contextInfo,
  };
}

function template(one: proto.Message.ITemplateMessage): Spoken {
  const inner = one.interactiveMessageTemplate;
  if (inner !== null && inner !== undefined) return { ...interactive(inner, 3), context: one.contextInfo };
  const hydrated = one.hydratedFourRowTemplate ?? one.hydratedTemplate;
  if (hydrated === null || hydrated === undefined) return fourRows(one);
  const choices = listed(hydrated.hydratedButtons).map(
    ({ quickReplyButton, urlButton, callButton }) => (quickReplyButton ?? urlButton ?? callButton)?.displayText,
  );
  return {
    content: {
      text: text(hydrated.hydratedContentText),
      card: card([hydrated.hydratedTitleText, hydrated.hydratedFooterText], choices),
    },
    files: headFiles(hydrated),
    context: one.contextInfo,
  };
}

function fourRows({ fourRowTemplate, contextInfo }: proto.Message.ITemplateMessage): Spoken {
  const { content, footer, highlyStructuredMessage } = fourRowTemplate ?? {};
  const lines = [...paramsOf(highlyStructuredMessage), ...paramsOf(footer)];
  return {
    content: { text: text(paramsOf(content).join(' ')), card: card(lines) },
    files: headFiles(fourRowTemplate ?? {}),
    context: contextInfo,
  };
}

function interactive(one: proto.Message.IInteractiveMessage, depth: number): Spoken {
  const { header, body, footer, nativeFlowMessage, carouselMessage } = one;
  const cards = depth === 0 ? [] : listed(carouselMessage?.cards).map((inner) => interactive(inner, depth - 1));
  const choices = listed(nativeFlowMessage?.buttons).map(
    ({ name, buttonParamsJson }) => labelIn(buttonParamsJson) ?? name,
  );
  const inner = cards.map(({ content }) => content);
  const own = card(
    [
      header?.title,
      header?.subtitle,
      footer?.text,
      ...inner.flatMap((said) => [said.text, ...(said.card?.lines ?? [])]),
    ],
    [...choices, ...inner.flatMap((said) => said.card?.choices ?? [])],
  );
  const files = [...headFiles(header ?? {}), ...cards.flatMap(({ files: more = [] }) => more)];
  return { content: { text: text(body?.text), card: own }, files };
}

/** Buttons of this sort hide their label in JSON of the sender's making. */
function labelIn(json: string | null | undefined): string | null {
  try {
    const value: unknown = JSON.parse(json ?? '');
    const label: unknown =
      typeof value === 'object' && value !== null ? (value as Record<string, unknown>)['display_text'] : null;
    return typeof label === 'string' ? label : null;
  } catch {
    return null;
  }
}

function structured(one: proto.Message.IHighlyStructuredMessage): Spoken {
  const hydrated = one.hydratedHsm;
  if (hydrated !== null && hydrated !== undefined) return template(hydrated);
  return { content: { text: text(paramsOf(one).join(' ')), card: card([one.elementName]) } };
}

function paramsOf(one: proto.Message.IHighlyStructuredMessage | null | undefined): string[] {
  const defaults = listed(one?.localizableParams).map((param) => param.default ?? '');
  return [...listed(one?.params), ...defaults];
}

function product(one: proto.Message.IProductMessage): Spoken {
  const { title, description, priceAmount1000, currencyCode, url, productImage } = one.product ?? {};
  const files = productImage === null || productImage === undefined ? [] : [imageFile(productImage, 'attachment')];
  const lines = [title, description, amount(priceAmount1000, currencyCode), url, one.footer];
  return { content: { text: text(one.body), card: card(lines) }, files, context: one.contextInfo };
}

function chosen(
  id: string | null | undefined,
  label: string | null | undefined,
  context?: proto.IContextInfo | null,
): Spoken {
  return { content: { text: text(label), choice: { id: text(id), label: text(label) } }, context };
}

function payment(note: string | null | undefined, receipt: string | null | undefined): Spoken {
  return { content: { text: text(note), payment: { note: text(note), receipt: text(receipt) } } };
}

function noteOf(message: proto.IMessage | null | undefined): string | null {
  return text(message?.conversation) ?? text(message?.extendedTextMessage?.text);
}

function channelInvite(one: proto.Message.INewsletterAdminInviteMessage): Spoken {
  const groupInvite = { group: one.newsletterJid ?? '', name: text(one.newsletterName), expiresAtMs: null };
  return { content: { text: text(one.caption), groupInvite }, context: one.contextInfo };
}

function pollResult(one: proto.Message.IPollResultSnapshotMessage): Spoken {
  const votes = listed(one.pollVotes).map(
    ({ optionName, optionVoteCount }) => `${optionName ?? ''}: ${integer(optionVoteCount) ?? 0}`,
  );
  return { content: { text: text(one.name), card: card(votes) }, context: one.contextInfo };
}

interface Head {
  readonly documentMessage?: proto.Message.IDocumentMessage | null;
  readonly imageMessage?: proto.Message.IImageMessage | null;
  readonly videoMessage?: proto.Message.IVideoMessage | null;
}

function headFiles({ documentMessage, imageMessage, videoMessage }: Head): MediaFile[] {
  return [
    ...(documentMessage ? [documentFile(documentMessage, 'attachment')] : []),
    ...(imageMessage ? [imageFile(imageMessage, 'attachment')] : []),
    ...(videoMessage ? [videoFile(videoMessage, 'attachment', false)] : []),
  ];
}

function card(lines: Texts, choices: Texts = []): NonNullable<Content['card']> {
  const there = (texts: Texts): string[] => texts.flatMap((one) => text(one) ?? []);
  return { lines: there(lines), choices: there(choices) };
}

function amount(value1000: number | object | null | undefined, currency: string | null | undefined): string | null {
  const value = integer(value1000);
  return value === null ? null : `${value / 1000} ${currency ?? ''}`.trim();
}
