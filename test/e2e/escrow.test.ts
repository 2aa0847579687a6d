// SPDX-License-Identifier: AGPL-3.0-or-later
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Guard } from '../services/guard.ts';
import { Daemon, launch, runHoldfast, until, type Finished } from '../support/e2e-process.ts';

const guard = new Guard('escrow');
const dir = join(guard.dir, 'evaluation');
const config = join(dir, 'holdfast.yaml');
const at = (...names: string[]): string => join(dir, ...names);
const key = (name: string): string => at('keys', `${name}.key`);
/** The machine of the ceremony: it has a trust file and a manifest, and neither config nor archive. */
const vault = join(guard.dir, 'vault');
const offline = (...args: string[]): Promise<Finished> => runHoldfast(['escrow', ...args], { guard, cwd: vault });
const online = (...args: string[]): Promise<Finished> => runHoldfast([...args, '--config', config], { guard });
const codeIn = ({ stderr }: Finished): string => /^error (\S+)/m.exec(stderr)?.[1] ?? stderr;
const given = ['--trust', at('trust.json'), '--manifest', at('manifest.json')];
let up: Daemon;

async function good(run: Promise<Finished>): Promise<Finished> {
  const finished = await run;
  expect([finished.code, finished.stderr]).toEqual([0, '']);
  return finished;
}

/** From the announcement to its proof, by two officers. */
async function announced(act: string, ...rest: string[]): Promise<{ file: string; proof: string }> {
  const [file, proof] = [at(`${act}.json`), at(`${act}.proof`)];
  const signed = ['--officer', key('officer-1'), '--out', file];
  await good(online('escrow', 'announce', act, ...rest, '--authority', 'key plan 2026', ...signed));
  expect(codeIn(await online('escrow', 'submit', file))).toBe('escrow/unapproved');
  await good(runHoldfast(['escrow', 'sign', file, '--officer', key('officer-2')], { guard }));
  await good(online('escrow', 'submit', file));
  await up.end('SIGKILL');
  up = new Daemon({ args: ['up', '--config', config], guard });
  await up.started();
  const proofIn = async (): Promise<boolean> => {
    const { code } = await online('escrow', 'proof', file, '--out', proof, '--epoch', `${proof}.epoch`);
    return code === 0;
  };
  await until(`the announcement of the ${act}`, proofIn, 120_000);
  return { file, proof };
}

beforeAll(async () => {
  mkdirSync(vault);
  await runHoldfast(['init', dir, '--evaluation'], { guard });
  up = new Daemon({ args: ['up', '--config', config], guard });
  await up.started();
}, 120_000);

afterAll(async () => {
  await up?.end('SIGTERM');
  await guard.end();
});

describe('an escrow key, all by commands', () => {
  const shares = join(vault, 'shares');
  const some = (...numbers: number[]): string[] => numbers.map((n) => join(shares, `share-${n}-of-20.txt`));

  it('is split, tried, and taken out, and opens the archive: each only once the log has it', async () => {
    await good(online('read', '--once'));
    const split = await announced('split', '--key', at('keys', 'escrow.pub'), '--need', '3', '--of', '20');
    const make = ['split', '--key', key('escrow'), '--out', shares, ...given];
    const forged = at('forged.proof');
    writeFileSync(forged, readFileSync(split.proof, 'utf8').replace(/^index \d+$/m, 'index 0'));
    expect(codeIn(await offline(...make, '--record', forged))).toBe('escrow/unrecorded');
    expect(existsSync(shares)).toBe(false);

    for (const wanted of [1, 9, 20]) {
      const killed = launch(['escrow', ...make, '--record', split.proof], { guard, cwd: vault });
      // From here on, because it may end by itself before it is killed.
      const closed = once(killed, 'close');
      const written = (): number => (existsSync(`${shares}.part`) ? readdirSync(`${shares}.part`).length : 0);
      await until('shares on the disk', () => written() >= wanted || existsSync(shares), 60_000);
      killed.kill('SIGKILL');
      await closed;
      // All of them or none, whenever it was.
      if (existsSync(shares)) expect(readdirSync(shares)).toHaveLength(20);
      rmSync(shares, { recursive: true, force: true });
    }
    // A place that turns out to be taken when all are written: none of them stays.
    symlinkSync('nowhere', shares);
    expect(codeIn(await offline(...make, '--record', split.proof))).toBe('config/unwritable');
    expect(readdirSync(vault)).toEqual(['shares']);
    rmSync(shares);
    await good(offline(...make, '--record', split.proof));
    expect(existsSync(`${shares}.part`)).toBe(false);
    expect(readdirSync(shares).map((name) => statSync(join(shares, name)).mode & 0o777)).toEqual(Array(20).fill(0o600));
    expect(codeIn(await offline(...make, '--record', split.proof))).toBe('config/exists');
    await good(offline('check', ...some(1, 2, 20)));
    await good(online('escrow', 'close', split.file, 'done', '--officer', key('officer-1')));

    const drill = await announced('drill', '--split', split.file);
    const tried = await good(
      offline('drill', ...some(2, 11, 20), '--record', drill.proof, '--epoch', `${drill.proof}.epoch`, ...given),
    );
    expect(tried.stdout).toContain('opens the epoch of the log');
    await good(offline('drill', ...some(1, 2, 3), '--record', drill.proof, ...given));
    expect(codeIn(await offline('drill', ...some(1, 2), '--record', drill.proof, ...given))).toBe('escrow/too-few');
    const taken = join(vault, 'taken.key');
    const take = ['combine', ...some(3, 7, 19), '--out', taken, ...given];
    expect(codeIn(await offline(...take, '--record', drill.proof))).toBe('escrow/other-ceremony');
    expect(readdirSync(vault)).toEqual(['shares']);
    await good(online('escrow', 'close', drill.file, 'done', '--officer', key('officer-2')));

    const combine = await announced('combine', '--split', split.file);
    await good(offline(...take, '--record', combine.proof));
    expect(statSync(taken).mode & 0o777).toBe(0o600);
    expect(codeIn(await offline(...take, '--record', combine.proof))).toBe('config/exists');
    await good(online('escrow', 'close', combine.file, 'done', '--officer', key('officer-1')));

    await opensTheArchive(taken);
  }, 900_000);

  /** The reader's key is lost: the config names the one that was taken out, and an index of its own. */
  async function opensTheArchive(taken: string): Promise<void> {
    rmSync(key('reader'));
    const other = at('escrow.yaml');
    const text = readFileSync(config, 'utf8').replace('key: keys/reader.key', `key: ${taken}`);
    writeFileSync(other, text.replace('index: index', 'index: escrow-index'));
    const reading = (...args: string[]): Promise<Finished> => runHoldfast([...args, '--config', other], { guard });
    const waiting = (): string[] =>
      readdirSync(at('reader-spool', 'entries')).filter((name) => name.endsWith('.entry'));
    const isIndexed = async (): Promise<boolean> =>
      (await reading('read', '--once')).code === 0 && waiting().length === 0;
    await until('the log to have all that was signed', isIndexed, 120_000);
    const listed = JSON.parse((await reading('escrow', 'list', '--json')).stdout) as {
      entry: { act: string; state: string };
    }[];
    expect(listed.map(({ entry: { act, state } }) => `${act} ${state}`)).toEqual([
      'split announced',
      'split done',
      'drill announced',
      'drill done',
      'combine announced',
      'combine done',
    ]);
    const looks = await good(reading('access-log', '--act', 'escrow'));
    expect(looks.stdout).toMatch(/combine of key .*, submitted/);
    const verified = await runHoldfast(['verify', `file://${at('archive')}`, '--trust', at('trust.json')], { guard });
    expect([verified.code, verified.stdout.split('\n')[0]]).toEqual([0, 'verified']);
    expect(verified.stdout).toMatch(/escrow +3 ceremonies, 1 to take the key out; last good drill 2/);
    expect(up.printed).not.toMatch(/key plan/);
  }
});
