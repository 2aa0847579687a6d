// SPDX-License-Identifier: AGPL-3.0-or-later
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Guard } from '../services/guard.ts';
import { PROJECT, type Finished } from '../support/e2e-process.ts';

const guard = new Guard('demo');
afterAll(() => guard.end());

async function demo(name: string): Promise<Finished> {
  const tmp = join(guard.dir, name);
  mkdirSync(tmp);
  const child = spawn(process.execPath, [join(PROJECT, 'test', 'demo', 'main.ts')], {
    env: { PATH: process.env['PATH'] ?? '', HOME: tmp, TMPDIR: tmp, LC_ALL: 'C.UTF-8' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  guard.watch(child);
  const printed = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (printed.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (printed.stderr += text));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...printed };
}

/** What the holder of the reader key saw of the week that the demo tells; the archive's own notes are of today. Numbers follow the log's order. */
const conversation = ({ stdout }: Finished): string[] =>
  stdout
    .split('\n')
    .filter((line) => /^ +2026-11-(?:1[6-9]|20) /.test(line))
    .map((line) => line.replace(/ #\d+/, ''));

describe('the demo', () => {
  it('captures a week, verifies it with 0 and a tampered copy with 1, and shows the same conversation every time', async () => {
    const [first, second] = await Promise.all([demo('first'), demo('second')]);
    expect(first).toMatchObject({ code: 0, stderr: '' });
    expect([...first.stdout.matchAll(/^ +exit code (\d)$/gm)].map(([, code]) => code)).toEqual(['0', '1']);
    expect(first.stdout).toMatch(/verify\/(?:pack|bytes)[a-z-]*/);
    const pages = [...first.stdout.matchAll(/--report (\S+)/g)].map(([, file = '']) => readFileSync(file, 'utf8'));
    expect(pages.map((page) => /class="verdict (\w+)"/.exec(page)?.[1])).toEqual(['verified', 'findings']);
    expect(first.stdout).toMatch(
      /^ +witnesses +\d+ leaves cosigned by 1 of 1 \(evaluation-witness\), .*, as the policy asks$/m,
    );
    expect(first.stdout).not.toContain('verify/quorum-behind');
    expect(pages[0]).toMatch(/cosigned by 1 of 1 \(evaluation-witness\)/);
    expect(pages[0]).toContain('or who watched');
    expect(first.stdout).toMatch(/\/export\/messages\.pdf$/m);
    expect(first.stdout.match(/\/export\/rsmf\/\S+\.rsmf$/gm)?.length).toBeGreaterThan(2);
    expect(first.stdout).toContain('npx holdfast up --config');
    expect(first.stdout).toContain('[deleted] Maybe we just reset it and say nothing?');
    expect(conversation(first).length).toBeGreaterThan(12);
    expect(conversation(second)).toEqual(conversation(first));
  }, 180_000);
});
