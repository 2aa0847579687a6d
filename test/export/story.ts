// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdirSync } from 'node:fs';
import { deflateSync, crc32 } from 'node:zlib';
import { TalkingArchive } from '../search/archive-kit.ts';
import {
  ANA,
  BEN,
  CLEO,
  direct,
  HARBOUR,
  message,
  refTo,
  viewOf,
  type Happening,
  type TestPerson,
} from '../search/kit.ts';
import type { ViewBody } from '../../src/record/message.ts';
import { attachment, deliverFile } from './kit.ts';

/** A picture, the same in every run. */
export function png(width = 48, height = 32): Buffer {
  const chunk = (type: string, data: Buffer): Buffer => {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
    const [size, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    size.writeUInt32BE(data.length);
    sum.writeUInt32BE(crc32(body));
    return Buffer.concat([size, body, sum]);
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2, 0, 0, 0], 8);
  const row = (y: number): number[] => [0, ...Array.from({ length: width }, (_, x) => [x * 5, y * 7, 128]).flat()];
  const pixels = Buffer.from(Array.from({ length: height }, (_, y) => row(y)).flat());
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk('IHDR', head),
    chunk('IDAT', deflateSync(pixels)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

export const PICTURE = png();
export const PROGRAM = Buffer.concat([Buffer.from('MZ'), Buffer.alloc(200, 7)]);
export const NOTE = Buffer.from('minutes of the meeting\n');

/**
 * An archive with one of everything: a group captured by two accounts, a direct conversation, a picture, a file that never came, one
 * that is not what it is called, edits, a deletion, reactions, a poll, a call, members who come, a gap, an unknown kind, six scripts.
 */
export async function makeStory(directory: string): Promise<string> {
  mkdirSync(directory, { recursive: true });
  await using archive = await TalkingArchive.start(directory);
  const { maker } = archive;
  const step = (minutes = 1): number => (maker.nowMs += minutes * 60_000);
  const capture = (owner: TestPerson, body: ViewBody, happening: Happening = {}): Promise<void> =>
    archive.capture(owner, body, { chat: HARBOUR, ...happening });
  const state = { members: [ANA, BEN].map(({ id, number, name }) => ({ id, number, name })) };
  await capture(ANA, { kind: 'group', state });

  const taken = step();
  await capture(ANA, message('the berth is taken'), { by: BEN });
  await capture(BEN, message('the berth is taken'), { by: BEN });
  step();
  const changes = [{ what: 'add', parties: [{ id: CLEO.id, number: CLEO.number, name: CLEO.name }], value: null }];
  await capture(ANA, { kind: 'group-update', changes }, { by: ANA });
  step();
  const quote = { ...refTo(BEN, taken), text: 'the berth is taken' };
  await capture(ANA, message('by whom?', { quote, mentions: [{ start: 0, length: 2, party: BEN }] }), { by: ANA });

  const pictured = step();
  const picture = attachment('pic', '../../etc/berth\u202Egnp.png', 'image/png', PICTURE.length);
  await capture(ANA, message('see', { attachments: [{ ...picture, caption: 'at nine' }] }), { by: CLEO });
  await deliverFile(archive, ANA, refTo(CLEO, pictured), picture, PICTURE);
  const lied = step();
  const lie = attachment('lie', 'photo.jpg.exe', 'image/jpeg', PROGRAM.length);
  await capture(ANA, message(null, { attachments: [lie] }), { by: BEN });
  await deliverFile(archive, ANA, refTo(BEN, lied), lie, PROGRAM);
  step();
  await capture(ANA, message('and this', { attachments: [attachment('lost', 'con', 'application/pdf', 9999)] }), {
    by: BEN,
  });
  const noted = step();
  const note = attachment('note', 'minutes.txt', 'text/plain', NOTE.length);
  await capture(ANA, message('minutes', { attachments: [note], expiresInSeconds: 86_400 }), { by: ANA });
  await deliverFile(archive, ANA, refTo(ANA, noted), note, NOTE);

  step();
  await capture(ANA, { kind: 'edit', target: refTo(BEN, taken), content: { text: 'the berth is free' } }, { by: BEN });
  step();
  await capture(ANA, { kind: 'reaction', target: refTo(BEN, taken), emoji: '👍', removed: false }, { by: CLEO });
  await capture(ANA, { kind: 'reaction', target: refTo(BEN, taken), emoji: '❤️', removed: false }, { by: ANA });
  step();
  await capture(ANA, { kind: 'reaction', target: refTo(BEN, taken), emoji: '❤️', removed: true }, { by: ANA });
  await capture(ANA, { kind: 'receipt', state: 'read', targets: [refTo(BEN, taken)] }, { by: CLEO });
  const doubted = step();
  await capture(ANA, message('say nothing'), { by: CLEO });
  step();
  await capture(ANA, { kind: 'delete', target: refTo(CLEO, doubted), by: 'sender' }, { by: CLEO });
  const asked = step();
  await capture(ANA, message(null, { poll: { question: 'Who stays?', multiple: false, options: ['Ana', 'Ben'] } }), {
    by: ANA,
  });
  await capture(ANA, { kind: 'poll-vote', target: refTo(ANA, asked), options: [1], count: 1 }, { by: BEN });
  step();
  await capture(ANA, { kind: 'timer', expiresInSeconds: 3600 }, { by: BEN });
  await capture(ANA, { kind: 'call', event: 'offer', callId: '7', callType: 'audio' }, { by: BEN });
  await capture(ANA, { kind: 'unknown', reason: 'field 99' }, { by: BEN });
  await capture(ANA, { kind: 'typing', action: 'started' }, { by: BEN });
  await maker.archive();
  await maker.hour();
  const times = { atMs: maker.nowMs, fromMs: maker.nowMs - 60_000, toMs: maker.nowMs };
  const outage = { type: 'gap', cause: 'unlinked', scope: 'account', state: 'open', via: 'rest', ...times } as const;
  const view = viewOf(ANA, { kind: 'gap', cause: 'unlinked', detail: null });
  await (await archive.sink(ANA)).deliver([{ ...outage, view, raw: Buffer.alloc(0) }]);
  for (const text of SCRIPTS) {
    step();
    await capture(ANA, message(text), { by: BEN, chat: direct(BEN) });
  }
  await maker.archive();
  return archive.directory;
}

export const SCRIPTS = [
  'Größe, naïve, Łódź, Αθήνα, Київ',
  'مرحبا بالعالم 123 abc',
  'שלום עולם',
  '泊位已空 バース 항구',
  'ท่าเรือว่าง',
  'नमस्ते 🚢👍🏽 👩‍👩‍👧 𝒳',
];
