// SPDX-License-Identifier: AGPL-3.0-or-later

import { describe, expect, test } from 'vitest';
import type { ConnectionFault } from '../../emulators/whatsapp/faults.ts';
import { eventually } from '../../support/eventually.ts';
import { account, bob, Capturing, number } from './harness.ts';

const gapsOf = ({ sink }: Capturing): (readonly [string, string])[] =>
  sink.gaps.map(({ cause, state }) => [cause, state]);

/** What makes a device itself; its counters go on while one looks. */
function identityOf({ sink }: Capturing, name: 'creds' | 'former'): unknown[] {
  const { noiseKey, signedIdentityKey, registrationId } = JSON.parse(
    Buffer.from(sink.session(name) ?? []).toString(),
  ) as Record<string, unknown>;
  expect(noiseKey).toBeDefined();
  return [noiseKey, signedIdentityKey, registrationId];
}

/** Something to see that capture goes on. */
async function stillHears(capturing: Capturing, text = 'still here'): Promise<void> {
  await eventually(() => capturing.state).toBe('capturing');
  await capturing.emulator.answered(await capturing.say(text));
  expect(capturing.texts).toContain(text);
}

describe('a connection that ends', () => {
  const faults: readonly (readonly [string, ConnectionFault])[] = [
    ['server restart (503)', { fault: 'stream-error', code: 503 }],
    ['restart asked for (515)', { fault: 'stream-error', code: 515 }],
    ['unknown stream error (500)', { fault: 'stream-error', code: 500 }],
    ['unacknowledged stanzas', { fault: 'stream-error', ack: true }],
    ['end of stream', { fault: 'stream-end' }],
  ];
  test.each(faults)('is made again: %s', async (_name, fault) => {
    const capturing = await Capturing.start();
    const before = await capturing.emulator.logins(number);
    await capturing.emulator.fault(number, fault);
    await expect.poll(() => capturing.emulator.logins(number)).toBeGreaterThan(before);
    await stillHears(capturing);
    expect(gapsOf(capturing)).toEqual([]);
  });

  test('is a gap when it lasts, closed by the next one', async () => {
    const capturing = await Capturing.start();
    await capturing.emulator.setSwitches({ refuseConnections: true });
    await capturing.emulator.drop(number);
    await eventually(() => gapsOf(capturing)).toEqual([['backend-outage', 'open']]);
    expect([capturing.state, capturing.reasons]).toEqual(['degraded', ['disconnected']]);
    expect(capturing.events.alarmed('outage')).toBe(true);
    await capturing.emulator.setSwitches({ refuseConnections: false });
    await stillHears(capturing);
    expect(gapsOf(capturing)).toEqual([
      ['backend-outage', 'open'],
      ['backend-outage', 'closed'],
    ]);
  });

  test('by another holder of the same device is not fought over (440)', async () => {
    const capturing = await Capturing.start();
    const before = await capturing.emulator.logins(number);
    await capturing.emulator.fault(number, { fault: 'stream-error', conflict: 'replaced' });
    await eventually(() => capturing.reasons).toContain('replaced');
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(await capturing.emulator.logins(number)).toBe(before);
    expect(gapsOf(capturing)).toEqual([['intake-lost', 'open']]);
    expect(capturing.events.alarmed('replaced')).toBe(true);
  });

  test.each([
    [402, 'banned', 'backend-outage', 'degraded'],
    [403, 'banned', 'unlinked', 'unlinked'],
    [405, 'client-outdated', 'unsupported-version', 'degraded'],
    [406, 'banned', 'unlinked', 'unlinked'],
    [409, 'client-outdated', 'unsupported-version', 'degraded'],
    [411, 'multi-device-off', 'unlinked', 'unlinked'],
  ] as const)('with the refusal %d is %s, and not tried again soon', async (reason, alarm, cause, state) => {
    const capturing = await Capturing.start();
    await capturing.emulator.refuseLogins({ reason });
    await capturing.emulator.drop(number);
    await eventually(() => gapsOf(capturing)).toContainEqual([cause, 'open']);
    const logins = await capturing.emulator.logins(number);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(await capturing.emulator.logins(number)).toBe(logins);
    expect([capturing.state, capturing.events.alarmed(alarm)]).toEqual([state, true]);
  });
});

describe('an unlinked device (401)', () => {
  test('is seen at once, keeps its identity, and captures again once it is linked again', async () => {
    const capturing = await Capturing.start();
    const former = identityOf(capturing, 'creds');
    await capturing.emulator.unlink(number);
    await eventually(() => capturing.state).toBe('unlinked');
    expect(gapsOf(capturing)).toEqual([['unlinked', 'open']]);
    expect(capturing.events.alarmed('unlinked')).toBe(true);
    expect(capturing.sink.session('creds')).not.toBeNull();
    for await (const step of capturing.session.link(account, AbortSignal.timeout(20_000)))
      if (step.step === 'show-qr') await capturing.emulator.scanQr(step.uri, number);
    await stillHears(capturing);
    expect(gapsOf(capturing)).toEqual([
      ['unlinked', 'open'],
      ['unlinked', 'closed'],
    ]);
    expect(identityOf(capturing, 'former')).toEqual(former);
    expect(identityOf(capturing, 'creds')).not.toEqual(former);
  });

  test('links by a code that is typed into the phone', async () => {
    const capturing = await Capturing.start({ unlinked: true });
    const steps: string[] = [];
    for await (const step of capturing.session.link(account, AbortSignal.timeout(20_000), { code: true })) {
      steps.push(step.step);
      if (step.step === 'show-code') await capturing.emulator.typePairingCode(step.code, number);
    }
    expect(steps).toEqual(['show-code', 'waiting', 'linked']);
    await stillHears(capturing);
  });

  test('is refused when the phone of another account scanned the code', async () => {
    const capturing = await Capturing.start({ unlinked: true });
    await capturing.emulator.addAccount({ number: '15550009999' });
    const steps: unknown[] = [];
    for await (const step of capturing.session.link(account, AbortSignal.timeout(20_000))) {
      if (step.step === 'show-qr') await capturing.emulator.scanQr(step.uri, '15550009999');
      else steps.push(step);
    }
    expect(steps).toEqual([{ step: 'waiting' }, { step: 'failed', reason: 'other-account' }]);
    expect(capturing.sink.session('creds')).toBeNull();
  });
});

describe('a message that cannot be read', () => {
  test('is a record with its ciphertext and a gap, closed when the sender sends it again', async () => {
    const capturing = await Capturing.start();
    await capturing.emulator.setSwitches({ resendOnRetry: true });
    await stillHears(capturing, 'before');
    await capturing.emulator.send({ to: number, from: bob, message: { conversation: 'late' }, corrupt: true });
    await eventually(() => capturing.texts).toContain('late');
    expect(gapsOf(capturing)).toEqual([
      ['undecryptable', 'open'],
      ['undecryptable', 'closed'],
    ]);
    expect(capturing.sink.ofKind('undecryptable')).toHaveLength(1);
  });

  test('stays a gap if nobody sends it again', async () => {
    const capturing = await Capturing.start();
    await capturing.emulator.setSwitches({ resendOnRetry: false });
    await capturing.emulator.send({ to: number, from: bob, message: { conversation: 'never' }, corrupt: true });
    await eventually(() => gapsOf(capturing)).toEqual([['undecryptable', 'open']]);
    await eventually(() => capturing.reasons).toContain('undecryptable');
    expect(capturing.events.alarmed('undecryptable')).toBe(true);
  });

  test.each([
    ['view-once, which no linked device is given', 'view_once_unavailable_fanout', []],
    ['not sent to this device, perhaps later', 'bot_unavailable_fanout', [['undecryptable', 'open']]],
  ])('is recorded as having existed: %s', async (_name, type, gaps) => {
    const capturing = await Capturing.start();
    const attrs = { from: `${bob}@s.whatsapp.net`, type: 'media', t: '1795000000', notify: 'Bob' };
    const content = [{ tag: 'unavailable', attrs: { type } }];
    const entries = await capturing.emulator.push(number, { tag: 'message', attrs, content });
    await capturing.emulator.answered(entries);
    expect(capturing.sink.ofKind('unavailable')).toHaveLength(1);
    expect(gapsOf(capturing)).toEqual(gaps);
  });

  test.each([
    ['of a bot', { tag: 'enc', attrs: { v: '2', type: 'msmsg' }, content: Buffer.from('bot') }, {}],
    [
      'of an encryption that is not known',
      { tag: 'enc', attrs: { v: '9', type: 'new' }, content: Buffer.from('x') },
      {},
    ],
    [
      'that the client cannot place',
      { tag: 'enc', attrs: { v: '2', type: 'msg' }, content: Buffer.from('y') },
      { recipient: '1@s.whatsapp.net' },
    ],
    ['without anything in it', { tag: 'meta', attrs: {} }, {}],
  ])('%s is recorded before the client drops it', async (_name, child, more) => {
    const capturing = await Capturing.start();
    const attrs = { from: `${bob}@s.whatsapp.net`, type: 'text', t: '1795000000', ...more };
    const entries = await capturing.emulator.push(number, { tag: 'message', attrs, content: [child] });
    await capturing.emulator.answered(entries);
    expect(gapsOf(capturing)).toEqual([['undecryptable', 'open']]);
    expect(capturing.sink.ofKind('undecryptable')).toHaveLength(1);
  });
});

test('what the client swallows is a gap and a new connection', async () => {
  const capturing = await Capturing.start({ settings: { thresholds: { unaccounted: '300ms' } } });
  const before = await capturing.emulator.logins(number);
  // The client asks for the other address of an unknown sender, and hangs on it.
  await capturing.emulator.setSwitches({ ignoreQueries: true });
  await capturing.emulator.addPerson({ number: '15550004444' });
  await capturing.emulator.send({
    to: number,
    from: '15550004444',
    message: { conversation: 'swallowed' },
    attributes: { addressing_mode: null, sender_lid: null },
  });
  await eventually(() => capturing.events.alarmed('unaccounted')).toBe(true);
  expect(gapsOf(capturing)[0]).toEqual(['intake-lost', 'open']);
  await capturing.emulator.setSwitches({ ignoreQueries: false });
  await expect.poll(() => capturing.emulator.logins(number)).toBeGreaterThan(before);
  await eventually(() => capturing.texts).toContain('swallowed');
  await eventually(() => gapsOf(capturing)).toContainEqual(['intake-lost', 'closed']);
});

describe('a frame that does not decode', () => {
  const faults: readonly (readonly [string, ConnectionFault])[] = [
    ['no node', { fault: 'garbage-node' }],
    ['no ciphertext', { fault: 'garbage-cipher' }],
  ];
  test.each(faults)('ends the connection, not the process, and nothing is lost: %s', async (_name, fault) => {
    const capturing = await Capturing.start();
    const before = await capturing.emulator.logins(number);
    await capturing.emulator.fault(number, fault);
    await eventually(() => capturing.events.alarmed('frame-unreadable')).toBe(true);
    await expect.poll(() => capturing.emulator.logins(number)).toBeGreaterThan(before);
    await stillHears(capturing);
  });

  test('nested a hundred deep is captured or dropped, and capture goes on', async () => {
    const capturing = await Capturing.start();
    await capturing.emulator.fault(number, { fault: 'deep-node', levels: 100 });
    await stillHears(capturing);
  });
});

test('bytes that are no message are kept as they came', async () => {
  const capturing = await Capturing.start();
  await capturing.emulator.setSwitches({ resendOnRetry: false });
  const bytes = Buffer.from([0x0a, 0x7f, 0x01]);
  await capturing.emulator.send({ to: number, from: bob, message: bytes });
  await eventually(() => capturing.sink.messages.some(({ raw }) => Buffer.from(raw).includes(bytes))).toBe(true);
  await stillHears(capturing);
});

test('a notification that is sent again is recorded once', async () => {
  const capturing = await Capturing.start();
  const { emulator, sink } = capturing;
  await emulator.setSwitches({ forgetReceipts: true });
  const attrs = { from: `${bob}@s.whatsapp.net`, type: 'encrypt', t: '1795000000' };
  await emulator.push(number, { tag: 'notification', attrs, content: [{ tag: 'identity', attrs: {} }] });
  await eventually(() => sink.ofKind('identity-change').length).toBe(1);
  await emulator.setSwitches({ forgetReceipts: false });
  await emulator.drop(number);
  await emulator.drained(number);
  expect(sink.ofKind('identity-change')).toHaveLength(1);
});

test('warns at ten and twelve days without the phone, and closes the gap of the fourteenth when it is heard of', async () => {
  let nowMs = Date.now();
  const capturing = await Capturing.start({ clock: () => nowMs });
  const chat = `${bob}@s.whatsapp.net`;
  const typed = { to: number, from: number, chat };
  const { entries } = await capturing.emulator.send({ ...typed, message: { conversation: 'from the phone' } });
  await capturing.emulator.answered(entries);
  await eventually(() => capturing.sink.session('phone')).not.toBeNull();
  for (const days of [10, 12, 14]) {
    nowMs += (days === 10 ? 10 : 2) * 86_400_000;
    await eventually(() => capturing.events.total('phone-idle')).toBe({ 10: 10, 12: 22, 14: 36 }[days]);
  }
  await eventually(() => gapsOf(capturing)).toEqual([['phone-idle', 'open']]);
  await capturing.emulator.send({ ...typed, message: { conversation: 'back' } });
  await eventually(() => gapsOf(capturing)).toContainEqual(['phone-idle', 'closed']);
});

test('sends nothing but what the protocol needs, and never looks online', async () => {
  const capturing = await Capturing.start();
  const chat = await capturing.emulator.addGroup({ subject: 'Plans', members: [bob, number] });
  await capturing.emulator.send({ to: number, from: bob, chat, message: { conversation: 'in the group' } });
  await stillHears(capturing);
  const seen = await capturing.emulator.seen(number);
  const tags = new Set(seen.map(({ node }) => node.tag));
  expect([...tags].toSorted().filter((tag) => !['ack', 'ib', 'iq', 'presence', 'receipt'].includes(tag))).toEqual([]);
  const receipts = seen.filter(({ node }) => node.tag === 'receipt').map(({ node }) => node.attrs['type']);
  expect(new Set(receipts)).toEqual(new Set(['inactive']));
  const presences = seen.filter(({ node }) => node.tag === 'presence').map(({ node }) => node.attrs['type']);
  expect(presences.filter((type) => type !== 'unavailable' && type !== undefined)).toEqual([]);
});

test('says so when the server cannot be reached to link', async () => {
  const capturing = await Capturing.start({ unlinked: true });
  await capturing.emulator.setSwitches({ refuseConnections: true });
  const steps = await Array.fromAsync(capturing.session.link(account, AbortSignal.timeout(20_000)));
  expect(steps).toMatchObject([{ step: 'failed' }]);
});

test('links again while the device of before is between two connections, and leaves one', async () => {
  const capturing = await Capturing.start();
  await capturing.emulator.refuseLogins({ reason: 503, times: 3 });
  await capturing.emulator.drop(number);
  await eventually(() => capturing.reasons).toContain('disconnected');
  for await (const step of capturing.session.link(account, AbortSignal.timeout(20_000)))
    if (step.step === 'show-qr') await capturing.emulator.scanQr(step.uri, number);
  await eventually(() => capturing.state).toBe('capturing');
  // To both devices, of which only the new one is there.
  await capturing.say('to the new one');
  await eventually(() => capturing.texts).toContain('to the new one');
});

test('what has to wait its turn in a long queue is not taken for swallowed', async () => {
  const capturing = await Capturing.start({ idle: true, settings: { thresholds: { unaccounted: '1s' } } });
  const { emulator } = capturing;
  await emulator.prepareBurst({ to: number, from: [bob], count: 2500 });
  await emulator.release(number);
  capturing.run();
  await emulator.drained(number);
  expect(capturing.texts).toHaveLength(2500);
  expect([capturing.events.alarmed('unaccounted'), gapsOf(capturing)]).toEqual([false, []]);
});
