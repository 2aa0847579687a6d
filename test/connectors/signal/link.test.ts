// SPDX-License-Identifier: AGPL-3.0-or-later

import { expect, test } from 'vitest';
import type { LinkStep } from '../../../src/connectors/connector.ts';
import { account, dana } from '../../emulators/signal/test-world.ts';
import { incoming } from '../../emulators/signal/envelopes.ts';
import { Capturing, type CaptureOptions } from './harness.ts';
import { eventually } from '../../support/eventually.ts';

const notLinked: CaptureOptions = {
  emulator: { accounts: [{ number: account, registered: false, contacts: [dana] }] },
};

/** Collects the steps, and does something at the first one of a kind. */
async function link(
  capturing: Capturing,
  onQr: (uri: string, count: number) => void,
  stop = new AbortController(),
): Promise<string[]> {
  const steps: string[] = [];
  let codes = 0;
  for await (const step of capturing.session.link(account, stop.signal)) {
    if (step.step !== 'waiting') steps.push(named(step));
    if (step.step === 'show-qr') onQr(step.uri, (codes += 1));
  }
  return steps;
}

function named(step: LinkStep): string {
  return step.step === 'failed' ? `failed ${step.reason}` : step.step;
}

test('shows a code, and is linked when the number appears; the archive starts there', async () => {
  const capturing = await Capturing.start(notLinked);
  await eventually(() => capturing.state).toBe('not-linked');
  const steps = await link(capturing, (uri) => {
    expect(uri).toMatch(/^sgnl:\/\/linkdevice\?uuid=.+&pub_key=.+$/);
    void capturing.emulator.scanLink(uri, { account, delayMs: 150 });
  });
  expect(steps).toEqual(['show-qr', 'linked']);
  expect(capturing.sink.ofKind('linked')).toHaveLength(1);
  expect(capturing.sink.session('linked')).not.toBeNull();
  await eventually(() => capturing.state).toBe('capturing');
  await capturing.emulator.receive(account, incoming(dana, Date.now(), { text: 'first' }));
  await eventually(() => capturing.sink.ofKind('message').length).toBe(1);
  expect(capturing.emulator.world.account(account).devices.map(({ name }) => name)).toContain('Holdfast archive');
});

test('shows a fresh code when nobody scanned the one before', async () => {
  const capturing = await Capturing.start({ ...notLinked, settings: { timeouts: { link: '2s' } } });
  const uris = new Set<string>();
  const steps = await link(capturing, (uri, count) => {
    uris.add(uri);
    if (count === 2) void capturing.emulator.scanLink(uri, { account });
  });
  expect(steps).toEqual(['show-qr', 'expired', 'show-qr', 'linked']);
  expect(uris.size).toBe(2);
});

test('a scan that Signal refuses looks like one that never came', async () => {
  const capturing = await Capturing.start({ ...notLinked, settings: { timeouts: { link: '2s' } } });
  const steps = await link(capturing, (uri, count) => {
    void capturing.emulator.scanLink(uri, { account, outcome: count === 1 ? 'conflict' : 'linked' });
  });
  expect(steps).toEqual(['show-qr', 'expired', 'show-qr', 'linked']);
});

test('gives up after some codes', async () => {
  const capturing = await Capturing.start({ ...notLinked, settings: { timeouts: { link: '60ms' } } });
  const steps = await link(capturing, () => undefined);
  expect(steps).toEqual(Array.from({ length: 5 }, () => ['show-qr', 'expired']).flat());
});

test('says so when another phone scanned the code', async () => {
  const capturing = await Capturing.start(notLinked);
  const steps = await link(capturing, (uri) => void capturing.emulator.scanLink(uri, { account: '+12025550199' }));
  expect(steps).toEqual(['show-qr', 'failed other-account']);
  expect(capturing.sink.ofKind('linked')).toEqual([]);
});

test('is linked at once where the account is linked already, and records it once', async () => {
  const capturing = await Capturing.start();
  await eventually(() => capturing.state).toBe('capturing');
  expect(await link(capturing, () => undefined)).toEqual(['linked']);
  expect(capturing.sink.ofKind('linked')).toHaveLength(1);
});

test('fails with a code when signal-cli cannot start a link, and when nothing answers', async () => {
  const capturing = await Capturing.start(notLinked);
  capturing.emulator.faults.startLinkError = 'Link request error: Connection closed!';
  expect(await link(capturing, () => undefined)).toEqual(['failed signal/answer']);
  await capturing.emulator.exitProcess();
  expect(await link(capturing, () => undefined)).toEqual(['failed signal/unreachable']);
});

test('goes on over looks that fail while the code is shown', async () => {
  const capturing = await Capturing.start(notLinked);
  await eventually(() => capturing.state).toBe('not-linked');
  const steps = await link(capturing, (uri) => {
    capturing.emulator.faults.failAnswers(4, /^\/v1\/accounts$/);
    void capturing.emulator.scanLink(uri, { account });
  });
  expect(steps).toEqual(['show-qr', 'linked']);
});

test('links without a session that runs: the record is there when it starts', async () => {
  const capturing = await Capturing.start(notLinked);
  await eventually(() => capturing.state).toBe('not-linked');
  await capturing.stop();
  const steps = await link(capturing, (uri) => void capturing.emulator.scanLink(uri, { account }));
  expect(steps).toEqual(['show-qr', 'linked']);
  expect(capturing.sink.ofKind('linked')).toHaveLength(1);
  expect(capturing.sink.openGaps()).toEqual([]);
  await capturing.run();
  await eventually(() => capturing.state).toBe('capturing');
  expect(capturing.sink.ofKind('linked')).toHaveLength(1);
});

test('ends when it is aborted', async () => {
  const capturing = await Capturing.start(notLinked);
  const stop = new AbortController();
  const steps = await link(capturing, () => setTimeout(() => stop.abort(), 50), stop);
  expect(steps).toEqual(['show-qr']);
});

test('ends with a session that ends before it has taken note', async () => {
  const capturing = await Capturing.start(notLinked);
  await eventually(() => capturing.state).toBe('not-linked');
  let isStuck = false;
  capturing.sink.ready = () => {
    isStuck = true;
    return new Promise(() => undefined);
  };
  const first = link(capturing, (uri) => void capturing.emulator.scanLink(uri, { account }));
  await eventually(() => isStuck).toBe(true);
  // The watcher waits for the spool, and looks at nothing more.
  const looks = (): number => capturing.emulator.requests.filter(({ path }) => path === '/v1/accounts').length;
  const before = looks();
  const second = link(capturing, () => undefined);
  await eventually(looks).toBeGreaterThan(before);
  await new Promise((resolve) => setTimeout(resolve, 200));
  await capturing.stop();
  expect([await first, await second]).toEqual([['show-qr', 'linked'], ['linked']]);
});

test('keeps the URI, which is a credential, out of everything that operators see', async () => {
  const capturing = await Capturing.start(notLinked);
  const uris: string[] = [];
  await link(capturing, (uri) => {
    uris.push(uri);
    void capturing.emulator.scanLink(uri, { account });
  });
  await capturing.stop();
  const [, secret = '?'] = uris[0]?.split('pub_key=') ?? [];
  expect(secret.length).toBeGreaterThan(10);
  expect(capturing.events.text).not.toContain(secret);
  expect(JSON.stringify(capturing.sink.records)).not.toContain(secret);
});

test('refuses to link an account that is not configured', async () => {
  const capturing = await Capturing.start();
  expect(() => capturing.session.link('+12025550999', new AbortController().signal)).toThrow(TypeError);
});
