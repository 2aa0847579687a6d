// SPDX-License-Identifier: AGPL-3.0-or-later
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { incoming } from '../emulators/signal/envelopes.ts';
import { startFaultProxy, type HttpFaultProxy } from '../faults/http-fault-proxy.ts';
import { startCeph, type CephServer } from '../services/ceph.ts';
import { startRedis, type RedisServer } from '../services/redis.ts';
import type { ArchiveView } from '../support/e2e-archive.ts';
import { Canaries } from '../support/e2e-canaries.ts';
import { scanAll, scanExchanges } from '../support/e2e-canary-scan.ts';
import { Deployment } from '../support/e2e-deployment.ts';
import { Needles } from '../support/e2e-needles.ts';
import { until } from '../support/e2e-process.ts';
import { Leaks, RedisMonitor } from '../support/e2e-sinks.ts';

const SEED = 20_261_123;
const canaries = new Canaries(SEED);
const { owner, friend } = canaries;

let redis: RedisServer;
let ceph: CephServer;
let proxy: HttpFaultProxy;
let monitor: RedisMonitor;
let deployment: Deployment;
let view: ArchiveView;
let leaks: Leaks;
/** What is looked for. */
const wanted: Record<string, string | Buffer> = canaries.values();
/** Answers that the webhook gave to what was no message. */
const answers: string[] = [];
let heldByCli = Buffer.alloc(0);

function noteSafetyNumber(when: string): void {
  const { safetyNumber = '', fingerprint = '' } = deployment.emulator.world.identityOf(owner.number, friend.uuid) ?? {};
  for (const [name, value] of Object.entries({ safetyNumber, fingerprint })) {
    wanted[`${name} ${when}`] = value;
    wanted[`${name} ${when}, in one`] = value.replaceAll(' ', '');
  }
}

const post = async (
  path: string,
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
): Promise<number> => {
  const answer = await fetch(new URL(path, deployment.emulator.webhookUrl), { method: 'POST', body, headers });
  answers.push(`${JSON.stringify([...answer.headers])} ${await answer.text()}`);
  return answer.status;
};

/** What people, networks and daemons get wrong, each with something secret in it. */
async function makeTrouble(): Promise<void> {
  const { emulator } = deployment;
  await post('/', canaries.word('malformedBody'), { 'x-note': canaries.word('requestHeader') });
  await post(
    '/',
    Uint8Array.from(Buffer.from(`\xff\xfe{"method":"receive","params":"${canaries.word('malformedBody')}"`, 'latin1')),
  );
  await post('/', `{"method":"receive","params":${'['.repeat(5000)}"${canaries.word('malformedBody')}"`);
  await post(`/${canaries.word('requestPath')}?${canaries.word('requestPath')}`, '{}');
  await post('/', `{"method":"receive","params":{"envelope":{},"account":"${canaries.strangerNumber}"}}`);
  expect(await post('/', canaries.word('oversized') + 'x'.repeat(400_000))).toBe(413);
  emulator.writeJournal(`{"envelope":{"source":"${canaries.word('malformedLine')}\n`);
  emulator.writeJournal(`ERROR ${canaries.word('malformedLine')} at ${friend.number}\n`);
  emulator.faults.failAnswers(2);
  emulator.changeIdentity(owner.number, friend.uuid);
  await until('the new safety number', () =>
    deployment.connector.events('alarm').some(({ reason }) => reason === 'identity-changed'),
  );
  emulator.unlink(owner.number);
  await until('the unlink', () => deployment.connector.events('alarm').some(({ reason }) => reason === 'unlinked'));
  emulator.relink(owner.number);
  await deployment.capturing();
}

/** Outages and deaths, while messages come. */
async function breakThings(): Promise<void> {
  const { emulator, connector, archiver } = deployment;
  const say = (n: number) =>
    emulator.receive(owner.number, incoming(friend, canaries.sentAtMs + 100 + n, { text: canaries.word('text') }));
  const body = Buffer.from('<Error><Code>InternalError</Code></Error>');
  proxy.rule = () => ({ kind: 'answer', answer: { status: 500, headers: {}, body }, forwarded: false });
  await say(0);
  await until('the archiver to end of S3', () => archiver.ends.length > 0);
  proxy.rule = () => null;
  await redis.kill();
  await say(1);
  connector.signal('SIGKILL');
  await sleep(300);
  await redis.start();
  await say(2);
  archiver.signal('SIGKILL');
  await say(3);
}

beforeAll(async () => {
  console.log(`seed ${SEED}`);
  [redis, ceph] = await Promise.all([startRedis(), startCeph({ objectStore: 'bluestore' })]);
  proxy = await startFaultProxy(ceph.endpoint);
  monitor = new RedisMonitor(redis.port);
  deployment = await Deployment.make({
    label: 'canary',
    redisPort: redis.port,
    archive: ceph,
    endpoint: proxy.url,
    owner,
    isKept: true,
    logLevel: 'debug',
    emulator: { accounts: canaries.world() },
    signalSettings: {
      limits: { body: '256KiB' },
      deviceName: canaries.word('linkDevice'),
      thresholds: { attachmentDelete: '5s' },
    },
  });
  await deployment.start();
  const { connector, archiver, emulator } = deployment;
  noteSafetyNumber('before');
  await canaries.send(emulator);
  heldByCli = readFileSync(join(emulator.attachmentsDir, canaries.attachmentId));
  await makeTrouble();
  noteSafetyNumber('after');
  leaks = new Leaks(new Needles(wanted));
  await breakThings();
  view = await deployment.drained();
  await until(
    'the file to be removed upstream',
    () => !existsSync(join(emulator.attachmentsDir, canaries.attachmentId)),
  );
  for (const daemon of [connector, archiver]) leaks.process('processes', daemon.pid);
  leaks.memory('memory of the archiver', archiver.pid);
  for (const args of [['accounts'], ['accounts', '--json'], ['doctor']])
    await deployment.command(...args, '--config', deployment.configOf('connect'));
  await scanAll(leaks, { deployment, redis, monitor, s3: ceph });
  await deployment.stop();
  await deployment.verify();
  await deployment.verify('--json');
}, 240_000);

afterAll(async () => {
  await deployment?.[Symbol.asyncDispose]();
  monitor?.[Symbol.dispose]();
  await proxy?.[Symbol.asyncDispose]();
  await Promise.all([redis?.stop(), ceph?.stop()]);
});

describe('what people said, and who they are', () => {
  it('is in the archive, for those who hold the reader’s key', async () => {
    await view.refresh();
    const opened = view.records.flatMap(({ opened: one }) =>
      one === null ? [] : JSON.stringify(one.view) + one.raw.toString(),
    );
    const files = await view.files();
    const found = [...new Needles(wanted).find(Buffer.concat([Buffer.from(opened.join('\n')), ...files.values()]))];
    const plain = new Set(
      found.filter((name) => name.endsWith(' (UTF-8)')).map((name) => name.slice(0, -' (UTF-8)'.length)),
    );
    // What was refused because it is for nobody here, or is no message at all, and what no message carries in this form.
    const elsewhere = /^(?:strangerNumber|requestPath|requestHeader|oversized|.*, in one)$/;
    expect(Object.keys(wanted).filter((name) => !plain.has(name) && !elsewhere.test(name))).toEqual([]);
    expect(files.get(canaries.attachmentId)?.equals(canaries.fileBytes)).toBe(true);
  });

  it('is in signal-cli’s own volume, files only until they are archived', () => {
    const { attachmentsDir, journalPath } = deployment.emulator;
    expect(heldByCli.equals(canaries.fileBytes)).toBe(true);
    expect(existsSync(join(attachmentsDir, canaries.attachmentId))).toBe(false);
    const journal = new Leaks(new Needles(wanted));
    journal.file('signal-cli', journalPath);
    console.log(`signal-cli’s journal holds ${journal.found['signal-cli']?.length} of what is looked for, as it must`);
    expect(journal.found['signal-cli']).toContain('text (UTF-8)');
  });

  it('is nowhere else: not in Redis, S3, spool, logs, status, processes, nor on Ceph’s disk, whatever went wrong', async () => {
    await scanAll(leaks, { deployment, redis, monitor, s3: ceph });
    scanExchanges(leaks, proxy.seen);
    for (const answer of answers) leaks.text('webhook answers', answer);
    for (const directory of [...ceph.dataDirs, join(ceph.dir, 'log')]) leaks.sparseDirectory('ceph files', directory);
    const { scanned } = leaks;
    const kib = (bytes: number): string => `${Math.ceil(bytes / 1024)} KiB`;
    console.log(
      Object.entries(scanned)
        .map(([sink, bytes]) => `${sink} ${kib(bytes)}`)
        .join(', '),
    );
    expect(leaks.found).toEqual({});
    expect(Object.values(scanned).every((bytes) => bytes > 0)).toBe(true);
  }, 120_000);

  it('is in no log although everything that can fail did', () => {
    const { connector, archiver } = deployment;
    const alarms = new Set(connector.events('alarm').map(({ reason }) => reason));
    expect([...alarms]).toEqual(
      expect.arrayContaining([
        'attachment-missing',
        'identity-changed',
        'malformed',
        'oversized',
        'unknown-account',
        'unlinked',
        'webhook-path',
      ]),
    );
    expect(connector.events('trouble').length).toBeGreaterThan(0);
    expect(archiver.events('role.fatal').length).toBeGreaterThan(0);
    expect(connector.ends).toContain('SIGKILL');
  });
});
