// SPDX-License-Identifier: AGPL-3.0-or-later
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import type { Report } from '../../src/verify/report.ts';
import { incoming } from '../emulators/signal/envelopes.ts';
import { account, dana } from '../emulators/signal/test-world.ts';
import { Guard } from '../services/guard.ts';
import { runVerifyPy } from '../tamper/second-verifier.ts';
import { assertDone, holdCeremony, type Ceremony } from '../support/e2e-ceremony.ts';
import { Deployment } from '../support/e2e-deployment.ts';
import { runHoldfast, until, type Finished } from '../support/e2e-process.ts';

const ORIGIN = 'agency.example/holdfast/exchange';
const guard = new Guard('key-exchange');
const run = (...args: string[]): Promise<Finished> => runHoldfast(args, { guard });
const codeIn = ({ stderr }: Finished): string => /^error (\S+)/m.exec(stderr)?.[1] ?? stderr;

let ceremony: Ceremony;
let deployment: Deployment;

interface RoleConfig {
  readonly keys: Readonly<Record<string, string>>;
  readonly [name: string]: unknown;
}

/** Where the holders of the new keys keep them. */
const fresh = (name: string): string => join(guard.dir, 'fresh', name);

function edit(change: (config: RoleConfig) => object): void {
  const file = deployment.configOf('up');
  writeFileSync(file, stringify(change(parse(readFileSync(file, 'utf8')) as RoleConfig)));
}

async function fingerprintOf(role: string, name: string): Promise<string> {
  const made = await run('keygen', role, '--out', fresh(''), '--name', name, '--json');
  assertDone(made);
  return (JSON.parse(made.stdout) as { fingerprint: string }).fingerprint;
}

/** Runs all roles while `count` messages come, until all are archived. */
async function capture(count: number, from: number): Promise<void> {
  await deployment.up.started();
  await deployment.capturing(deployment.up);
  for (let n = from; n < from + count; n += 1)
    await deployment.emulator.receive(account, incoming(dana, 1_786_000_000_000 + n, { text: `berth ${n} is free` }));
  const sinceMs = Date.now();
  const isDone = (): boolean => {
    const status = deployment.status();
    return status !== null && Date.parse(status.at) > sinceMs && status.waiting === 0;
  };
  await until('everything to be archived', isDone, 60_000);
  expect(await deployment.up.end('SIGTERM')).toBe(0);
}

beforeAll(async () => {
  ceremony = await holdCeremony({ guard }, ORIGIN);
  mkdirSync(fresh(''), { recursive: true });
  // One process and a directory: neither Redis nor a bucket is asked.
  deployment = await Deployment.make({
    label: 'exchange',
    archive: 'file',
    ceremony,
    redisPort: 1,
    intakes: ['websocket', 'journal'],
  });
  await capture(5, 100);
}, 180_000);

afterAll(async () => {
  await deployment?.[Symbol.asyncDispose]();
  await guard.end();
});

describe('an exchange of keys by the commands', () => {
  const reader = (): string => join(ceremony.holder('legal'), 'reader');
  const root = (): string => join(ceremony.holder('records'), 'root.key');
  const next = (from: string, out: string, ...args: string[]): Promise<Finished> =>
    run('manifest', from, '--root-key', root(), '--out', out, ...args);

  it('names no key whose holder did not sign for it, or that was made for another role', async () => {
    await fingerprintOf('connector', 'plain');
    const pem = readFileSync(fresh('plain.pub'), 'utf8');
    const bare = pem.slice(0, pem.indexOf('holdfast possession'));
    writeFileSync(fresh('bare.pub'), bare);
    const other = readFileSync(join(ceremony.holder('connector'), 'connector.pub'), 'utf8');
    writeFileSync(fresh('lent.pub'), bare + other.slice(other.indexOf('holdfast possession')));
    const out = fresh('never.json');
    for (const [addition, says] of [
      [`connector:x=${fresh('bare.pub')}`, 'got       none'],
      [`connector:x=${fresh('lent.pub')}`, 'does not verify'],
      [`archiver:x=${fresh('plain.pub')}`, 'one for the role connector'],
    ] as const) {
      const refused = await next(ceremony.manifest, out, '--add', addition);
      expect([addition, refused.code, codeIn(refused)]).toEqual([addition, 2, 'config/key-unproven']);
      expect(refused.stderr).toContain(says);
    }
    const taken = await next(ceremony.manifest, out, '--unproven', '--add', `connector:x=${fresh('bare.pub')}`);
    expect(taken).toMatchObject({ code: 0, stderr: '' });
    const lent = await next(ceremony.manifest, `${out}.2`, '--unproven', '--add', `connector:x=${fresh('lent.pub')}`);
    expect(codeIn(lent)).toBe('config/key-unproven');
  }, 60_000);

  it('goes on under new connector and recipient keys, and all of it is read by the new reader', async () => {
    const before = (
      JSON.parse((await run('keygen', 'reader', '--out', fresh(''), '--name', 'unused', '--json')).stdout) as {
        fingerprint: string;
      }
    ).fingerprint;
    const made = readFileSync(`${reader()}.pub`, 'utf8');
    const old = (
      JSON.parse(readFileSync(ceremony.manifest, 'utf8')) as {
        manifest: { recipients: { role: string; kid: string }[] };
      }
    ).manifest.recipients.find(({ role }) => role === 'reader')?.kid as string;
    expect(made).toContain('holdfast possession v1 reader ');
    const kid = await fingerprintOf('reader', 'reader-b');
    await fingerprintOf('connector', 'connector-b');
    await fingerprintOf('reader-signing', 'signing');
    const manifest = fresh('manifest-1.json');
    const stranger = await next(ceremony.manifest, fresh('no.json'), '--remove', before);
    expect(codeIn(stranger)).toBe('config/key-unknown');
    const adds = [
      `reader=${fresh('reader-b.pub')}`,
      `connector:b=${fresh('connector-b.pub')}`,
      `reader:legal=${fresh('signing.pub')}`,
    ];
    const removes = [old.replaceAll(/(.{4})(?!$)/g, '$1 '), 'connector'];
    assertDone(
      await next(
        ceremony.manifest,
        manifest,
        ...adds.flatMap((key) => ['--add', key]),
        ...removes.flatMap((name) => ['--remove', name]),
      ),
    );
    edit((config) => ({ ...config, manifest, keys: { ...config.keys, connector: fresh('connector-b.key') } }));
    await capture(5, 200);

    const verified = await deployment.verify('--json');
    const report = JSON.parse(verified.stdout) as Report;
    expect([verified.code, report.findings]).toEqual([0, []]);
    expect(report.manifests.map(({ recipients }) => recipients.some(({ id }) => id === kid))).toEqual([false, true]);

    const config = fresh('reader.yaml');
    const settings = (keys: object): string =>
      stringify({
        origin: ORIGIN,
        trust: ceremony.trust,
        manifest,
        archive: { url: deployment.url },
        reader: { ...keys, index: 'index', signing: 'signing.key', spool: 'looks' },
        retention: [{ class: 'GRS-6.1-011', period: 'P1D', authority: 'test' }],
      });
    const indexed = async (keys: object): Promise<{ unreadable: number }> => {
      writeFileSync(config, settings(keys));
      const read = await run('read', '--once', '--rebuild', '--json', '--config', config);
      assertDone(read);
      return JSON.parse(read.stdout) as { unreadable: number };
    };
    expect((await indexed({ key: 'reader-b.key' })).unreadable).toBeGreaterThan(4);
    expect(await indexed({ key: 'reader-b.key', earlierKeys: [`${reader()}.key`] })).toMatchObject({ unreadable: 0 });
    const found = await run('search', '--json', '--config', config, 'berth');
    expect([found.stderr, (JSON.parse(found.stdout || '{}') as { total?: number }).total]).toEqual(['', 10]);
  }, 180_000);
});

describe('a log key that is exchanged by the commands', () => {
  const NEXT = 'agency.example/holdfast/exchanged';
  const root = (): string => join(ceremony.holder('records'), 'root.key');
  const next = (name: string): string => fresh(join('next', name));
  const predecessor = (): string => fresh('predecessor.json');
  const end = (out: string): Promise<Finished> =>
    run(
      'end',
      '--config',
      deployment.configOf('up'),
      '--link',
      next('link.json'),
      '--new-log',
      fresh('log-b.key'),
      '--out',
      out,
    );

  it('ends the log once, however often that is asked, and no archiver goes on behind the end', async () => {
    await fingerprintOf('log', 'log-b');
    const { manifest } = parse(readFileSync(deployment.configOf('up'), 'utf8')) as { manifest: string };
    const keys = ['--trust', ceremony.trust, '--root-key', root(), '--log', fresh('log-b.pub')];
    const inside = await run('successor', manifest, ...keys, '--origin', `${ORIGIN}/2`, '--out', fresh('inside'));
    expect([codeIn(inside), existsSync(fresh('inside'))]).toEqual(['format/link', false]);
    const made = await run('successor', manifest, ...keys, '--origin', NEXT, '--out', fresh('next'));
    expect(made).toMatchObject({ code: 0, stderr: '' });
    const foreign = await run(
      'end',
      '--config',
      deployment.configOf('up'),
      '--link',
      next('link.json'),
      '--new-log',
      fresh('connector-b.key'),
      '--out',
      predecessor(),
    );
    expect([codeIn(foreign), existsSync(predecessor())]).toEqual(['format/link-signature', false]);
    assertDone(await end(predecessor()));
    assertDone(await end(`${predecessor()}.again`));
    expect(readFileSync(`${predecessor()}.again`, 'utf8')).toBe(readFileSync(predecessor(), 'utf8'));
    const behind = await run('up', '--config', deployment.configOf('up'));
    expect([behind.code, behind.stderr.includes('archive/log-ended')]).toEqual([2, true]);
    const verified = await deployment.verify();
    expect([verified.code, verified.stdout]).toEqual([
      0,
      expect.stringContaining(`after      ended; goes on in ${NEXT}`),
    ]);
  }, 120_000);

  it('begins the next one only with a link, and then goes on there; both are verified in one run', async () => {
    edit((config) => {
      const keys = { ...config.keys, log: fresh('log-b.key') };
      return { ...config, origin: NEXT, trust: next('trust.json'), manifest: next('manifest.json'), keys };
    });
    const unlinked = await run('up', '--config', deployment.configOf('up'));
    expect([unlinked.code, unlinked.stderr.includes('archive/predecessor')]).toEqual([2, true]);
    edit((config) => ({ ...config, predecessor: predecessor() }));
    await capture(5, 300);
    const verified = await runHoldfast(['verify', deployment.url, '--trust', next('trust.json'), '--json'], { guard });
    const report = JSON.parse(verified.stdout) as Report;
    expect([verified.code, report.findings, report.unchecked]).toEqual([0, [], []]);
    expect(report.line.before).toMatchObject({ origin: ORIGIN, cause: 'exchanged', report: { verdict: 'verified' } });
    const codes = report.notes.map(({ code }) => code);
    expect(codes.filter((code) => code !== 'verify/checkpoint-behind' && code !== 'verify/tile-missing')).toEqual([]);
    const second = await runVerifyPy([join(deployment.guard.dir, 'stored'), '--trust', next('trust.json')]);
    expect([second.code, second.stdout.split('\n')[0]]).toEqual([0, 'verified']);
  }, 180_000);

  it('is read on by whoever reads: each log in an index of its own', async () => {
    const config = fresh('reader-next.yaml');
    const reader = { key: 'reader-b.key', index: 'index-next', signing: 'signing.key', spool: 'looks' };
    const { trust, manifest } = { trust: next('trust.json'), manifest: next('manifest.json') };
    const retention = [{ class: 'GRS-6.1-011', period: 'P1D', authority: 'test' }];
    writeFileSync(
      config,
      stringify({ origin: NEXT, trust, manifest, archive: { url: deployment.url }, reader, retention }),
    );
    const read = await run('read', '--once', '--json', '--config', config);
    assertDone(read);
    expect(JSON.parse(read.stdout)).toMatchObject({ origin: NEXT, unreadable: 0 });
    const found = await run('search', '--json', '--config', config, 'berth');
    expect([found.stderr, (JSON.parse(found.stdout || '{}') as { total?: number }).total]).toEqual(['', 5]);
  }, 60_000);
});

describe('a log key that is lost', () => {
  const LAST = 'agency.example/holdfast/last';
  const last = (name: string): string => fresh(join('last', name));

  it('ends its log by the word of the root alone, and the report says so of a line of three', async () => {
    await fingerprintOf('log', 'log-c');
    const checkpoint = join(deployment.archiveDir, 'log/agency.example/holdfast/exchanged/checkpoint');
    const order = [fresh('next/manifest.json'), '--trust', fresh('next/trust.json')];
    const signing = ['--root-key', join(ceremony.holder('records'), 'root.key'), '--log', fresh('log-c.pub')];
    const successor = (...how: string[]): Promise<Finished> =>
      run('successor', ...order, ...signing, '--origin', LAST, '--out', fresh('last'), '--lost', ...how);
    expect(codeIn(await successor())).toBe('config/missing-part');
    expect(codeIn(await successor('--at', fresh('predecessor.json')))).toMatch(/^format\//);
    assertDone(await successor('--at', checkpoint));
    edit((config) => {
      const keys = { ...config.keys, log: fresh('log-c.key') };
      const files = { trust: last('trust.json'), manifest: last('manifest.json'), predecessor: fresh('last.json') };
      return { ...config, ...files, origin: LAST, keys };
    });
    const ending = ['--config', deployment.configOf('up'), '--link', last('link.json')];
    assertDone(await run('end', ...ending, '--new-log', fresh('log-c.key'), '--out', fresh('last.json')));
    await capture(3, 400);
    const verified = await runHoldfast(['verify', deployment.url, '--trust', last('trust.json'), '--json'], { guard });
    const report = JSON.parse(verified.stdout) as Report;
    expect([verified.code, report.findings, report.unchecked, report.line.number]).toEqual([0, [], [], 2]);
    const [before, first] = [report.line.before, report.line.before?.report?.line.before];
    expect([before?.cause, first?.cause, first?.origin]).toEqual(['lost', 'exchanged', ORIGIN]);
    expect(report.notes.map(({ code }) => code)).toContain('verify/predecessor-abandoned');
    const second = await runVerifyPy([deployment.archiveDir, '--trust', last('trust.json')]);
    expect([second.code, second.stdout.split('\n')[0]]).toEqual([0, 'verified']);
  }, 180_000);
});
