// SPDX-License-Identifier: AGPL-3.0-or-later
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Guard } from '../services/guard.ts';
import { Daemon, runHoldfast, until, type Finished } from '../support/e2e-process.ts';

const guard = new Guard('holds');
const dir = join(guard.dir, 'evaluation');
const config = join(dir, 'holdfast.yaml');
const key = (name: string): string => join(dir, 'keys', `${name}.key`);
const run = (...args: string[]): Promise<Finished> => runHoldfast([...args, '--config', config], { guard });
const codeIn = ({ stderr }: Finished): string => /^error (\S+)/m.exec(stderr)?.[1] ?? stderr;
let up: Daemon;

async function asked<T>(...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await run(...args, '--json');
  expect([code, stderr]).toEqual([0, '']);
  return JSON.parse(stdout) as T;
}

/** Reads again and again until the index knows it: everything goes by the archiver of the running process. */
async function indexed(what: string, holds: () => Promise<boolean>): Promise<void> {
  await until(
    what,
    async () => {
      await run('read', '--once');
      return holds();
    },
    240_000,
  );
}

interface ListedHold {
  readonly hold: string;
  readonly log: { readonly state: string } | null;
}

beforeAll(async () => {
  await runHoldfast(['init', dir, '--evaluation'], { guard });
  up = new Daemon({ args: ['up', '--config', config], guard });
  await up.started();
}, 120_000);

afterAll(async () => {
  await up?.end('SIGTERM');
  await guard.end();
});

describe('matters and holds of an evaluation, all by commands', () => {
  it('are begun, held, released by two officers, and there again in an index that is built anew', async () => {
    await run('read', '--once');
    const { matter } = await asked<{ matter: string }>('matter', 'create', 'Harbour Case');
    writeFileSync(join(dir, 'people.csv'), 'identifier,custodian,from,to\n+12025550100,"Ortiz, Dana",,\n');
    await run('directory', 'import', join(dir, 'people.csv'));
    await indexed('the matter', async () => (await asked<{ matter: string }[]>('matter', 'list')).length === 1);
    await indexed('the directory', async () => (await run('directory', 'show')).stdout.includes('Ortiz, Dana'));

    const officer = ['--officer', key('officer-1')];
    const placed = await asked<{ hold: string }>(
      'hold',
      'place',
      'harbour case',
      '--search',
      'kind:capture',
      ...officer,
    );
    await indexed('the hold', async () => (await asked<ListedHold[]>('hold', 'list'))[0]?.log?.state === 'placed');
    expect(readdirSync(join(dir, 'reader-spool', 'approved'))).toEqual([]);
    const steward = await asked<{ holds: number; unenforced: boolean }>('steward', '--once');
    expect(steward).toMatchObject({ holds: 1, unenforced: true, ignored: 0 });

    const release = join(dir, 'release.json');
    await run('hold', 'release', placed.hold.slice(0, 8), '--out', release);
    const sign = (name: string): Promise<Finished> =>
      runHoldfast(['hold', 'sign', release, '--officer', key(name)], { guard });
    const first = await sign('officer-1');
    expect(first.stdout).toMatch(/released\n +reference +[0-9a-f]{32}\n[\s\S]*signed by 1 officer\n/);
    expect((await sign('officer-1')).stderr).toContain('had signed it before');
    expect(codeIn(await run('hold', 'submit', release))).toBe('matters/approval');
    await sign('officer-2');
    expect(readFileSync(release, 'utf8').match(/"sig"/g)).toHaveLength(2);
    expect((await run('hold', 'submit', release)).code).toBe(0);
    await indexed('the release', async () => (await asked<ListedHold[]>('hold', 'list'))[0]?.log?.state === 'released');

    const before = await asked<object[]>('matter', 'list');
    await run('read', '--once', '--rebuild');
    expect(await asked<object[]>('matter', 'list')).toEqual(before);
    expect(before).toMatchObject([{ matter, name: 'Harbour Case', holds: [{ hold: placed.hold }] }]);
    const verified = await runHoldfast(
      ['verify', `file://${join(dir, 'archive')}`, '--trust', join(dir, 'trust.json')],
      { guard },
    );
    expect([verified.code, verified.stdout.split('\n')[0]]).toEqual([0, 'verified']);
    expect(verified.stdout).toMatch(/2 hold/);
    expect(up.printed).not.toMatch(/Ortiz|Harbour|\+1202|capture/);
  }, 600_000);
});
