// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';
import { proto } from '@whiskeysockets/baileys';
import type { WhatsAppEmulator } from '../emulators/whatsapp/api.ts';

// The agency's second phone, on WhatsApp. Numbers are from the range that is reserved for fiction.

export const FIELD_PHONE = '12025550155';
const RUIZ = '12025550163';
const BERG = '12025550178';

export const world = {
  accounts: [{ number: FIELD_PHONE, name: 'Field Phone' }],
  people: [
    { number: RUIZ, name: 'Marta Ruiz' },
    { number: BERG, name: 'Jonas Berg' },
  ],
};
export const NIGHT_SHIFT = { subject: 'Berth 9 Night Shift', members: [RUIZ, FIELD_PHONE, BERG] };

/** Messages of the night, those of before the link, and the photo. */
export const NIGHT_RECORDS = 13;

const THURSDAY_S = Date.UTC(2026, 10, 19, 22, 0) / 1000;
const PHOTO_BYTES = 180_000;

/** Writes what happens at a time, and waits until the archive's device has taken it. */
type Say = (from: string, minutes: number, message: proto.IMessage, mediaType?: string) => Promise<proto.IMessageKey>;

function inGroup(whatsapp: WhatsAppEmulator, chat: string): Say {
  return async (from, minutes, message, mediaType) => {
    const id = createHash('sha256').update(`${from} ${minutes}`).digest('hex').slice(0, 20).toUpperCase();
    const { entries } = await whatsapp.send({
      to: FIELD_PHONE,
      from,
      chat,
      message,
      id,
      timestampSeconds: THURSDAY_S + minutes * 60,
      ...(mediaType === undefined ? {} : { mediaType }),
    });
    await whatsapp.answered(entries);
    return { remoteJid: chat, id, fromMe: false, participant: `${from}@s.whatsapp.net` };
  };
}

/** A night at berth 9: a photo, an edit, a deletion, a reaction, a poll. */
export async function liveThroughTheNight(whatsapp: WhatsAppEmulator, chat: string): Promise<void> {
  const say = inGroup(whatsapp, chat);
  await say(RUIZ, 0, { conversation: 'Reefer 7 at berth 9 is warm. Opening the log.' });
  const image = await whatsapp.putMedia({ kind: 'image', bytes: photo() });
  const { mediaKey, fileSha256, fileEncSha256, fileLength, directPath } = image;
  const imageMessage = { mediaKey, fileSha256, fileEncSha256, fileLength, directPath, mimetype: 'image/jpeg' };
  await say(RUIZ, 1, { imageMessage: { ...imageMessage, caption: 'Display at 22:01' } }, 'image');
  const reading = await say(BERG, 4, { conversation: 'Reads −4.0, should be −18.' });
  await say(BERG, 6, changed(reading, 'Reads −14.0, should be −18.'));
  const doubt = await say(BERG, 9, { conversation: 'Maybe we just reset it and say nothing?' });
  await say(BERG, 10, {
    protocolMessage: { key: doubt, type: proto.Message.ProtocolMessage.Type.REVOKE },
  });
  await say(FIELD_PHONE, 12, { conversation: 'We report it. Who stays until the mechanic is here?' });
  await say(RUIZ, 13, {
    messageContextInfo: { messageSecret: createHash('sha256').update('poll').digest() },
    pollCreationMessageV3: {
      name: 'Who stays?',
      options: [{ optionName: 'Marta' }, { optionName: 'Jonas' }],
      selectableOptionsCount: 1,
    },
  });
  await say(BERG, 14, { reactionMessage: { key: reading, text: '👍' } });
}

function changed(key: proto.IMessageKey, conversation: string): proto.IMessage {
  const type = proto.Message.ProtocolMessage.Type.MESSAGE_EDIT;
  return { protocolMessage: { key, type, editedMessage: { conversation } } };
}

/** Bytes that are the same in every run. */
function photo(): Buffer {
  const block = createHash('sha512').update('display').digest();
  return Buffer.concat(Array.from({ length: PHOTO_BYTES / block.length + 1 }, () => block)).subarray(0, PHOTO_BYTES);
}

/** What the phone hands a new device: the end of a conversation of before the link. */
export async function handOverHistory(whatsapp: WhatsAppEmulator): Promise<void> {
  const chat = `${RUIZ}@s.whatsapp.net`;
  const said = ['Gate code for the cold store changed.', 'Thanks, got it.', 'Reefer 7 alarmed twice this week.'];
  const messages = said.map((conversation, at) => ({
    msgOrderId: at,
    message: {
      key: { remoteJid: chat, id: `HISTORY${at}`, fromMe: at === 1 },
      messageTimestamp: THURSDAY_S - 7200 + at * 60,
      message: { conversation },
    },
  }));
  const { entries } = await whatsapp.sendHistory(FIELD_PHONE, {
    syncType: proto.HistorySync.HistorySyncType.INITIAL_BOOTSTRAP,
    content: {
      syncType: proto.HistorySync.HistorySyncType.INITIAL_BOOTSTRAP,
      conversations: [{ id: chat, messages }],
    },
  });
  await whatsapp.answered(entries);
}
