// SPDX-License-Identifier: AGPL-3.0-or-later

import { expect, test } from 'vitest';
import { envelopeHead, blockedSync, incoming, sentFromPhone, type Sender } from '../../emulators/signal/envelopes.ts';
import { account, dana, groupId, kessler } from '../../emulators/signal/test-world.ts';
import { Capturing, ownUuid } from './harness.ts';
import { eventually } from '../../support/eventually.ts';

const own: Sender = { uuid: ownUuid, number: account };
const DAY_MS = 86_400_000;

let at = 1_786_000_000_000;
const message = (text = 'x'): ReturnType<typeof incoming> => incoming(dana, (at += 1), { text });

const gaps = ({ sink }: Capturing): string[] => sink.gaps.map(({ cause, state }) => `${cause} ${state}`);
const open = ({ sink }: Capturing): string[] => sink.openGaps().map(({ cause }) => cause);

async function green(capturing: Capturing): Promise<void> {
  await eventually(() => capturing.state).toBe('capturing');
}

test('records a changed safety number, with the one before', async () => {
  const capturing = await Capturing.start();
  await green(capturing);
  const before = capturing.emulator.world.identityOf(account, dana.uuid)?.safetyNumber;
  expect(capturing.sink.ofKind('identity-change')).toEqual([]);
  const { safetyNumber: after } = capturing.emulator.changeIdentity(account, dana.uuid);
  await eventually(() => capturing.sink.ofKind('identity-change').length).toBe(1);
  const [change] = capturing.sink.ofKind('identity-change');
  expect(change).toMatchObject({
    party: { id: dana.uuid, number: dana.number },
    chat: { type: 'direct', id: dana.uuid },
    before,
    after,
    status: 'TRUSTED_UNVERIFIED',
  });
  expect(capturing.events.alarms).toEqual([{ account, reason: 'identity-changed', count: 1 }]);
  const record = capturing.sink.contents.find(({ view }) => view.kind === 'identity-change');
  expect(JSON.parse(Buffer.from(record?.raw ?? []).toString())).toMatchObject({
    uuid: dana.uuid,
    safety_number: after,
  });
});

test('keeps the first look at safety numbers as a baseline, and changes over a restart', async () => {
  const capturing = await Capturing.start();
  await green(capturing);
  const baseline = capturing.sink.ofKind('contacts').filter(({ state }) => 'identities' in (state as object));
  expect(baseline).toHaveLength(1);
  await capturing.stop();
  capturing.emulator.changeIdentity(account, dana.uuid);
  await capturing.run();
  await eventually(() => capturing.sink.ofKind('identity-change').length).toBe(1);
});

test('shows messages withheld for an untrusted key as gaps, and closes them once they come (L9)', async () => {
  const capturing = await Capturing.start({ emulator: { trustNewIdentities: 'on-first-use' } });
  await green(capturing);
  capturing.emulator.changeIdentity(account, dana.uuid);
  await capturing.emulator.receive(account, message('withheld'));
  await eventually(() => open(capturing)).toEqual(['untrusted-identity']);
  expect(capturing.events.alarmed('untrusted-identity')).toBe(true);
  expect(capturing.sink.ofKind('message')).toEqual([]);
  const trust = `${capturing.emulator.url}/v1/identities/${encodeURIComponent(account)}/trust/${dana.uuid}`;
  await fetch(trust, { method: 'PUT', body: JSON.stringify({ trust_all_known_keys: true }) });
  await capturing.emulator.receive(account, message('next'));
  await eventually(() => capturing.sink.ofKind('message').length).toBe(2);
  await eventually(() => open(capturing)).toEqual([]);
});

test('says for good that a withheld message is lost when signal-cli has deleted it', async () => {
  const clock = { aheadMs: 0 };
  const capturing = await Capturing.start({
    emulator: { trustNewIdentities: 'on-first-use' },
    clock: () => Date.now() + clock.aheadMs,
  });
  await green(capturing);
  capturing.emulator.changeIdentity(account, dana.uuid);
  await capturing.emulator.receive(account, message('withheld'));
  await eventually(() => open(capturing)).toEqual(['untrusted-identity']);
  clock.aheadMs = 14 * DAY_MS;
  await eventually(() => gaps(capturing).filter((gap) => gap.startsWith('untrusted'))).toEqual([
    'untrusted-identity open',
    'untrusted-identity final',
  ]);
});

test('records whom the owner blocks, and a gap for each until it is unblocked', async () => {
  const capturing = await Capturing.start();
  await green(capturing);
  capturing.emulator.blockContact(account, dana.uuid);
  await capturing.emulator.receive(account, blockedSync(own, (at += 1), [dana.number]));
  await eventually(() => open(capturing)).toEqual(['blocked-contact']);
  expect(capturing.sink.openGaps()[0]?.scope).toBe('chat');
  expect(capturing.sink.ofKind('block-list')).toMatchObject([
    { parties: [{ id: null, number: dana.number }], groups: [] },
  ]);
  expect(capturing.events.alarmed('blocked-contact')).toBe(true);
  await capturing.emulator.receive(account, message('dropped'));
  const groupBlocked = { blockedNumbers: [dana.number], blockedGroupIds: [groupId] };
  await capturing.emulator.receive(account, {
    envelope: { ...envelopeHead(own, (at += 1)), syncMessage: groupBlocked },
  });
  await eventually(() => open(capturing).toSorted()).toEqual(['blocked-contact', 'blocked-group']);
  await capturing.emulator.receive(account, blockedSync(own, (at += 1), []));
  await eventually(() => open(capturing)).toEqual([]);
  expect(capturing.sink.ofKind('message')).toEqual([]);
});

test('is not misled by an older list of blocked contacts that another intake brings later', async () => {
  const capturing = await Capturing.start({ intakes: ['webhook', 'journal'] });
  await green(capturing);
  const [older, newer] = [blockedSync(own, (at += 1), [dana.number]), blockedSync(own, (at += 1), [])];
  capturing.emulator.faults.journalDisabled = true;
  capturing.emulator.faults.webhookSkips = 0;
  await capturing.emulator.receive(account, newer);
  capturing.emulator.faults.journalDisabled = false;
  capturing.emulator.faults.webhookSkips = 1;
  await capturing.emulator.receive(account, older);
  await eventually(() => capturing.sink.ofKind('block-list').length).toBe(2);
  expect(capturing.sink.gaps).toEqual([]);
});

test('records a group as it is at the start, and again when its revision moves, with who came and went', async () => {
  const capturing = await Capturing.start();
  await green(capturing);
  const states = (): { group: { name: string }; added?: string[]; removed?: string[] }[] =>
    capturing.sink.ofKind('group').map(({ state }) => state as ReturnType<typeof states>[number]);
  expect(states()).toMatchObject([{ group: { name: 'Field Office Ops & Co' } }]);
  const { revision, members } = capturing.emulator.updateGroup(account, groupId, {
    name: 'Renamed',
    members: [
      { uuid: ownUuid, number: account },
      { uuid: dana.uuid, number: dana.number },
      { uuid: 'c0ffee00-0000-4000-8000-000000000001', number: null },
    ],
  });
  expect(members).toHaveLength(3);
  const group = { internalId: groupId, name: 'Renamed', revision };
  await capturing.emulator.receive(account, incoming(dana, (at += 1), { group, groupType: 'UPDATE' }));
  await eventually(() => states().length).toBe(2);
  expect(states()[1]).toMatchObject({
    group: { name: 'Renamed' },
    added: ['c0ffee00-0000-4000-8000-000000000001'],
    removed: [kessler.uuid],
  });
  const [, view] = capturing.sink.ofKind('group');
  expect(view?.chat).toEqual({ type: 'group', id: groupId, name: 'Renamed', revision });
});

test('records contacts once, and again only when they changed', async () => {
  const capturing = await Capturing.start({ settings: { intervals: { contacts: '100ms' } } });
  await green(capturing);
  const snapshots = (): number =>
    capturing.sink.ofKind('contacts').filter(({ state }) => 'contacts' in (state as object)).length;
  await eventually(
    () => capturing.emulator.requests.filter(({ path }) => path.startsWith('/v1/contacts/')).length,
  ).toBeGreaterThan(3);
  expect(snapshots()).toBe(1);
  capturing.emulator.world.contact(account, dana.uuid).name = 'Dana O.';
  await eventually(snapshots).toBe(2);
});

test('warns of a phone that stays offline, and records a gap at the last threshold, until it is back', async () => {
  const clock = { aheadMs: 0 };
  const capturing = await Capturing.start({ clock: () => Date.now() + clock.aheadMs });
  await green(capturing);
  const told = (): (number | undefined)[] =>
    capturing.events.alarms.flatMap(({ reason, count }) => (reason === 'phone-idle' ? [count] : []));
  for (const [days, alarms] of [
    [13, []],
    [15, [14]],
    [22, [14, 21]],
  ] as const) {
    clock.aheadMs = days * DAY_MS;
    await new Promise((resolve) => setTimeout(resolve, 300));
    await eventually(told).toEqual(alarms);
  }
  expect(open(capturing)).toEqual([]);
  clock.aheadMs = 29 * DAY_MS;
  await eventually(() => open(capturing)).toEqual(['phone-idle']);
  expect(told()).toEqual([14, 21, 28]);
  capturing.emulator.touchPrimary(account, Date.now() + clock.aheadMs);
  await eventually(() => open(capturing)).toEqual([]);
  clock.aheadMs = 45 * DAY_MS;
  await eventually(told).toEqual([14, 21, 28, 14]);
});

test('takes what the phone itself sends as a sign of its life', async () => {
  const clock = { aheadMs: 0 };
  const capturing = await Capturing.start({ clock: () => Date.now() + clock.aheadMs });
  await green(capturing);
  clock.aheadMs = 15 * DAY_MS;
  await eventually(() => capturing.events.alarmed('phone-idle')).toBe(true);
  await capturing.emulator.receive(
    account,
    sentFromPhone({ ...own, device: 1 }, Date.now() + clock.aheadMs, dana, { text: 'x' }),
  );
  const known = (): { told: number } =>
    JSON.parse(capturing.sink.session('phone')?.toString() ?? '{}') as { told: number };
  await eventually(() => known().told).toBe(0);
});
