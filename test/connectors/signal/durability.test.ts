// SPDX-License-Identifier: AGPL-3.0-or-later

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { contentFor } from '../../emulators/signal/attachments.ts';
import { incoming } from '../../emulators/signal/envelopes.ts';
import type { PayloadObject } from '../../emulators/signal/frame.ts';
import { account, dana, startWorld, texts } from '../../emulators/signal/test-world.ts';
import {
  encodeKeys,
  newSpoolKeys,
  readObject,
  readSpool,
  SpoolFixture,
  type OpenedView,
} from '../../support/spool-fixture.ts';
import type { CaptureSettings } from './capture-process.ts';
import { Capturing, QUICK, temporaryDir, type CaptureOptions } from './harness.ts';
import { eventually } from '../../support/eventually.ts';

const keys = newSpoolKeys();
const INTAKES = new Set(['webhook', 'journal', 'websocket']);

/** Frames in a spool, in order. */
function frames(records: readonly OpenedView[]): string[] {
  return records.filter(({ t, cap }) => t === 'content' && INTAKES.has(cap.via)).map(({ raw }) => raw.toString());
}

/** A session with a real spool under it. `end` stops both and opens what is on disk. */
async function withSpool(options: CaptureOptions = {}): Promise<{
  capturing: Capturing;
  fixture: SpoolFixture;
  directory: string;
  end: () => Promise<OpenedView[]>;
}> {
  const directory = await temporaryDir();
  const fixture = await SpoolFixture.open({ directory, keys });
  const sink = await fixture.sink('signal', account);
  const capturing = await Capturing.start({ ...options, accounts: new Map([[account, sink]]) });
  const end = async (): Promise<OpenedView[]> => {
    await capturing.stop();
    await fixture[Symbol.asyncDispose]();
    return readSpool(directory, keys);
  };
  return { capturing, fixture, directory, end };
}

test('loses nothing of a burst of 1,000 with three intakes, and records each message once (L2)', async () => {
  const { capturing, end } = await withSpool();
  await eventually(() => capturing.emulator.webSocketCount).toBe(1);
  await capturing.emulator.receiveBurst(account, texts(1000));
  const { history } = capturing.emulator;
  expect(history.every(({ webhook }) => webhook.accepted === 1)).toBe(true);
  const archived = frames(await end());
  expect(archived).toEqual(history.map(({ params }) => params));
});

test('with every intake lossy in its own way, the three together lose nothing (L1, L2, L4)', async () => {
  const { capturing, end } = await withSpool();
  await eventually(() => capturing.emulator.webSocketCount).toBe(1);
  const { emulator } = capturing;
  emulator.faults.webSocketDrop = { drop: 1, of: 3 };
  for (const [at, payload] of texts(300).entries()) {
    // Journal without webhook, webhook without journal, and the socket as it likes.
    emulator.faults.webhookSkips = at % 2 === 0 ? 1 : 0;
    emulator.faults.journalDisabled = at % 2 === 1;
    await emulator.receive(account, payload);
  }
  await eventually(() =>
    capturing.events.counts.values().reduce((sum, count) => sum + count, 0),
  ).toBeGreaterThanOrEqual(300);
  const expected = emulator.history.map(({ params }) => params);
  const archived = frames(await end());
  expect(archived.toSorted()).toEqual(expected.toSorted());
});

test('holds the back end while the spool is full, and loses nothing by it (L5)', async () => {
  const { capturing, fixture, end } = await withSpool({ intakes: ['webhook'] });
  await eventually(() => capturing.state).toBe('capturing');
  fixture.usage = 0.95;
  await eventually(() => fixture.spool.gate.level).toBe('stop');
  const burst = capturing.emulator.receiveBurst(account, texts(50));
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(capturing.emulator.history.filter(({ webhook }) => webhook.accepted > 0)).toEqual([]);
  fixture.usage = 0.1;
  await burst;
  expect(frames(await end())).toEqual(capturing.emulator.history.map(({ params }) => params));
});

test('seals an attachment into the spool before it removes it upstream', async () => {
  const { capturing, directory, end } = await withSpool();
  const attachment = { id: 'plan.pdf', contentType: 'application/pdf', size: 100_000 };
  await capturing.emulator.receive(
    account,
    incoming(dana, 1_786_000_000_000, { text: 'x', attachments: [attachment] }),
  );
  await eventually(() => readdirSync(capturing.emulator.attachmentsDir)).toEqual([]);
  const records = await end();
  const [media] = records.filter(({ t }) => t === 'media');
  if (media === undefined) throw new TypeError('expected a media record');
  expect(media.view).toMatchObject({ kind: 'attachment', attachment: { id: 'plan.pdf' }, object: { size: 100_000 } });
  expect(await readObject(directory, media.header, media.view)).toEqual(
    contentFor('plan.pdf', { text: null, ...attachment }),
  );
});

test('delivers the same message again, from another run and another intake, without a second record', async () => {
  const { capturing, end } = await withSpool({ intakes: ['webhook', 'journal'] });
  for (const payload of texts(20)) await capturing.emulator.receive(account, payload, { copies: 2 });
  await capturing.stop();
  await capturing.run();
  await eventually(() => capturing.state).toBe('capturing');
  expect(frames(await end())).toHaveLength(20);
});

test('leaves nothing readable in the spool: no text, no number, no name, no file name, no ACI', async () => {
  const { capturing, directory, end } = await withSpool();
  const marker = 'zebra-umbrella-4711';
  const attachment = { id: 'ident-file.pdf', contentType: 'application/pdf', size: 300, filename: 'secret-plan.pdf' };
  const content = Buffer.alloc(300, 'attached-secret');
  const payload = incoming({ ...dana, name: 'Xanthippe Q' }, Date.now(), { text: marker, attachments: [attachment] });
  await capturing.emulator.receive(account, payload, { attachments: [{ id: attachment.id, content }] });
  await capturing.emulator.receiveUndecryptable(account, incoming(dana, Date.now() + 1, { text: marker }));
  await eventually(() => readdirSync(capturing.emulator.attachmentsDir)).toEqual([]);
  await end();
  const files = readdirSync(directory, { withFileTypes: true, recursive: true }).filter((entry) => entry.isFile());
  const stored = Buffer.concat(files.map((entry) => readFileSync(join(entry.parentPath, entry.name))));
  expect(stored.length).toBeGreaterThan(10_000);
  const secrets = [
    marker,
    'attached-secret',
    'Xanthippe',
    dana.uuid,
    dana.number.slice(1),
    account.slice(1),
    'secret-plan',
    'ident-file',
  ];
  for (const secret of secrets) {
    expect(stored.includes(secret), secret).toBe(false);
    expect(capturing.events.text).not.toContain(secret);
  }
});

/** The connector as a process of its own. */
async function startProcess(settings: string): Promise<{ child: ChildProcess; webhookUrl: string }> {
  const script = fileURLToPath(new URL('capture-process.ts', import.meta.url));
  const child = spawn(process.execPath, [script, settings], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [line] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
  return { child, webhookUrl: line.toString().trim() };
}

async function kill(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const exited = once(child, 'exit');
  child.kill(signal);
  await exited;
}

test('killed again and again in the middle of a stream of messages, it has every message that it accepted, and by the journal all', async () => {
  const emulator = await startWorld({ trustNewIdentities: 'always' });
  await using _emulator = emulator;
  const directory = await temporaryDir();
  const settings = join(await temporaryDir(), 'settings.json');
  const config = { ...QUICK, api: emulator.url, webhook: { port: 0 }, journal: emulator.journalPath };
  writeFileSync(
    settings,
    JSON.stringify({ directory, keys: encodeKeys(keys), account, config } satisfies CaptureSettings),
  );
  let sent = 0;
  const more = (count: number): PayloadObject[] =>
    Array.from({ length: count }, () => incoming(dana, 1_786_000_000_000 + (sent += 1), { text: `${sent}` }));
  for (let round = 1; round <= 4; round += 1) {
    const { child, webhookUrl } = await startProcess(settings);
    emulator.webhookUrl = webhookUrl;
    const streaming = emulator.receiveBurst(account, more(150));
    const accepted = (): number => emulator.history.filter(({ webhook }) => webhook.accepted > 0).length;
    const before = accepted();
    await eventually(accepted, 1).toBeGreaterThan(before + 10 * round);
    await kill(child, 'SIGKILL');
    await streaming;
    // Nobody listens: only the journal has these.
    for (const payload of more(5)) await emulator.receive(account, payload);
  }
  const acceptedParams = emulator.history.filter(({ webhook }) => webhook.accepted > 0).map(({ params }) => params);
  const afterKills = new Set(frames(await readSpool(directory, keys)));
  expect(acceptedParams.length).toBeGreaterThan(40);
  expect(acceptedParams.filter((params) => !afterKills.has(params))).toEqual([]);

  const { child } = await startProcess(settings);
  await new Promise((resolve) => setTimeout(resolve, 2000));
  await kill(child, 'SIGTERM');
  const archived = frames(await readSpool(directory, keys));
  expect(archived.toSorted()).toEqual(emulator.history.map(({ params }) => params).toSorted());
}, 180_000);
