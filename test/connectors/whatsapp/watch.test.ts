// SPDX-License-Identifier: AGPL-3.0-or-later

import { expect, test } from 'vitest';
import type { AccountSink } from '../../../src/connectors/connector.ts';
import { keyName } from '../../../src/connectors/whatsapp/key-store.ts';
import { eventually } from '../../support/eventually.ts';
import { bob, Capturing, number } from './harness.ts';

const chat = `${bob}@s.whatsapp.net`;

const version = (sink: AccountSink): string => keyName(sink, 'app-state-sync-version', 'regular_high');

async function deletesForHimself({ emulator }: Capturing, id: string): Promise<void> {
  const index = ['deleteMessageForMe', chat, id, '0', '0'];
  const value = { timestamp: Date.now(), deleteMessageForMeAction: { deleteMedia: false, messageTimestamp: 1 } };
  await emulator.changeAppState(number, [{ collection: 'regular_high', index, value }]);
}

test('what the owner deletes for himself is an event in the archive, beside the message', async () => {
  const capturing = await Capturing.start();
  const { emulator, sink } = capturing;
  await emulator.answered((await emulator.shareAppStateKey(number)).entries);
  const { id, entries } = await emulator.send({ to: number, from: bob, message: { conversation: 'evidence' } });
  await emulator.answered(entries);
  await deletesForHimself(capturing, id);
  await eventually(() => sink.ofKind('delete-for-me').length).toBe(1);
  expect(capturing.texts).toContain('evidence');
});

test('a change is durable before the client is past it', async () => {
  const capturing = await Capturing.start();
  const { emulator, sink } = capturing;
  await emulator.answered((await emulator.shareAppStateKey(number)).entries);
  const order: string[] = [];
  sink.obstacle = (captures, session) => {
    if (captures.some(({ view }) => view.kind === 'delete-for-me')) order.push('event');
    if (session.some(({ name }) => name === version(sink))) order.push('version');
  };
  await deletesForHimself(capturing, 'GONE');
  await eventually(() => order).toEqual(['event', 'version']);
});

test('what was changed before the key came is asked for when it is there', async () => {
  const capturing = await Capturing.start();
  const { emulator, sink } = capturing;
  await deletesForHimself(capturing, 'EARLY');
  await emulator.shareAppStateKey(number);
  await eventually(() => sink.ofKind('delete-for-me').length).toBe(1);
});

test('who is in which group is a record, and one more when it has changed', async () => {
  const capturing = await Capturing.start({ idle: true, settings: { intervals: { groups: '100ms' } } });
  const { emulator, sink } = capturing;
  await emulator.addGroup({ subject: 'Plans', members: [bob, number] });
  capturing.run();
  await eventually(() => sink.ofKind('group').length).toBe(1);
  expect(JSON.stringify(sink.ofKind('group')[0])).toContain('Plans');
  await emulator.addGroup({ subject: 'More', members: [bob, number] });
  await eventually(() => sink.ofKind('group').length).toBe(2);
});
