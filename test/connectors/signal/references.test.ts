// SPDX-License-Identifier: AGPL-3.0-or-later

import { expect, test } from 'vitest';
import type { GapCapture } from '../../../src/connectors/connector.ts';
import { refNative } from '../../../src/connectors/signal/references.ts';
import { edited, envelopeHead, incoming, sentFromPhone, type Sender } from '../../emulators/signal/envelopes.ts';
import type { JsonValue } from '../../emulators/signal/json.ts';
import type { PayloadObject } from '../../emulators/signal/frame.ts';
import { account, dana, kessler } from '../../emulators/signal/test-world.ts';
import { Capturing, ownUuid, type CaptureOptions } from './harness.ts';
import { eventually } from '../../support/eventually.ts';

const own: Sender = { uuid: ownUuid, number: account };
const HOUR_MS = 3_600_000;

/** A session whose account is linked since an hour, and the time of messages after that. */
async function linkedSince(options: CaptureOptions = {}): Promise<{ capturing: Capturing; now: () => number }> {
  const capturing = await Capturing.start(options);
  await eventually(() => capturing.state).toBe('capturing');
  await capturing.stop();
  const linked = Buffer.from(JSON.stringify({ atMs: Date.now() - HOUR_MS }));
  await capturing.sink.deliver([], [{ name: 'linked', value: linked }]);
  await capturing.run();
  let last = Date.now() - HOUR_MS / 2;
  return { capturing, now: () => (last += 1) };
}

/** Gaps but for the restart that `linkedSince` makes itself. */
const gaps = ({ sink }: Capturing): GapCapture[] => sink.gaps.filter(({ cause }) => cause !== 'restart');

const unseen = ({ sink }: Capturing): string[] =>
  sink.gaps.flatMap(({ cause, state, native }) =>
    cause === 'reference-unseen' ? [`${state} ${native?.sender} ${native?.id}`] : [],
  );

const target = (author: Sender, at: number): { readonly [name: string]: JsonValue } => ({
  targetAuthor: author.uuid,
  targetAuthorNumber: author.number ?? null,
  targetAuthorUuid: author.uuid,
  targetSentTimestamp: at,
});

/** Each kind of reference to a message by `dana` at `at`, sent later. */
function references(at: number, later: number): Readonly<Record<string, PayloadObject>> {
  const data = (more: { readonly [name: string]: JsonValue }): PayloadObject => incoming(dana, later, { more });
  const sync = (syncMessage: { readonly [name: string]: JsonValue }): PayloadObject => ({
    envelope: { ...envelopeHead(own, later), syncMessage },
  });
  return {
    quote: incoming(kessler, later, {
      text: 'x',
      more: { quote: { id: at, author: dana.uuid, authorUuid: dana.uuid, text: 'y' } },
    }),
    reaction: data({ reaction: { emoji: 'x', ...target(dana, at), isRemove: false } }),
    edit: edited(dana, later, at, { text: 'x' }),
    delete: data({ remoteDelete: { timestamp: at } }),
    'admin delete': data({ adminDelete: target(dana, at) }),
    'poll vote': data({
      pollVote: { author: dana.uuid, authorUuid: dana.uuid, targetSentTimestamp: at, optionIndexes: [0], voteCount: 1 },
    }),
    'poll end': data({ pollTerminate: { targetSentTimestamp: at } }),
    pin: data({ pinMessage: { ...target(dana, at), pinDurationSeconds: 1 } }),
    unpin: data({ unpinMessage: target(dana, at) }),
    'story reply': data({ storyContext: { authorNumber: dana.number, authorUuid: dana.uuid, sentTimestamp: at } }),
    'read on the phone': sync({
      readMessages: [{ sender: dana.uuid, senderUuid: dana.uuid, senderNumber: dana.number, timestamp: at }],
    }),
  };
}

const kinds = Object.keys(references(1, 2));

test.each(kinds)('a reference by %s to a message that never came is a gap, named by author and time', async (kind) => {
  const { capturing, now } = await linkedSince({ intakes: ['webhook'] });
  const at = now();
  await capturing.emulator.receive(account, references(at, now())[kind] ?? '');
  await eventually(() => unseen(capturing)).toEqual([`open ${dana.uuid} ${at}`]);
  expect(capturing.sink.openGaps()[0]?.tag).toBe(capturing.sink.tagOf(refNative({ author: dana.uuid, sentAtMs: at })));
  expect(capturing.events.alarmed('reference-unseen')).toBe(true);
});

test('a receipt for an own message that was never captured is a gap', async () => {
  const { capturing, now } = await linkedSince({ intakes: ['webhook'] });
  const [seen, missing] = [now(), now()];
  await capturing.emulator.receive(account, sentFromPhone(own, seen, dana, { text: 'x' }));
  const receiptMessage = { when: now(), isDelivery: true, isRead: false, isViewed: false, timestamps: [seen, missing] };
  await capturing.emulator.receive(account, { envelope: { ...envelopeHead(dana, now()), receiptMessage } });
  await eventually(() => unseen(capturing)).toEqual([`open self ${missing}`]);
});

test('references to messages that are archived are no gap, whichever revision or kind they name', async () => {
  const { capturing, now } = await linkedSince({ intakes: ['webhook'] });
  const first = now();
  const second = now();
  await capturing.emulator.receive(account, incoming(dana, first, { text: 'one' }));
  await capturing.emulator.receive(account, edited(dana, second, first, { text: 'two' }));
  for (const at of [first, second]) {
    for (const payload of Object.values(references(at, now()))) await capturing.emulator.receive(account, payload);
  }
  // A quote of an own message names the owner by ACI.
  const mine = now();
  await capturing.emulator.receive(account, sentFromPhone(own, mine, dana, { text: 'x' }));
  const quote = { id: mine, author: account, authorNumber: account, authorUuid: ownUuid, text: 'x' };
  await capturing.emulator.receive(account, incoming(dana, now(), { text: 'y', more: { quote } }));
  await new Promise((resolve) => setTimeout(resolve, 600));
  expect(gaps(capturing)).toEqual([]);
  expect(capturing.sink.sessionNames('ref/')).toEqual([]);
});

test('a message that arrives within the grace period leaves no gap', async () => {
  const { capturing, now } = await linkedSince({
    intakes: ['webhook'],
    settings: { thresholds: { referenceGrace: '1h' } },
  });
  const at = now();
  await capturing.emulator.receive(account, references(at, now())['reaction'] ?? '');
  await eventually(() => capturing.sink.sessionNames('ref/').length).toBe(1);
  await capturing.emulator.receive(account, incoming(dana, at, { text: 'soon' }));
  await eventually(() => capturing.sink.sessionNames('ref/')).toEqual([]);
  expect(gaps(capturing)).toEqual([]);
});

test('a message that arrives after the grace period closes its gap', async () => {
  const { capturing, now } = await linkedSince({ intakes: ['webhook'] });
  const at = now();
  await capturing.emulator.receive(account, references(at, now())['reaction'] ?? '');
  await eventually(() => unseen(capturing)).toEqual([`open ${dana.uuid} ${at}`]);
  // A receipt of the same moment is not the message that was referred to.
  const receiptMessage = { when: at, isDelivery: true, isRead: false, isViewed: false, timestamps: [] };
  await capturing.emulator.receive(account, { envelope: { ...envelopeHead(dana, at), receiptMessage } });
  await eventually(() => capturing.sink.ofKind('receipt').length).toBe(1);
  expect(capturing.sink.openGaps()).toHaveLength(1);
  await capturing.emulator.receive(account, incoming(dana, at, { text: 'late' }));
  await eventually(() => unseen(capturing)).toEqual([`open ${dana.uuid} ${at}`, `closed ${dana.uuid} ${at}`]);
  expect(capturing.sink.openGaps()).toEqual([]);
});

test('what another intake brings before the grace period ends leaves no gap', async () => {
  const clock = { aheadMs: 0 };
  const { capturing, now } = await linkedSince({
    intakes: ['webhook', 'journal'],
    settings: { thresholds: { referenceGrace: '1h' } },
    clock: () => Date.now() + clock.aheadMs,
  });
  const at = now();
  capturing.emulator.faults.journalDisabled = true;
  await capturing.emulator.receive(account, references(at, now())['quote'] ?? '');
  capturing.emulator.faults.journalDisabled = false;
  capturing.emulator.faults.webhookSkips = 1;
  await capturing.emulator.receive(account, incoming(dana, at, { text: 'journal only' }));
  await eventually(() => capturing.sink.ofKind('message').length).toBe(2);
  clock.aheadMs = 2 * HOUR_MS;
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(gaps(capturing)).toEqual([]);
});

test('nothing is expected from before the link, from beyond the horizon, or without a time', async () => {
  const { capturing, now } = await linkedSince({ intakes: ['webhook'] });
  for (const at of [Date.now() - 2 * HOUR_MS, Date.now() - 80 * 24 * HOUR_MS, 0, -5]) {
    await capturing.emulator.receive(account, references(at, now())['quote'] ?? '');
  }
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(gaps(capturing)).toEqual([]);
});

test('a reference that waits is not forgotten over a restart', async () => {
  const { capturing, now } = await linkedSince({
    intakes: ['webhook', 'journal'],
    settings: { thresholds: { referenceGrace: '1s' } },
  });
  const at = now();
  await capturing.emulator.receive(account, references(at, now())['pin'] ?? '');
  await eventually(() => capturing.sink.sessionNames('ref/').length).toBe(1);
  await capturing.stop();
  expect(unseen(capturing)).toEqual([]);
  await capturing.run();
  await eventually(() => unseen(capturing)).toEqual([`open ${dana.uuid} ${at}`]);
});

test('says for good that a message never came once its reference is beyond the horizon', async () => {
  const clock = { aheadMs: 0 };
  const { capturing, now } = await linkedSince({ intakes: ['webhook'], clock: () => Date.now() + clock.aheadMs });
  const at = now();
  await capturing.emulator.receive(account, references(at, now())['edit'] ?? '');
  await eventually(() => unseen(capturing).length).toBe(1);
  clock.aheadMs = 60 * 24 * HOUR_MS;
  await eventually(() => unseen(capturing).map((one) => one.split(' ')[0])).toEqual(['open', 'final']);
});

test('forgets the index of archived messages beyond the horizon', async () => {
  const clock = { aheadMs: 0 };
  const { capturing, now } = await linkedSince({ intakes: ['webhook'], clock: () => Date.now() + clock.aheadMs });
  await capturing.emulator.receive(account, incoming(dana, now(), { text: 'x' }));
  await eventually(() => capturing.sink.sessionNames('seen/').length).toBe(1);
  clock.aheadMs = 61 * 24 * HOUR_MS;
  await eventually(() => capturing.sink.sessionNames('seen/')).toEqual([]);
});

test('an undecryptable message is a gap until the sender sends it again', async () => {
  const { capturing, now } = await linkedSince({ intakes: ['webhook', 'journal', 'websocket'] });
  const at = now();
  const { resend } = await capturing.emulator.receiveUndecryptable(account, incoming(dana, at, { text: 'x' }));
  await eventually(() => capturing.sink.openGaps().map(({ cause, scope }) => `${cause} ${scope}`)).toEqual([
    'undecryptable message',
  ]);
  await eventually(() => capturing.sink.sightings(0).byIntake).toMatchObject({ webhook: 1, journal: 1 });
  await resend();
  await eventually(() => capturing.sink.openGaps()).toEqual([]);
  expect(gaps(capturing).map(({ cause, state }) => `${cause} ${state}`)).toEqual([
    'undecryptable open',
    'undecryptable closed',
  ]);
  expect(capturing.sink.messages.map(({ view }) => view.kind)).toEqual(['undecryptable', 'message']);
});

test('an undecryptable message that is not sent again is lost for good, with an alarm', async () => {
  const { capturing, now } = await linkedSince({
    intakes: ['webhook'],
    settings: { thresholds: { undecryptableFinal: '300ms' } },
  });
  await capturing.emulator.receiveUndecryptable(account, incoming(dana, now(), { text: 'x' }));
  await eventually(() => gaps(capturing).map(({ state }) => state)).toEqual(['open', 'final']);
  expect(capturing.events.alarmed('undecryptable')).toBe(true);
});

test('an exception that comes after the message itself opens no gap', async () => {
  const { capturing, now } = await linkedSince({ intakes: ['webhook'] });
  const at = now();
  await capturing.emulator.receive(account, incoming(dana, at, { text: 'x' }));
  await capturing.emulator.receiveUndecryptable(account, incoming(dana, at, { text: 'x' }));
  await eventually(() => capturing.sink.ofKind('undecryptable').length).toBe(1);
  expect(gaps(capturing)).toEqual([]);
});

test('an undecryptable message of nobody known is a gap without a name', async () => {
  const { capturing, now } = await linkedSince({ intakes: ['webhook'] });
  const head = { ...envelopeHead(dana, now()), source: null, sourceNumber: null, sourceUuid: null, sourceDevice: null };
  await capturing.emulator.receive(account, {
    exception: { message: 'x', type: 'InvalidMessageException' },
    envelope: head,
  });
  await eventually(() => gaps(capturing).map(({ cause, native }) => [cause, native])).toEqual([
    ['undecryptable', undefined],
  ]);
});

test('a frame of thousands of references costs a bounded number of entries', async () => {
  const { capturing, now } = await linkedSince({
    intakes: ['webhook'],
    settings: { thresholds: { referenceGrace: '1h' } },
  });
  const timestamps = Array.from({ length: 5000 }, () => now());
  const receiptMessage = { when: 1, isDelivery: true, isRead: false, isViewed: false, timestamps };
  await capturing.emulator.receive(account, { envelope: { ...envelopeHead(dana, now()), receiptMessage } });
  await eventually(() => capturing.sink.sessionNames('ref/').length).toBeGreaterThan(0);
  expect(capturing.sink.sessionNames('ref/').length).toBeLessThanOrEqual(2000);
});
