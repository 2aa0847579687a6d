// SPDX-License-Identifier: AGPL-3.0-or-later
import { cpSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { readTrusted } from '../../src/main/trusted.ts';
import { signersOf } from '../../src/record/manifest.ts';
import { ARCHIVER, connectorUser, startGuardedRedis } from '../queue/acl-users.ts';
import { Guard } from '../services/guard.ts';
import type { RedisServer } from '../services/redis.ts';
import { Leaks } from '../support/e2e-sinks.ts';
import { Needles } from '../support/e2e-needles.ts';
import { Daemon, runHoldfast, until, type Finished } from '../support/e2e-process.ts';

const ORIGIN = 'evaluation.example/holdfast';
const guard = new Guard('reader-role');
const made = join(guard.dir, 'made');
const archiver = join(guard.dir, 'archiver');
const legal = join(guard.dir, 'legal');
const archive = join(guard.dir, 'archive');
const shared = {
  origin: ORIGIN,
  trust: 'trust.json',
  manifest: 'manifest.json',
  archive: { url: pathToFileURL(archive).href, flushAfter: '200ms' },
  retention: [{ class: 'evaluation', period: 'P1D', authority: 'test' }],
};
let redis: RedisServer;
let archiving: Daemon;
let reading: Daemon;

/** A role's own directory: its keys and no others, and its own user of Redis. */
function place(dir: string, keys: readonly string[], user: { username: string; password: string }, own: object): void {
  mkdirSync(dir);
  for (const file of ['trust.json', 'manifest.json']) cpSync(join(made, file), join(dir, file));
  for (const key of keys) renameSync(join(made, 'keys', `${key}.key`), join(dir, `${key}.key`));
  writeFileSync(join(dir, 'password'), user.password, { mode: 0o600 });
  const { username } = user;
  const way = { host: '127.0.0.1', port: redis.port, prefix: 'test-reader-role', username, password: 'password' };
  writeFileSync(join(dir, 'holdfast.yaml'), stringify({ ...shared, redis: way, ...own }));
}

const run = (...args: string[]): Promise<Finished> =>
  runHoldfast([...args, '--config', join(legal, 'holdfast.yaml')], { guard });

async function look(query: string): Promise<void> {
  const { code, stderr } = await run('search', query);
  expect([code, stderr]).toEqual([0, '']);
}

/** What people of the legal office looked for, as the log has it. */
async function looks(): Promise<string[]> {
  const { stdout } = await run('access-log', '--act', 'search', '--json');
  const { acts } = JSON.parse(stdout) as { acts: { deed: { query: string } }[] };
  return acts.map(({ deed }) => deed.query).toSorted();
}

async function logged(...queries: string[]): Promise<void> {
  await until(`${queries.length} looks in the log`, async () => (await looks()).length >= queries.length, 180_000);
  expect(await looks()).toEqual(queries.toSorted());
}

beforeAll(async () => {
  await runHoldfast(['init', made, '--evaluation'], { guard });
  const { manifest } = readTrusted({
    origin: ORIGIN,
    trust: join(made, 'trust.json'),
    manifest: join(made, 'manifest.json'),
  });
  const [reader = ''] = signersOf(manifest, 'reader').keys();
  redis = await startGuardedRedis([reader]);
  place(archiver, ['log', 'archiver'], ARCHIVER, { keys: { log: 'log.key', archiver: 'archiver.key' } });
  place(legal, ['reader', 'reader-signing'], connectorUser(reader), {
    reader: {
      key: 'reader.key',
      signing: 'reader-signing.key',
      index: 'index',
      spool: 'spool',
      followEvery: '200ms',
    },
  });
  archiving = new Daemon({ args: ['archive', '--config', join(archiver, 'holdfast.yaml')], guard });
  reading = new Daemon({ args: ['read', '--config', join(legal, 'holdfast.yaml')], guard });
  await archiving.started();
  await reading.started();
}, 180_000);

afterAll(async () => {
  await reading?.end('SIGTERM');
  await archiving?.end('SIGTERM');
  await redis?.stop();
  await guard.end();
});

describe('a reader and an archiver on hosts of their own, Redis between them', () => {
  it('have what was looked at in the log, whoever of the two is killed or has lost its Redis meanwhile', async () => {
    await until('there is an index', async () => (await run('search', 'first-zebra')).code === 0, 120_000);
    await logged('first-zebra');

    await archiving.end('SIGKILL');
    await Promise.all([look('second-zebra'), look('third-zebra')]);
    await redis.flushall();
    await reading.end('SIGKILL');
    await look('fourth-zebra');
    expect(await looks()).toEqual(['first-zebra']);

    await reading.started();
    await archiving.started();
    await logged('first-zebra', 'second-zebra', 'third-zebra', 'fourth-zebra');
  }, 600_000);

  it('are verified by who has neither key, and what was looked for is read by the reader alone', async () => {
    const trust = join(archiver, 'trust.json');
    const verified = await runHoldfast(['verify', shared.archive.url, '--trust', trust], { guard });
    expect([verified.code, verified.stdout.split('\n')[0]]).toEqual([0, 'verified']);
    const leaks = new Leaks(new Needles({ query: 'zebra' }));
    leaks.directory('archive', archive);
    leaks.directory('redis', redis.dir);
    leaks.directory('spool', join(legal, 'spool'));
    leaks.text('archiver', archiving.printed);
    leaks.text('reader', reading.printed);
    expect(leaks.found).toEqual({});
    expect(Math.min(...Object.values(leaks.scanned))).toBeGreaterThan(0);
  }, 120_000);
});
