// SPDX-License-Identifier: AGPL-3.0-or-later
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { account, texts } from '../emulators/signal/test-world.ts';
import { Guard } from '../services/guard.ts';
import { Deployment } from '../support/e2e-deployment.ts';
import { Daemon, launch, runHoldfast, until, type Finished } from '../support/e2e-process.ts';
import { scanTerminal } from '../support/e2e-qr.ts';

const UNLINKED = '+12025550143';
const guard = new Guard('cli');
const run = (...args: string[]): Promise<Finished> => runHoldfast(args, { guard });
const codeIn = ({ stderr }: Finished): string => /^error (\S+)/m.exec(stderr)?.[1] ?? stderr;

let deployment: Deployment;

interface RoleConfig extends Readonly<Record<string, unknown>> {
  readonly keys: object;
  readonly signal: object;
  readonly accounts: readonly object[];
}
type Edit = (config: RoleConfig) => object;

/** A copy of a role's config with something changed. */
function variant(role: 'connect' | 'archive' | 'up', name: string, edit: Edit): string {
  const file = join(deployment.guard.dir, role, `${name}.yaml`);
  writeFileSync(file, stringify(edit(parse(readFileSync(deployment.configOf(role), 'utf8')) as RoleConfig)));
  return file;
}

beforeAll(async () => {
  deployment = await Deployment.make({ label: 'cli' });
  await deployment.start();
}, 120_000);

afterAll(async () => {
  await deployment?.[Symbol.asyncDispose]();
  await guard.end();
});

describe('a role', () => {
  it('names every mistake of a config at once, and starts nothing', async () => {
    const file = variant('connect', 'wrong', ({ spool: _spool, ...config }) => ({
      ...config,
      origin: 'no spaces here',
      spoool: {},
    }));
    const refused = await run('connect', '--config', file);
    expect([refused.code, codeIn(refused)]).toEqual([2, 'config/invalid']);
    expect(refused.stderr).toMatch(/origin: .+\n.*(?:\n.*)*spoool/);
  });

  it('takes no secret that others may read, and none from the environment', async () => {
    const open = join(deployment.guard.dir, 'open.key');
    writeFileSync(open, readFileSync(join(deployment.ceremony.holder('connector'), 'connector.key')));
    chmodSync(open, 0o644);
    const file = variant('connect', 'open', ({ keys, ...config }) => ({
      ...config,
      keys: { ...keys, connector: open },
    }));
    const readable = await run('connect', '--config', file);
    expect([readable.code, codeIn(readable)]).toEqual([2, 'config/secret-readable']);
    const inherited = await runHoldfast(['connect', '--config', deployment.configOf('connect')], {
      guard,
      env: { HOLDFAST_HOST_KEY: 'c2VjcmV0' },
    });
    expect([inherited.code, codeIn(inherited)]).toEqual([2, 'config/secret-in-environment']);
    expect(inherited.stderr).not.toContain('c2VjcmV0');
  });

  it('does not open a spool that another process has open, and leaves that one alone', async () => {
    const second = await run('connect', '--config', deployment.configOf('connect'));
    expect(second.code).not.toBe(0);
    expect(second.stderr).toContain('spool/in-use');
    await deployment.emulator.receive(account, texts(1, 900)[0] as never);
    await deployment.drained();
    expect(deployment.connector.ends).toEqual([]);
  });

  it('locks nothing for more than a month before somebody confirmed it', async () => {
    const file = variant('archive', 'long', (config) => ({
      ...config,
      retention: [{ class: 'GRS-6.1-010', period: 'P45D', mode: 'COMPLIANCE', authority: 'NARA GRS 6.1 item 010' }],
    }));
    await deployment.archiver.end('SIGTERM');
    const refused = await run('archive', '--config', file);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain('config/retention-unconfirmed');
    const started = async (...args: string[]): Promise<void> => {
      const archiver = new Daemon({ guard: deployment.guard, args: ['archive', '--config', file, ...args] });
      await archiver.started();
      expect(await archiver.end('SIGTERM')).toBe(0);
    };
    await started('--confirm-retention');
    await started();
    await deployment.archiver.started();
  }, 60_000);
});

describe('manifest', () => {
  it('lets the root add and drop a signer, which the archiver logs and the auditor follows', async () => {
    const { holder, manifest } = deployment.ceremony;
    const [next, last] = [join(deployment.guard.dir, 'second.json'), join(deployment.guard.dir, 'third.json')];
    const key = join(guard.dir, 'spare');
    await run('keygen', 'connector', '--out', key);
    const root = join(holder('records'), 'root.key');
    const spare = `connector:spare=${join(key, 'connector.pub')}`;
    expect(await run('manifest', manifest, '--root-key', root, '--add', spare, '--out', next)).toMatchObject({
      code: 0,
    });
    expect(await run('manifest', next, '--root-key', root, '--remove', 'spare', '--out', last)).toMatchObject({
      code: 0,
    });
    const idle = join(deployment.guard.dir, 'idle.json');
    for (const change of [[], ['--add', spare.replace('spare', 'archiver')], ['--remove', 'archiver']]) {
      const refused = await run('manifest', manifest, '--root-key', root, ...change, '--out', idle);
      expect([refused.code, existsSync(idle)]).toEqual([2, false]);
    }
    for (const [round, document] of [next, last].entries()) {
      const file = variant('archive', `manifest-${round}`, (config) => ({ ...config, manifest: document }));
      await deployment.archiver.end('SIGTERM');
      const archiver = new Daemon({ guard: deployment.guard, args: ['archive', '--config', file] });
      await archiver.started();
      await deployment.emulator.receive(account, texts(1, 910 + round)[0] as never);
      await deployment.drained();
      expect(await archiver.end('SIGTERM')).toBe(0);
    }
    const verified = await deployment.verify('--json');
    expect([verified.code, verified.stdout.includes('"findings": []')]).toEqual([0, true]);
    const older = variant('archive', 'older', (config) => ({ ...config, manifest }));
    const refused = await run('archive', '--config', older);
    expect(refused.stderr).toContain('archive/manifest-order');
    writeFileSync(
      deployment.configOf('archive'),
      readFileSync(variant('archive', 'kept', (config) => ({ ...config, manifest: last }))),
    );
    await deployment.archiver.started();
  }, 90_000);
});

describe('accounts', () => {
  it('shows what every account’s capture is doing, and no number', async () => {
    const shown = await run('accounts', '--config', deployment.configOf('connect'));
    expect(shown.code).toBe(0);
    expect(shown.stdout).toMatch(/duty-phone +signal +capturing +\d+/);
    expect(shown.stdout).not.toContain(account);
  });

  it('is a health check: 0 while all is captured, 1 once the phone unlinked the archive or the connector is gone', async () => {
    const probe = async (): Promise<number | null> =>
      (await run('accounts', '--probe', '--config', deployment.configOf('connect'))).code;
    expect(await probe()).toBe(0);
    deployment.emulator.unlink(account);
    await until('the unlink to show', async () => (await probe()) === 1, 20_000);
    deployment.emulator.relink(account);
    await deployment.capturing();
    await until('the account to be well', async () => (await probe()) === 0, 20_000);
  }, 60_000);
});

describe('doctor', () => {
  it('finds a deployment well but for the Redis of these tests, which anybody may use without bound', async () => {
    for (const role of ['connect', 'archive']) {
      const doctor = await run('doctor', '--config', deployment.configOf(role), '--json');
      const { checks } = JSON.parse(doctor.stdout) as { checks: { area: string; check: string; level: string }[] };
      expect(checks.filter(({ level }) => level === 'fail')).toMatchObject([
        { area: 'redis', check: 'memory limit' },
        { area: 'redis', check: 'user' },
      ]);
      expect(new Set(checks.map(({ area }) => area)).size).toBeGreaterThanOrEqual(4);
    }
  }, 60_000);

  it('says what to mend: keys nobody named, a back end that is not there, an account that is not linked', async () => {
    const stranger = join(guard.dir, 'stranger');
    await run('keygen', 'connector', '--out', stranger);
    const file = variant('connect', 'ill', ({ keys, signal, accounts, ...config }) => ({
      ...config,
      keys: { ...keys, connector: join(stranger, 'connector.key') },
      signal: {
        ...signal,
        gone: { api: 'http://127.0.0.1:9', timeouts: { rest: '1s', restRetry: '10ms' } },
      },
      accounts: [
        ...accounts,
        { name: 'new-phone', app: 'signal', account: UNLINKED, backend: 'main', retention: 'GRS-6.1-011' },
      ],
    }));
    const doctor = await run('doctor', '--config', file);
    expect(doctor.code).toBe(1);
    expect(doctor.stdout).toMatch(/^5 to mend/);
    expect(doctor.stdout).toMatch(/✗ connector/);
    expect(doctor.stdout).toMatch(/✗ back end gone/);
    expect(doctor.stdout).toMatch(/✗ account new-phone +not linked[\s\S]+holdfast link new-phone/);
    expect(doctor.stdout).not.toContain(UNLINKED);
  }, 60_000);
});

describe('link', () => {
  it('shows a code that the phone can scan from the terminal, and says when it is linked', async () => {
    const file = variant('connect', 'link', ({ accounts, ...config }) => ({
      ...config,
      accounts: [
        ...accounts,
        { name: 'new-phone', app: 'signal', account: UNLINKED, backend: 'main', retention: 'GRS-6.1-011' },
      ],
    }));
    const child = launch(['link', 'new-phone', '--config', file], { guard });
    let printed = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (printed += text));
    await until('the code', () => printed.includes('Scan it'));
    const uri = scanTerminal(printed) ?? '';
    expect(uri).toMatch(/^sgnl:\/\/linkdevice\?uuid=/);
    expect(printed).not.toContain(uri);
    expect(await deployment.emulator.scanLink(uri, { account: UNLINKED, delayMs: 50 })).toBe('linked');
    await until('the command to end', () => child.exitCode !== null);
    expect([child.exitCode, printed.includes('linked')]).toEqual([0, true]);
    expect(printed).not.toContain(UNLINKED);
  }, 60_000);

  it('knows the accounts of the config only', async () => {
    const refused = await run('link', 'nobody', '--config', deployment.configOf('connect'));
    expect([refused.code, codeIn(refused)]).toEqual([2, 'config/account-unknown']);
    expect(refused.stderr).toContain('duty-phone');
  });
});
