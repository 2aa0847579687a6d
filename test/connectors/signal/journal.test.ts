// SPDX-License-Identifier: AGPL-3.0-or-later

import {
  copyFileSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { incoming } from '../../emulators/signal/envelopes.ts';
import { account, dana, texts } from '../../emulators/signal/test-world.ts';
import { MemorySink } from '../../support/memory-sink.ts';
import { Capturing } from './harness.ts';
import { eventually } from '../../support/eventually.ts';

const journalOnly = { intakes: ['journal'] } as const;

const bodies = ({ sink }: Capturing): (string | null)[] => sink.ofKind('message').map(({ content }) => content.text);

async function send(capturing: Capturing, from: number, to: number): Promise<void> {
  for (let at = from; at <= to; at += 1) {
    await capturing.emulator.receive(account, incoming(dana, 1_786_000_000_000 + at, { text: `${at}` }));
  }
}

const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, at) => `${from + at}`);

test('captures what was in the journal before the first start, rotated files too, and what comes after', async () => {
  const earlier = await Capturing.start({ intakes: ['websocket'] });
  await send(earlier, 1, 2);
  earlier.emulator.rotateJournal();
  await send(earlier, 3, 3);
  const capturing = new Capturing(earlier.emulator, journalOnly);
  await capturing.run();
  await send(earlier, 4, 4);
  await eventually(() => bodies(capturing)).toEqual(numbers(1, 4));
  await capturing.stop();
});

test('ignores log lines, and leaves a line without an end until it has one', async () => {
  const capturing = await Capturing.start(journalOnly);
  capturing.emulator.faults.journalNoiseEvery = 2;
  await send(capturing, 1, 4);
  await eventually(() => bodies(capturing)).toEqual(numbers(1, 4));
  const params = capturing.emulator.history[0]?.params.replace('"1"', '"torn"') ?? '';
  capturing.emulator.writeJournal(params.slice(0, 40));
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(bodies(capturing)).toEqual(numbers(1, 4));
  capturing.emulator.writeJournal(`${params.slice(40)}\n`);
  await eventually(() => bodies(capturing)).toEqual([...numbers(1, 4), 'torn']);
});

test('follows rotations while it runs, also several between two looks', async () => {
  const capturing = await Capturing.start({ ...journalOnly, settings: { intervals: { journal: '300ms' } } });
  await send(capturing, 1, 2);
  await eventually(() => bodies(capturing)).toEqual(numbers(1, 2));
  for (let at = 3; at <= 8; at += 1) {
    capturing.emulator.rotateJournal();
    await send(capturing, at, at);
  }
  await eventually(() => bodies(capturing)).toEqual(numbers(1, 8));
  expect(capturing.sink.gaps).toEqual([]);
});

test('takes up in the rotated file after a stop, and goes on through the later ones', async () => {
  const capturing = await Capturing.start(journalOnly);
  await send(capturing, 1, 3);
  await eventually(() => bodies(capturing)).toEqual(numbers(1, 3));
  await capturing.stop();
  await send(capturing, 4, 5);
  capturing.emulator.rotateJournal();
  await send(capturing, 6, 7);
  capturing.emulator.rotateJournal();
  await send(capturing, 8, 8);
  await capturing.run();
  await eventually(() => bodies(capturing)).toEqual(numbers(1, 8));
  expect(capturing.sink.gaps).toEqual([]);
});

test('joins a line that a rotation tore in two, while it runs and over a stop', async () => {
  const long = (name: string): string => name.repeat(3000);
  const capturing = await Capturing.start({ ...journalOnly, emulator: { journalMaxBytes: 8192 } });
  await capturing.emulator.receive(account, incoming(dana, 1, { text: long('first') }));
  await eventually(() => bodies(capturing)).toEqual([long('first')]);
  expect(readdirSync(dirname(capturing.emulator.journalPath)).length).toBeGreaterThan(1);
  await capturing.stop();
  await capturing.emulator.receive(account, incoming(dana, 2, { text: long('second') }));
  await capturing.run();
  await capturing.emulator.receive(account, incoming(dana, 3, { text: long('third') }));
  await eventually(() => bodies(capturing)).toEqual([long('first'), long('second'), long('third')]);
  expect(capturing.sink.ofKind('unknown')).toEqual([]);
});

test('stays behind a torn line over a stop: its beginning is read again', async () => {
  const capturing = await Capturing.start(journalOnly);
  await send(capturing, 1, 1);
  await eventually(() => bodies(capturing)).toEqual(['1']);
  const params = capturing.emulator.history[0]?.params.replace('"1"', '"torn"') ?? '';
  capturing.emulator.writeJournal(params.slice(0, 60));
  await new Promise((resolve) => setTimeout(resolve, 150));
  await capturing.stop();
  capturing.emulator.rotateJournal();
  capturing.emulator.writeJournal(`${params.slice(60)}\n`);
  await capturing.run();
  await eventually(() => bodies(capturing)).toEqual(['1', 'torn']);
});

test('stays behind a torn line also when it has followed it into the next file', async () => {
  const capturing = await Capturing.start(journalOnly);
  await send(capturing, 1, 1);
  await eventually(() => bodies(capturing)).toEqual(['1']);
  const params = capturing.emulator.history[0]?.params.replace('"1"', '"torn"') ?? '';
  capturing.emulator.writeJournal(params.slice(0, 60));
  capturing.emulator.rotateJournal();
  await new Promise((resolve) => setTimeout(resolve, 300));
  await capturing.stop();
  capturing.emulator.writeJournal(`${params.slice(60)}\n`);
  await capturing.run();
  await eventually(() => bodies(capturing)).toEqual(['1', 'torn']);
});

test('keeps a piece whose rest never came as unknown, and the message behind it as a message', async () => {
  const capturing = await Capturing.start(journalOnly);
  await send(capturing, 1, 1);
  const piece = (capturing.emulator.history[0]?.params ?? '').slice(0, 80);
  capturing.emulator.writeJournal(piece);
  await send(capturing, 2, 2);
  await eventually(() => bodies(capturing)).toEqual(['1', '2']);
  expect(capturing.sink.contents.find(({ view }) => view.kind === 'unknown')?.raw).toEqual(Buffer.from(piece));
});

test('records a gap when the journal was rotated away beyond its position, and reads all that is left', async () => {
  const capturing = await Capturing.start({ ...journalOnly, emulator: { journalBackups: 2 } });
  await send(capturing, 1, 2);
  await eventually(() => bodies(capturing)).toEqual(numbers(1, 2));
  const aliveMs = Date.now();
  await capturing.stop();
  for (let at = 3; at <= 7; at += 1) {
    await send(capturing, at, at);
    capturing.emulator.rotateJournal();
  }
  await capturing.run();
  await eventually(() => bodies(capturing)).toEqual([...numbers(1, 2), ...numbers(6, 7)]);
  const [gap, ...more] = capturing.sink.gaps;
  expect(gap).toMatchObject({ cause: 'intake-lost', scope: 'account', state: 'final' });
  expect(gap?.fromMs).toBeLessThanOrEqual(aliveMs + 1000);
  expect(gap?.toMs).toBeGreaterThan(gap?.fromMs ?? 0);
  expect(more).toEqual([]);
  expect(capturing.events.alarmed('intake-lost')).toBe(true);
});

test('records a gap when the journal is truncated under it, running or not', async () => {
  const capturing = await Capturing.start(journalOnly);
  await send(capturing, 1, 3);
  await eventually(() => bodies(capturing)).toEqual(numbers(1, 3));
  truncateSync(capturing.emulator.journalPath, 0);
  await eventually(() => capturing.sink.gaps.length).toBe(1);
  await send(capturing, 4, 4);
  await eventually(() => bodies(capturing)).toEqual(numbers(1, 4));
  await capturing.stop();
  truncateSync(capturing.emulator.journalPath, 0);
  await send(capturing, 5, 5);
  await capturing.run();
  await eventually(() => bodies(capturing)).toEqual(numbers(1, 5));
  expect(capturing.sink.gaps.map(({ cause }) => cause)).toEqual(['intake-lost', 'intake-lost']);
});

test('knows a journal again whose volume was restored from a copy', async () => {
  const capturing = await Capturing.start(journalOnly);
  await send(capturing, 1, 3);
  await eventually(() => bodies(capturing)).toEqual(numbers(1, 3));
  await capturing.stop();
  const path = capturing.emulator.journalPath;
  const before = statSync(path, { bigint: true }).ino;
  copyFileSync(path, `${path}.copy`);
  rmSync(path);
  renameSync(`${path}.copy`, path);
  expect(statSync(path, { bigint: true }).ino).not.toBe(before);
  writeFileSync(
    path,
    readFileSync(path, 'utf8') + readFileSync(path, 'utf8').split('\n')[1]?.replace('"1"', '"later"') + '\n',
  );
  await capturing.run();
  await eventually(() => bodies(capturing)).toEqual([...numbers(1, 3), 'later']);
  expect(capturing.sink.gaps).toEqual([]);
});

test('moves its position only together with what it read before it', async () => {
  const capturing = await Capturing.start(journalOnly);
  await send(capturing, 1, 2);
  await eventually(() => bodies(capturing)).toEqual(numbers(1, 2));
  let deliveries = 0;
  const position = (): number =>
    (JSON.parse(capturing.sink.session('journal')?.toString() ?? '{}') as { offset: number }).offset;
  const before = position();
  capturing.sink.obstacle = (captures) => {
    if (!captures.some(({ via }) => via === 'journal')) return;
    deliveries += 1;
    if (deliveries <= 2) throw new RangeError('not now');
  };
  await send(capturing, 3, 3);
  await eventually(() => bodies(capturing)).toEqual(numbers(1, 3));
  expect(deliveries).toBeGreaterThan(2);
  expect(position()).toBeGreaterThan(before);
});

test('reads one journal for several accounts, and each takes its own lines', async () => {
  const other = '+12025550101';
  const sinks = new Map([
    [account, new MemorySink()],
    [other, new MemorySink()],
  ]);
  const capturing = await Capturing.start({ ...journalOnly, accounts: sinks });
  capturing.emulator.world.addAccount({ number: other });
  capturing.emulator.world.addAccount({ number: '+12025550102' });
  for (const [at, number] of [account, other, account, '+12025550102'].entries()) {
    await capturing.emulator.receive(number, incoming(dana, at + 1, { text: `${at}` }));
  }
  capturing.emulator.writeJournal('{"no":"account"}\n');
  const texts_ = (number: string): unknown[] =>
    sinks
      .get(number)
      ?.ofKind('message')
      .map(({ content }) => content.text) ?? [];
  await eventually(() => texts_(account)).toEqual(['0', '2']);
  await eventually(() => texts_(other)).toEqual(['1']);
  await eventually(() => capturing.events.alarmed('unattributed')).toBe(true);
  expect(capturing.events.alarmed('unknown-account')).toBe(true);
});

test('is not green while the journal cannot be read, and reads it once it can', async () => {
  const capturing = await Capturing.start(journalOnly);
  await send(capturing, 1, 1);
  await eventually(() => capturing.state).toBe('capturing');
  await capturing.stop();
  const path = capturing.emulator.journalPath;
  const directory = dirname(path);
  renameSync(directory, `${directory}-away`);
  await capturing.run();
  await eventually(() => capturing.session.health(account).reasons).toContain('journal-unreadable');
  renameSync(`${directory}-away`, directory);
  await send(capturing, 2, 2);
  await eventually(() => bodies(capturing)).toEqual(numbers(1, 2));
  await eventually(() => capturing.state).toBe('capturing');
});

test('captures a burst of thousands from the journal alone, through its rotations', async () => {
  const capturing = await Capturing.start({
    ...journalOnly,
    emulator: { journalMaxBytes: 100_000, journalBackups: 50 },
  });
  await capturing.emulator.receiveBurst(account, texts(3000));
  await eventually(() => capturing.sink.messages.length).toBe(3000);
  expect(readdirSync(join(dirname(capturing.emulator.journalPath))).length).toBeGreaterThan(5);
  expect(capturing.sink.gaps).toEqual([]);
});

test('skips a line over the bound and records it as a gap, by count', async () => {
  const capturing = await Capturing.start({ ...journalOnly, settings: { limits: { body: '4KiB' } } });
  await capturing.emulator.receive(account, incoming(dana, 1, { text: 'x'.repeat(5000) }));
  await send(capturing, 1, 1);
  await eventually(() => bodies(capturing)).toEqual(['1']);
  expect(capturing.sink.gaps).toMatchObject([{ cause: 'oversized', state: 'final', count: 1 }]);
});
