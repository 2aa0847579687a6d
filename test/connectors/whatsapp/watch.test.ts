// SPDX-License-Identifier: AGPL-3.0-or-later

import { expect, test } from 'vitest';
import type { AccountSink } from '../../../src/connectors/connector.ts';
import { keyName } from '../../../src/connectors/whatsapp/key-store.ts';
import { memoryName, memoryQuarters, plainName, plainWeeks } from '../../../src/connectors/whatsapp/state.ts';
import { eventually } from '../../support/eventually.ts';
import type { MemorySink } from '../../support/memory-sink.ts';
import { bob, Capturing, number } from './harness.ts';

const chat = `${bob}@s.whatsapp.net`;

const version = (sink: AccountSink): string => keyName(sink, 'app-state-sync-version', 'regular_high');

const namesOf = (sink: MemorySink): unknown[] =>
  sink.ofKind('group').map(({ state }) => (state as { readonly name?: unknown }).name);

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

test('the first state of an account, which the server hands over as a file, is in the archive change for change', async () => {
  const capturing = await Capturing.start({ emulator: { tls: true }, idle: true });
  const { emulator, sink } = capturing;
  await deletesForHimself(capturing, 'FIRST');
  await deletesForHimself(capturing, 'SECOND');
  await emulator.snapshotAppState(number, 'regular_high');
  await deletesForHimself(capturing, 'THIRD');
  capturing.run();
  await emulator.shareAppStateKey(number);
  const deleted = (): Set<string | undefined> =>
    new Set(sink.ofKind('delete-for-me').map(({ target }) => target?.id ?? undefined));
  await eventually(deleted).toEqual(new Set(['FIRST', 'SECOND', 'THIRD']));
  await eventually(() => sink.sessionNames('history/')).toEqual([]);
  expect(new Set((await emulator.requests()).map(({ host }) => host))).toEqual(new Set(['mmg.whatsapp.net']));
});

test('a file of app state that nobody has is a final gap, and capture goes on', async () => {
  const capturing = await Capturing.start({ emulator: { tls: true }, idle: true });
  const { emulator, sink } = capturing;
  await deletesForHimself(capturing, 'FIRST');
  const { directPath } = await emulator.snapshotAppState(number, 'regular_high');
  await emulator.setMediaFault(directPath, { fault: 'status', status: 404 });
  capturing.run();
  await emulator.shareAppStateKey(number);
  await eventually(() => capturing.events.alarmed('history-lost')).toBe(true);
  expect(sink.gaps.map(({ cause, state }) => `${cause} ${state}`)).toEqual(['intake-lost final']);
  await emulator.answered(await capturing.say('after'));
  expect(capturing.texts).toEqual(['after']);
});

test('a group that comes back to an earlier state is a record each time, and one that stays is none', async () => {
  const capturing = await Capturing.start({ idle: true, settings: { intervals: { groups: '50ms' } } });
  const { emulator, sink } = capturing;
  const chat = await emulator.addGroup({ subject: 'Plans', members: [bob, number] });
  capturing.run();
  const names = (): unknown[] => namesOf(sink);
  await eventually(names).toEqual(['Plans']);
  for (const subject of ['Party', 'Plans', 'Party']) {
    const before = names().length;
    await emulator.changeGroup(chat, { subject });
    await eventually(() => names().length).toBe(before + 1);
  }
  const asked = async (): Promise<number> =>
    (await emulator.seen(number)).filter(({ node }) => node.attrs['xmlns'] === 'w:g2').length;
  const since = await asked();
  await expect.poll(asked, { timeout: 20_000 }).toBeGreaterThan(since + 2);
  expect(names()).toEqual(['Plans', 'Party', 'Plans', 'Party']);
});

test('who is in a group that nobody knew is asked when its first message comes, once', async () => {
  const capturing = await Capturing.start();
  const { emulator, sink } = capturing;
  await eventually(() => sink.ofKind('sync').length).toBeGreaterThan(0);
  const chat = await emulator.addGroup({ subject: 'New', members: [bob, number] });
  for (const conversation of ['one', 'two', 'three'])
    await emulator.send({ to: number, from: bob, chat, message: { conversation } });
  await eventually(() => namesOf(sink)).toEqual(['New']);
  await emulator.answered(
    (await emulator.send({ to: number, from: bob, chat, message: { conversation: 'four' } })).entries,
  );
  const about = (await emulator.seen(number)).filter(
    ({ node }) => node.attrs['xmlns'] === 'w:g2' && node.attrs['to'] === chat,
  );
  expect(about).toHaveLength(1);
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

test('what is remembered of messages is forgotten after a year and more, plaintexts after five weeks', async () => {
  const nowMs = Date.now();
  const capturing = await Capturing.start({ idle: true, clock: () => nowMs });
  const { sink } = capturing;
  const [plain = 0, memory = 0] = [plainWeeks(nowMs)[0], memoryQuarters(nowMs)[0]];
  const kept = [plainName(plain, 'a'), plainName(plain - 4, 'b'), memoryName(memory, 'c'), memoryName(memory - 4, 'd')];
  const old = [plainName(plain - 5, 'e'), plainName(plain - 60, 'f'), memoryName(memory - 5, '0')];
  await sink.deliver(
    [],
    [...kept, ...old].map((name) => ({ name, value: Buffer.from('x') })),
  );
  capturing.run();
  await eventually(() => old.filter((name) => sink.session(name) !== null)).toEqual([]);
  expect(kept.filter((name) => sink.session(name) === null)).toEqual([]);
});

test('sweeps do not pile up while the spool is full: what is due is recorded once', async () => {
  let nowMs = Date.now();
  let looks = 0;
  const clock = (): number => (looks++, nowMs);
  const capturing = await Capturing.start({ clock });
  const { sink, events } = capturing;
  const states = (): string[] => sink.gaps.filter(({ cause }) => cause === 'undecryptable').map(({ state }) => state);
  await capturing.emulator.send({ to: number, from: bob, message: { conversation: 'never' }, corrupt: true });
  await eventually(states).toEqual(['open']);
  const sweeps = async (count: number): Promise<void> => {
    const from = looks;
    await eventually(() => looks).toBeGreaterThan(from + count);
  };
  await sweeps(20);
  const full = Promise.withResolvers<void>();
  sink.gate = full.promise;
  nowMs += 15 * 86_400_000;
  await sweeps(20);
  full.resolve();
  await eventually(states).toContain('final');
  await sweeps(20);
  expect([states(), events.troubles]).toEqual([['open', 'final'], []]);
});
