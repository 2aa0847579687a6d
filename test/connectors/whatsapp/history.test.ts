// SPDX-License-Identifier: AGPL-3.0-or-later
import { randomBytes } from 'node:crypto';
import { proto } from '@whiskeysockets/baileys';
import { describe, expect, it } from 'vitest';
import type { HistoryChunk } from '../../emulators/whatsapp/api.ts';
import { eventually } from '../../support/eventually.ts';
import { account, bob, Capturing, number } from './harness.ts';

const { HistorySyncType } = proto.HistorySync;
const CHAT = `${bob}@s.whatsapp.net`;

function past(texts: readonly string[]): proto.IHistorySync {
  const messages = texts.map((conversation, at) => ({
    message: {
      key: { remoteJid: CHAT, fromMe: at % 2 === 1, id: `OLD${conversation}` },
      message: { conversation },
      messageTimestamp: 1_700_000_000 + at,
    },
  }));
  return { syncType: HistorySyncType.RECENT, conversations: [{ id: CHAT, messages }] };
}

function chunk(texts: readonly string[], more: Partial<HistoryChunk> = {}): HistoryChunk {
  return { syncType: HistorySyncType.RECENT, content: past(texts), ...more };
}

const QUICK_MEDIA = { media: { headers: '300ms', idle: '300ms', askAgain: '1m' } };

async function capturing(): Promise<Capturing> {
  return await Capturing.start({ emulator: { tls: true }, settings: QUICK_MEDIA });
}

function historyOf(capture: Capturing): readonly string[] {
  return capture.sink.sessionNames('history/');
}

/** An announcement of our own making, as if the phone had sent it. */
async function announce({ emulator }: Capturing, fields: proto.Message.IHistorySyncNotification): Promise<void> {
  const { Type } = proto.Message.ProtocolMessage;
  await emulator.send({
    to: number,
    from: number,
    attributes: { category: 'peer', recipient: null },
    message: {
      protocolMessage: {
        type: Type.HISTORY_SYNC_NOTIFICATION,
        historySyncNotification: { syncType: HistorySyncType.RECENT, ...fields },
      },
    },
  });
}

describe('history from the phone', () => {
  it('is archived, message for message, and nothing of it remains to be done', async () => {
    const capture = await capturing();
    await capture.emulator.sendHistory(number, chunk(['one', 'two', 'three']));
    await eventually(() => capture.texts).toEqual(['one', 'two', 'three']);
    await eventually(() => historyOf(capture)).toEqual([]);
    expect(capture.sink.ofKind('message').map(({ direction }) => direction)).toEqual(['in', 'out', 'in']);
    expect(new Set(capture.sink.contents.map(({ via }) => via))).toContain('history');
  });

  it('is archived from the announcement itself', async () => {
    const capture = await capturing();
    await capture.emulator.sendHistory(number, chunk(['inline'], { inline: true }));
    await eventually(() => capture.texts).toEqual(['inline']);
    expect(await capture.emulator.requests()).toEqual([]);
  });

  it('is fetched from the one host there is', async () => {
    const capture = await capturing();
    await capture.emulator.sendHistory(number, chunk(['there']));
    await eventually(() => capture.texts).toEqual(['there']);
    expect((await capture.emulator.requests()).map(({ host }) => host)).toEqual(['mmg.whatsapp.net']);
  });

  it('does not hold up messages when its download stalls, and comes when it can', async () => {
    const capture = await capturing();
    const { media } = await capture.emulator.sendHistory(
      number,
      chunk(['late'], { fault: { fault: 'stall', afterBytes: 10 } }),
    );
    await capture.emulator.answered(await capture.say('live 1'));
    await capture.emulator.answered(await capture.say('live 2'));
    expect(capture.texts).toEqual(['live 1', 'live 2']);
    expect(capture.state).toBe('capturing');
    await capture.emulator.setMediaFault(media?.directPath ?? '', null);
    await eventually(() => capture.texts).toEqual(['live 1', 'live 2', 'late']);
  });

  it('is fetched by the next run when the process ended before', async () => {
    const capture = await capturing();
    const { media, entries } = await capture.emulator.sendHistory(
      number,
      chunk(['after'], { fault: { fault: 'mute' } }),
    );
    await capture.emulator.answered(entries);
    await capture.stop();
    expect(historyOf(capture)).toHaveLength(1);
    await capture.emulator.setMediaFault(media?.directPath ?? '', null);
    capture.run();
    await eventually(() => capture.texts).toEqual(['after']);
  });

  it('announced twice is one history', async () => {
    const capture = await capturing();
    await capture.emulator.sendHistory(number, chunk(['once']));
    await eventually(() => capture.texts).toEqual(['once']);
    await capture.emulator.sendHistory(number, chunk(['once'], { inline: true }));
    await eventually(() => historyOf(capture)).toEqual([]);
    await capture.emulator.drained(number);
    expect(capture.texts).toEqual(['once']);
  });

  it('of ten thousand messages comes in slices, with messages in between', async () => {
    const capture = await capturing();
    const texts = Array.from({ length: 10_000 }, (_, at) => `m${at}`);
    const deliveries: number[] = [];
    capture.sink.obstacle = (captures) => void deliveries.push(captures.length);
    await capture.emulator.sendHistory(number, chunk(texts));
    await capture.emulator.answered(await capture.say('live'));
    await eventually(() => capture.texts.length).toBe(10_001);
    expect(Math.max(...deliveries)).toBeLessThanOrEqual(400);
  });

  it('brings the files of its messages', async () => {
    const capture = await capturing();
    const { url: _url, ...file } = await capture.emulator.putMedia({
      kind: 'image',
      bytes: Buffer.from('old picture'),
    });
    const content = past(['x']);
    const [message] = content.conversations?.[0]?.messages ?? [];
    if (!message?.message) throw new Error('no message');
    message.message.message = { imageMessage: { ...file, mimetype: 'image/jpeg' } };
    await capture.emulator.sendHistory(number, { syncType: HistorySyncType.RECENT, content });
    await eventually(() => capture.sink.media.map(({ bytes }) => bytes.toString())).toEqual(['old picture']);
  });
});

describe('history that somebody else announces', () => {
  it('is not fetched and not believed', async () => {
    const capture = await capturing();
    const { emulator } = capture;
    const { url: _url, ...fields } = await emulator.putMedia({ kind: 'md-msg-hist', bytes: Buffer.from('forged') });
    const { entries } = await emulator.send({
      to: number,
      from: bob,
      message: {
        protocolMessage: {
          type: proto.Message.ProtocolMessage.Type.HISTORY_SYNC_NOTIFICATION,
          historySyncNotification: { syncType: HistorySyncType.RECENT, ...fields },
        },
      },
    });
    await emulator.answered(entries);
    await emulator.answered(await capture.say('after'));
    expect(historyOf(capture)).toEqual([]);
    expect(await emulator.requests()).toEqual([]);
    expect(capture.texts).toEqual(['after']);
  });
});

describe('a message that could not be read', () => {
  const gaps = ({ sink }: Capturing): string[] => sink.gaps.map(({ cause, state }) => `${cause} ${state}`);
  const questions = async ({ emulator }: Capturing): Promise<number> =>
    (await emulator.seen(number)).filter(({ node }) => node.tag === 'message').length;

  async function unread(settings: Record<string, unknown>): Promise<Capturing> {
    const capture = await Capturing.start({ emulator: { tls: true }, settings: { ...QUICK_MEDIA, ...settings } });
    const { emulator } = capture;
    await emulator.setSwitches({ resendOnRetry: false });
    const message = { conversation: 'from the phone’s history' };
    const { id, entries } = await emulator.send({ to: number, from: bob, message, corrupt: true });
    await emulator.answered(entries);
    await eventually(() => gaps(capture)).toEqual(['undecryptable open']);
    const lid = capture.sink.ofKind('undecryptable')[0]?.sender?.id ?? '';
    const messageTimestamp = Math.floor(Date.now() / 1000);
    const messages = [{ message: { key: { remoteJid: CHAT, fromMe: false, id }, message, messageTimestamp } }];
    const conversations = [{ id: CHAT, lidJid: lid, pnJid: CHAT, messages }];
    await emulator.setHistoryOnDemand(number, { syncType: HistorySyncType.ON_DEMAND, conversations });
    return capture;
  }

  it('is asked of the phone once a later one is there, and what the phone has closes the gap', async () => {
    const capture = await unread({ intervals: { repair: '100ms' } });
    // The client itself asks for the one message, when it asks its sender.
    const before = await questions(capture);
    await capture.emulator.answered(await capture.say('later'));
    await eventually(() => gaps(capture)).toEqual(['undecryptable open', 'undecryptable closed']);
    expect(capture.texts).toContain('from the phone’s history');
    await eventually(() => capture.sink.sessionNames('repair/')).toEqual([]);
    expect(await questions(capture)).toBe(before + 1);
  });

  it('is asked of the phone by the next run too, and not for ever', async () => {
    const capture = await unread({ intervals: { repair: '20ms' } });
    await capture.emulator.setHistoryOnDemand(number, null);
    await capture.stop();
    expect(capture.sink.sessionNames('repair/')).toHaveLength(1);
    const before = await questions(capture);
    capture.run();
    await capture.emulator.answered(await capture.say('later'));
    await eventually(() => capture.sink.sessionNames('repair/')).toEqual([]);
    await expect.poll(() => questions(capture), { timeout: 20_000 }).toBe(before + 4);
    expect(gaps(capture)).toEqual(['undecryptable open']);
  });

  it('is not asked of the phone while its sender may still send it again', async () => {
    const capture = await unread({});
    const before = await questions(capture);
    await capture.emulator.answered(await capture.say('later'));
    await capture.emulator.answered(await capture.say('and later'));
    expect([await questions(capture), capture.sink.sessionNames('repair/').length]).toEqual([before, 1]);
  });
});

describe('history that cannot be had', () => {
  it('is a final gap and an alarm when the media host has not got it', async () => {
    const capture = await capturing();
    await capture.emulator.sendHistory(number, chunk(['gone'], { fault: { fault: 'status', status: 404 } }));
    await eventually(() => capture.events.alarmed('history-lost')).toBe(true);
    expect(capture.sink.gaps.map(({ cause, scope, state }) => `${cause} ${scope} ${state}`)).toContain(
      'intake-lost account final',
    );
    await capture.emulator.answered(await capture.say('live'));
    expect(capture.texts).toEqual(['live']);
  });

  it('is lost when a byte differs', async () => {
    const capture = await capturing();
    await capture.emulator.sendHistory(number, chunk(['damaged'], { fault: { fault: 'flip', atByte: 20 } }));
    await eventually(() => capture.events.alarmed('history-lost')).toBe(true);
    expect(capture.texts).toEqual([]);
  });

  it.each([['fileEncSha256' as const], ['fileSha256' as const]])(
    'is kept and marked when it is authentic and its %s is another than announced',
    async (hash) => {
      const capture = await capturing();
      await capture.emulator.sendHistory(number, chunk(['other'], { lie: { [hash]: Buffer.alloc(32, 1) } }));
      await eventually(() => capture.texts).toEqual(['other']);
      await eventually(() => capture.events.alarmed('attachment-mismatch')).toBe(true);
      expect(capture.sink.gaps.map(({ cause, scope, state }) => `${cause} ${scope} ${state}`)).toEqual([
        'attachment-mismatch account final',
      ]);
      expect([historyOf(capture), capture.events.alarmed('history-lost')]).toEqual([[], false]);
    },
  );

  it.each([['//evil.example/x'], ['http://169.254.169.254/'], ['/x\r\nhost: evil.example']])(
    'is not fetched from %j',
    async (directPath) => {
      const capture = await capturing();
      await announce(capture, { directPath, mediaKey: randomBytes(32), fileEncSha256: randomBytes(32) });
      await eventually(() => capture.events.alarmed('history-lost')).toBe(true);
      expect(await capture.emulator.requests()).toEqual([]);
    },
  );

  it('is kept as bytes when it is no history', async () => {
    const capture = await capturing();

    const garbage = randomBytes(200);
    await announce(capture, { initialHistBootstrapInlinePayload: garbage });
    await eventually(() => capture.events.alarmed('history-lost')).toBe(true);
    const kept = capture.sink.contents.filter(({ view }) => view.kind === 'unknown');
    expect(kept.some(({ raw }) => Buffer.from(raw).includes(garbage))).toBe(true);
  });

  it('that inflates beyond its limit is lost, and the process lives', async () => {
    const settings = { media: { ...QUICK_MEDIA.media, mostHistory: '1MiB' } };
    const capture = await Capturing.start({ emulator: { tls: true }, settings });
    await capture.emulator.sendHistory(number, chunk(['x'.repeat(4 * 2 ** 20)]));
    await eventually(() => capture.events.alarmed('history-lost')).toBe(true);
    await capture.emulator.answered(await capture.say('live'));
    expect(capture.texts).toEqual(['live']);
  });
});

describe('files of messages, through the whole connector', () => {
  it('are fetched; a lost one is asked of the phone over the connection, and nothing else is sent', async () => {
    const capture = await capturing();
    const { emulator } = capture;
    const { url: _url, ...file } = await emulator.putMedia({
      kind: 'image',
      bytes: Buffer.from('picture'),
      fault: { fault: 'status', status: 410 },
    });
    const message = { imageMessage: { ...file, mimetype: 'image/jpeg' } };
    await emulator.send({ to: number, from: bob, message, mediaType: 'image' });
    await eventually(() => capture.sink.media.map(({ bytes }) => bytes.toString())).toEqual(['picture']);
    const sent = await emulator.seen(number);
    const kinds = new Set(sent.map(({ node }) => [node.tag, node.attrs['type'] ?? ''].join(' ').trim()));
    expect(kinds).not.toContain('message');
    expect([...kinds].filter((kind) => kind.startsWith('receipt')).toSorted()).toEqual([
      'receipt inactive',
      'receipt server-error',
    ]);
    expect(capture.session.health(account).reasons).toEqual([]);
  });
});
