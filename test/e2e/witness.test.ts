// SPDX-License-Identifier: AGPL-3.0-or-later
import { appendFileSync, copyFileSync, cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/record/checkpoint.ts';
import { parseTrust } from '../../src/record/trust.ts';
import type { Report } from '../../src/verify/report.ts';
import { Guard } from '../services/guard.ts';
import { freePort } from '../services/ports.ts';
import { Daemon, runHoldfast, until, type Finished } from '../support/e2e-process.ts';

const guard = new Guard('witnessed');
afterAll(() => guard[Symbol.asyncDispose]());
const at = (...names: string[]): string => join(guard.dir, ...names);
const ORIGIN = 'records.example/watched';

const run = (...args: string[]): Promise<Finished> => runHoldfast(args, { guard });
const verify = async (...more: string[]): Promise<{ code: number | null; report: Report; stderr: string }> => {
  const { code, stdout, stderr } = await run(
    'verify',
    `file://${at('d', 'archive')}`,
    '--trust',
    at('d', 'trust.json'),
    '--json',
    ...more,
  );
  return { code, report: JSON.parse(stdout) as Report, stderr };
};

let up: Daemon;
let witness: Daemon;

/** From the first key to a log that somebody else watches, by the commands alone. */
beforeAll(async () => {
  const port = await freePort();
  for (const args of [
    ['init', at('d'), '--evaluation', '--origin', ORIGIN],
    ['keygen', 'witness', '--out', at('ig')],
    ['manifest', at('d', 'manifest.json'), '--root-key', at('d', 'keys', 'root.key')].concat([
      '--add',
      `witness:ig.example=${at('ig', 'witness.pub')}`,
      '--out',
      at('d', 'next.json'),
    ]),
    [
      'policy',
      '--trust',
      at('d', 'trust.json'),
      '--witness',
      `ig.example=${at('ig', 'witness.pub')}`,
      '--out',
      at('policy.txt'),
    ],
  ]) {
    const { code, stderr } = await run(...args);
    expect([args[0], code, stderr]).toEqual([args[0], 0, '']);
  }
  const own = ['--name', 'ig.example', '--key', at('ig', 'witness.key'), '--directory', at('ig', 'book')];
  const where = ['--trust', at('d', 'trust.json'), '--listen', `127.0.0.1:${port}`];
  witness = new Daemon({ guard, args: ['witness', ...own, ...where] });
  await witness.started();
  up = new Daemon({ guard, args: ['up', '--config', at('d', 'holdfast.yaml')] });
  await up.started();
  expect(await up.end('SIGTERM')).toBe(0);
  copyFileSync(at('d', 'next.json'), at('d', 'manifest.json'));
  // The evaluation's own witness would sign as well: here it is only somebody else.
  const config = readFileSync(at('d', 'holdfast.yaml'), 'utf8').replace(/^ownWitness:\n(?: .*\n)+/m, '');
  writeFileSync(at('d', 'holdfast.yaml'), config);
  appendFileSync(at('d', 'holdfast.yaml'), `\nwitnesses:\n  - name: ig.example\n    url: http://127.0.0.1:${port}\n`);
}, 120_000);

describe('a log that is watched', () => {
  it('is not, before a witness has cosigned it', async () => {
    const { code, report } = await verify('--policy', at('policy.txt'));
    expect([code, report.findings.map((finding) => finding.code)]).toEqual([1, ['verify/quorum-missing']]);
  });

  it('has its newest size cosigned when the archiver stops, and its tiles', async () => {
    await up.started();
    await until('a cosignature', () => witness.count('checkpoint.cosigned') > 0);
    expect(await up.end('SIGTERM')).toBe(0);
    const { code, report } = await verify('--policy', at('policy.txt'), '--state', at('state'));
    expect([code, report.findings, report.notes.map((note) => note.code)]).toEqual([0, [], []]);
    expect(report.witnesses).toMatchObject({ size: report.size, by: ['ig.example'], quorum: 'met' });
    expect(report.tiles.size).toBe(report.size);
    const { log } = parseTrust(readFileSync(at('d', 'trust.json'), 'utf8'));
    expect(openCheckpoint(readFileSync(at('state'), 'utf8'), log).size).toBe(report.size);
  });

  it('goes on while its witness is away, and is cosigned when that is back', async () => {
    await witness.end('SIGKILL');
    await up.started();
    expect(await up.end('SIGTERM')).toBe(0);
    expect((await verify('--policy', at('policy.txt'))).report.notes.map(({ code }) => code)).toEqual([
      'verify/quorum-behind',
    ]);
    await witness.started();
    await up.started();
    expect(await up.end('SIGTERM')).toBe(0);
    const { code, report } = await verify('--policy', at('policy.txt'), '--state', at('state'));
    expect([code, report.notes]).toEqual([0, []]);
  });

  it('cannot be set back: who saw it finds out, and so does its witness', { timeout: 180_000 }, async () => {
    const segments = at('d', 'archive', 'log', ORIGIN, 'segment');
    const last = readdirSync(segments).toSorted().at(-1) as string;
    cpSync(at('d'), at('whole'), { recursive: true });
    const note = readFileSync(join(segments, last), 'utf8').split('\n')[1] as string;
    rmSync(join(segments, last), { force: true });
    writeFileSync(
      at('d', 'archive', 'log', ORIGIN, 'checkpoint'),
      (JSON.parse(note) as { checkpoint: string }).checkpoint,
    );
    const kept = readFileSync(at('state'), 'utf8');
    const { code, report, stderr } = await verify('--state', at('state'));
    expect(code).toBe(1);
    expect(report.findings.map((finding) => finding.code)).toEqual(
      expect.arrayContaining(['verify/since-rollback', 'verify/witness-rollback']),
    );
    expect(stderr).toContain('not changed');
    expect(readFileSync(at('state'), 'utf8')).toBe(kept);
    const printed = up.printed.length;
    await up.started();
    await until('the conflict', () => up.printed.includes('witness-conflict', printed));
    await up.end('SIGTERM');
  });
});
