// SPDX-License-Identifier: AGPL-3.0-or-later

import { expect, test } from 'vitest';
import { accountHead } from '../../../src/connectors/signal/own-records.ts';
import { incoming } from '../../emulators/signal/envelopes.ts';
import { account, dana } from '../../emulators/signal/test-world.ts';
import { Capturing } from './harness.ts';
import { eventually } from '../../support/eventually.ts';

let at = 1_786_000_000_000;
const message = (text = 'x'): ReturnType<typeof incoming> => incoming(dana, (at += 1), { text });

const gaps = ({ sink }: Capturing): string[] => sink.gaps.map(({ cause, state }) => `${cause} ${state}`);
const open = ({ sink }: Capturing): string[] => sink.openGaps().map(({ cause }) => cause);

async function green(capturing: Capturing): Promise<void> {
  await eventually(() => capturing.state).toBe('capturing');
}

test('is green only once the back end listed the account and answered', async () => {
  const capturing = await Capturing.start();
  expect(capturing.events.states[0]?.health.state).toBe('starting');
  await green(capturing);
  const linked = capturing.sink.ofKind('linked');
  expect(linked).toMatchObject([{ device: 'Holdfast archive', chat: null, direction: 'none' }]);
  expect(capturing.events.states.every((state) => state.account === account)).toBe(true);
  await capturing.stop();
  expect(capturing.state).toBe('stopped');
});

test('asks the back end for nothing but what it needs, never for its health', async () => {
  const capturing = await Capturing.start();
  await capturing.emulator.receive(account, message());
  await green(capturing);
  const routes = (): string[] =>
    [...new Set(capturing.emulator.requests.map(({ method, path }) => `${method} ${path.split('/')[2]}`))].toSorted();
  await eventually(routes).toContain('GET receive');
  expect(routes()).toEqual([
    'GET about',
    'GET accounts',
    'GET contacts',
    'GET devices',
    'GET groups',
    'GET identities',
    'GET receive',
  ]);
});

test('sees an account unlinked when its number is gone, and linked again when it is back', async () => {
  const capturing = await Capturing.start();
  await green(capturing);
  capturing.emulator.unlink(account);
  await eventually(() => capturing.state).toBe('unlinked');
  expect(open(capturing)).toEqual(['unlinked']);
  expect(capturing.events.alarmed('unlinked')).toBe(true);
  capturing.emulator.relink(account);
  await green(capturing);
  expect(gaps(capturing)).toEqual(['unlinked open', 'unlinked closed']);
  const [opened, closed] = capturing.sink.gaps;
  expect(closed?.toMs).toBeGreaterThanOrEqual(opened?.fromMs ?? Infinity);
  expect(capturing.sink.ofKind('linked')).toHaveLength(2);
});

test('keeps an unlinked account unlinked over a restart, without a second gap', async () => {
  const capturing = await Capturing.start();
  await green(capturing);
  capturing.emulator.unlink(account);
  await eventually(() => capturing.state).toBe('unlinked');
  await capturing.stop();
  await capturing.run();
  await eventually(() => capturing.state).toBe('unlinked');
  expect(gaps(capturing)).toEqual(['unlinked open']);
});

test('does not take a short list for an unlinked account while the account itself still answers', async () => {
  const capturing = await Capturing.start();
  await green(capturing);
  const { accounts } = capturing.emulator.world;
  // The list is made of all accounts; the calls about one look the account up.
  const values = accounts.values.bind(accounts);
  accounts.values = () => new Map<string, never>().values();
  await new Promise((resolve) => setTimeout(resolve, 400));
  expect(capturing.sink.gaps).toEqual([]);
  accounts.values = values;
  await green(capturing);
});

test('tells an account that was never linked, until it is', async () => {
  const capturing = await Capturing.start({ emulator: { accounts: [{ number: account, registered: false }] } });
  await eventually(() => capturing.state).toBe('not-linked');
  expect(open(capturing)).toEqual(['not-linked']);
  expect(capturing.sink.ofKind('linked')).toEqual([]);
  capturing.emulator.relink(account);
  await green(capturing);
  expect(gaps(capturing)).toEqual(['not-linked open', 'not-linked closed']);
});

test('records an outage of the back end as a gap with both ends', async () => {
  const capturing = await Capturing.start();
  await green(capturing);
  await capturing.emulator.exitProcess();
  await eventually(() => capturing.state).toBe('degraded');
  expect(capturing.session.health(account).reasons).toContain('backend-unreachable');
  await eventually(() => open(capturing)).toEqual(['backend-outage']);
  expect(capturing.events.alarmed('backend-outage')).toBe(true);
  await capturing.emulator.startProcess({ redialMs: 0 });
  await green(capturing);
  expect(open(capturing)).toEqual([]);
  const outage = capturing.sink.gaps.filter(({ cause }) => cause === 'backend-outage');
  expect(outage.map(({ state }) => state)).toEqual(['open', 'closed']);
  expect(outage[1]?.toMs).toBeGreaterThan(outage[0]?.fromMs ?? Infinity);
});

test('survives calls that hang and empty 500s without a gap', async () => {
  const capturing = await Capturing.start({ settings: { timeouts: { rest: '100ms' }, thresholds: { outage: '10s' } } });
  await green(capturing);
  capturing.emulator.faults.hangAnswers(5);
  await eventually(() => capturing.session.health(account).reasons).toContain('backend-unreachable');
  await green(capturing);
  expect(capturing.sink.gaps).toEqual([]);
});

test('reports a restart of signal-cli, as the journal tells it: what was in flight is lost without a trace (L7)', async () => {
  const capturing = await Capturing.start({
    intakes: ['journal', 'webhook'],
    settings: { intervals: { accounts: '5s' } },
  });
  await green(capturing);
  await capturing.emulator.receive(account, message());
  capturing.emulator.faults.crashesBeforeHandler = 1;
  await capturing.emulator.receive(account, message('lost'));
  expect(capturing.emulator.history.filter(({ dropped }) => dropped === 'crash-before-handler')).toHaveLength(1);
  await eventually(() => gaps(capturing)).toEqual(['restart final']);
  expect(capturing.sink.gaps[0]?.toMs).toBeGreaterThanOrEqual(capturing.sink.gaps[0]?.fromMs ?? Infinity);
  expect(capturing.events.alarmed('backend-restarted')).toBe(true);
});

test('reports a restart of signal-cli, as REST tells it, once', async () => {
  const capturing = await Capturing.start({ intakes: ['webhook'], settings: { thresholds: { outage: '20s' } } });
  await green(capturing);
  capturing.emulator.stopDaemon();
  await eventually(() => capturing.session.health(account).reasons).toContain('backend-unreachable');
  capturing.emulator.startDaemon({ redialMs: 50 });
  await green(capturing);
  expect(gaps(capturing)).toEqual(['restart final']);
});

test('is degraded while Signal itself is out of reach, without a gap: what waits there is safe', async () => {
  const capturing = await Capturing.start();
  await green(capturing);
  capturing.emulator.faults.signalReachable = false;
  await eventually(() => capturing.session.health(account).reasons).toEqual(['signal-unreachable']);
  await capturing.emulator.receive(account, message('waits'));
  capturing.emulator.faults.signalReachable = true;
  await green(capturing);
  await eventually(() => capturing.sink.ofKind('message').length).toBe(1);
  expect(capturing.sink.gaps).toEqual([]);
});

test('refuses to be green in another mode than json-rpc', async () => {
  const capturing = await Capturing.start({ emulator: { mode: 'normal' }, intakes: ['journal'] });
  await eventually(() => capturing.session.health(account).reasons).toContain('wrong-mode');
  expect(capturing.events.alarmed('wrong-mode')).toBe(true);
});

test('warns when the volume with the journal fills (L8)', async () => {
  const capturing = await Capturing.start({ settings: { thresholds: { volumeAlarm: 0.0001 } } });
  await eventually(() => capturing.events.alarmed('volume-filling')).toBe(true);
  expect(capturing.events.alarms.filter(({ reason }) => reason === 'volume-filling')).toHaveLength(1);
});

test('counts what the webhook missed and another intake brought, after a grace period', async () => {
  const capturing = await Capturing.start({ intakes: ['webhook', 'journal'] });
  await green(capturing);
  capturing.emulator.faults.webhookSkips = 3;
  for (let count = 0; count < 5; count += 1) await capturing.emulator.receive(account, message());
  await eventually(() => capturing.sink.ofKind('message').length).toBe(5);
  await eventually(() => capturing.events.total('webhook-missed')).toBe(3);
});

test('does not take for missed by the webhook what the spool records once more', async () => {
  const capturing = await Capturing.start({ intakes: ['webhook', 'journal'] });
  await green(capturing);
  const orphan = { chat: '', sender: '', id: 'a sealed record', kind: 'orphan', revision: '' };
  const view = { ...accountHead(account), kind: 'unknown', reason: 'orphan-record' } as const;
  const record = { type: 'content', native: orphan, atMs: Date.now(), view, raw: Buffer.from('sealed') } as const;
  await capturing.sink.deliver([{ ...record, via: 'spool' }]);
  capturing.emulator.faults.webhookSkips = 5;
  for (let count = 0; count < 5; count += 1) await capturing.emulator.receive(account, message());
  await eventually(() => capturing.events.total('webhook-missed')).toBeGreaterThanOrEqual(5);
  expect(capturing.events.total('webhook-missed')).toBe(5);
});

test('goes on capturing while the spool refuses what the connector itself has to say', async () => {
  const capturing = await Capturing.start();
  await green(capturing);
  const own = new Set(['rest', 'connector']);
  capturing.sink.obstacle = (captures) => {
    if (captures.some(({ via }) => own.has(via))) throw new TypeError('no such record');
  };
  capturing.emulator.changeIdentity(account, dana.uuid);
  await eventually(() => capturing.events.troubles).toContainEqual({ reason: 'watch', code: 'TypeError' });
  await capturing.emulator.receive(account, message());
  await eventually(() => capturing.sink.ofKind('message').length).toBe(1);
  capturing.sink.obstacle = () => undefined;
  await eventually(() => capturing.sink.ofKind('identity-change').length).toBe(1);
});

test('reports by intake at the end of a session, and from time to time', async () => {
  const capturing = await Capturing.start({
    intakes: ['webhook', 'journal'],
    settings: { intervals: { report: '300ms' } },
  });
  await green(capturing);
  capturing.emulator.faults.webhookSkips = 1;
  for (let count = 0; count < 3; count += 1) await capturing.emulator.receive(account, message());
  await eventually(() => capturing.sink.ofKind('intakes').length).toBeGreaterThan(1);
  await capturing.stop();
  const reports = capturing.sink
    .ofKind('intakes')
    .map(({ report }) => report as { byIntake: Record<string, number>; fromMs: number; toMs: number });
  const sum = (intake: string): number => reports.reduce((total, { byIntake }) => total + (byIntake[intake] ?? 0), 0);
  expect([sum('journal'), sum('webhook')]).toEqual([3, 2]);
  reports.forEach(({ fromMs }, index) => index > 0 && expect(fromMs).toBe(reports[index - 1]?.toMs));
});

test('without a journal, records the time between two runs as a gap (L1)', async () => {
  const capturing = await Capturing.start({ intakes: ['webhook'] });
  await green(capturing);
  // Written while it runs: a session that is killed says no last words.
  await eventually(() => capturing.sink.session('alive')).not.toBeNull();
  await capturing.stop();
  const stoppedMs = Date.now();
  await capturing.emulator.receive(account, message('nobody listens'));
  await capturing.run();
  await eventually(() => gaps(capturing)).toEqual(['restart final']);
  const [gap] = capturing.sink.gaps;
  expect(gap?.fromMs).toBeLessThanOrEqual(stoppedMs);
  expect(gap?.toMs).toBeGreaterThanOrEqual(stoppedMs);
});
