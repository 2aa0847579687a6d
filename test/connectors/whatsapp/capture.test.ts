// SPDX-License-Identifier: AGPL-3.0-or-later

import { expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { account, bob, Capturing, carol, number } from './harness.ts';

test('links by a code that is scanned, and captures from then on', async () => {
  const capturing = await Capturing.start({ unlinked: true });
  await eventually(() => capturing.state).toBe('not-linked');
  const steps: string[] = [];
  for await (const step of capturing.session.link(account, AbortSignal.timeout(20_000))) {
    steps.push(step.step);
    if (step.step === 'show-qr') await capturing.emulator.scanQr(step.uri, number);
  }
  expect(steps).toEqual(['show-qr', 'waiting', 'linked']);
  await eventually(() => capturing.state).toBe('capturing');
  await capturing.emulator.answered(await capturing.say('hello'));
  expect(capturing.texts).toEqual(['hello']);
  expect(capturing.sink.gaps.map(({ cause, state }) => [cause, state])).toEqual([
    ['not-linked', 'open'],
    ['not-linked', 'closed'],
  ]);
});

test('has a message in the spool, with the ratchet that moved for it, before the server is told that it is delivered', async () => {
  const capturing = await Capturing.start();
  const { emulator, sink } = capturing;
  const held = Promise.withResolvers<void>();
  const together: boolean[] = [];
  sink.obstacle = async (captures, session) => {
    if (!captures.some(({ view }) => view.kind === 'message')) return;
    together.push(session.some(({ name }) => name.startsWith('key/')));
    await held.promise;
  };
  const entries = await capturing.say('first');
  await eventually(() => together).toEqual([true]);
  expect(await emulator.receipted(number)).toEqual([]);
  held.resolve();
  await emulator.answered(entries);
  expect(capturing.texts).toEqual(['first']);
  const [entry] = await emulator.receipted(number);
  expect(entry?.replies).toMatchObject([{ tag: 'receipt', type: 'inactive', error: null }]);
});

test('captures direct messages, groups and what the owner writes on the phone, in the order of arrival', async () => {
  const capturing = await Capturing.start();
  const { emulator } = capturing;
  const group = await emulator.addGroup({ subject: 'Plans', members: [bob, carol, number] });
  const messages = [
    { from: bob, text: 'direct' },
    { from: bob, chat: group, text: 'to the group' },
    { from: carol, chat: group, text: 'also to the group' },
    { from: number, chat: `${bob}@s.whatsapp.net`, text: 'from the phone' },
    { from: bob, text: 'direct again' },
  ];
  const entries: number[] = [];
  for (const { text, ...where } of messages)
    entries.push(...(await emulator.send({ to: number, ...where, message: { conversation: text } })).entries);
  await emulator.answered(entries);
  expect(capturing.texts.filter((text) => text !== null)).toEqual(messages.map(({ text }) => text));
  expect((await emulator.receipted(number)).map(({ text }) => text)).toEqual(messages.map(({ text }) => text));
});
