// SPDX-License-Identifier: AGPL-3.0-or-later
import { once } from 'node:events';
import { appendFileSync, chmodSync, existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Guard } from '../services/guard.ts';
import { Daemon, launch, runHoldfast, until, type Finished } from '../support/e2e-process.ts';

const guard = new Guard('scrub');
const dir = join(guard.dir, 'evaluation');
const config = join(dir, 'holdfast.yaml');
const at = (...names: string[]): string => join(dir, ...names);
const run = (...args: string[]): Promise<Finished> => runHoldfast([...args, '--config', config], { guard });
let up: Daemon;

interface Result {
  readonly complete: boolean;
  readonly signed: boolean;
  readonly state: { readonly objects: number; readonly readObjects: number; readonly from: string };
  readonly findings: readonly { readonly code: string; readonly key: string }[];
}

async function scrub(code: number): Promise<Result> {
  const finished = await run('scrub', '--json');
  expect([finished.code, finished.stderr.replaceAll(/^\{.*\}$/gm, '').trim()]).toEqual([code, '']);
  return JSON.parse(finished.stdout) as Result;
}

const verified = (...more: string[]): Promise<Finished> =>
  runHoldfast(['verify', `file://${at('archive')}`, '--trust', at('trust.json'), ...more], { guard });
const packs = (): string[] =>
  readdirSync(at('archive'), { recursive: true, encoding: 'utf8' }).filter((key) => /\/pack\/[0-9a-f]{64}$/.test(key));

beforeAll(async () => {
  await runHoldfast(['init', dir, '--evaluation'], { guard });
  up = new Daemon({ args: ['up', '--config', config], guard });
  await up.started();
  await until('a log', async () => (await verified()).code === 0, 60_000);
  await up.end('SIGTERM');
  await runHoldfast(['keygen', 'auditor', '--out', at('keys')], { guard });
  const added = ['--add', `auditor:scrub=${at('keys', 'auditor.pub')}`, '--out', at('next.json')];
  await runHoldfast(['manifest', at('manifest.json'), '--root-key', at('keys', 'root.key'), ...added], { guard });
  renameSync(at('next.json'), at('manifest.json'));
  appendFileSync(config, 'scrub:\n  state: scrub\n  signing: keys/auditor.key\n  requestsPerSecond: 4\n');
  up = new Daemon({ args: ['up', '--config', config], guard });
  await up.started();
}, 180_000);

afterAll(async () => {
  await up?.end('SIGTERM');
  await guard.end();
});

describe('a scrub by the command', () => {
  it('goes on where it was killed, is logged, stands in the page, and tells of a flipped bit', async () => {
    for (const name of ['One', 'Two', 'Three', 'Four', 'Five']) {
      const before = packs().length;
      await run('matter', 'create', name);
      await until('its pack', () => packs().length > before, 60_000);
    }
    const killed = launch(['scrub', '--config', config], { guard });
    // From here on, because it may end by itself before it is killed.
    const closed = once(killed, 'close');
    const hasPlan = (): boolean =>
      existsSync(at('scrub', 'round.db')) && readFileSync(at('scrub', 'round.db')).includes('planned');
    await until('the round to be planned', hasPlan, 120_000);
    killed.kill('SIGKILL');
    await closed;
    writeFileSync(config, readFileSync(config, 'utf8').replace('requestsPerSecond: 4', 'requestsPerSecond: 10000'));

    const first = await scrub(0);
    expect(first).toMatchObject({ complete: true, signed: true, findings: [] });
    expect(first.state.readObjects).toBe(first.state.objects);
    const page = at('page.html');
    const isLogged = async (): Promise<boolean> => {
      const { code, stdout } = await verified('--report', page);
      return code === 0 && stdout.includes('\nscrubbed ');
    };
    await until('the result in the log', isLogged, 60_000);
    expect(readFileSync(page, 'utf8')).toContain(`<td>${first.state.from}</td>`);
    expect((await scrub(0)).state.objects).toBeGreaterThanOrEqual(first.state.objects);
    // The second round saw the first one's result in the log.
    expect(readdirSync(at('scrub', 'entries'))).toHaveLength(1);

    const pack = at('archive', packs()[0] ?? '');
    const bytes = readFileSync(pack);
    bytes[7] = (bytes[7] ?? 0) ^ 1;
    chmodSync(pack, 0o600);
    writeFileSync(pack, bytes);
    const found = await scrub(1);
    expect(found.findings.map(({ code, key }) => [code, key])).toEqual([['verify/pack-hash', packs()[0]]]);
    expect(found).toMatchObject({ complete: true, signed: true });
  }, 400_000);
});
