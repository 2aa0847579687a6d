// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, test } from 'vitest';
import { sha256Hex } from '../../src/record/hash.ts';
import { Findings } from '../../src/verify/findings.ts';
import { Jobs } from '../../src/verify/jobs.ts';
import { InlinePool, ThreadPool, WorkerTrouble } from '../../src/verify/pool.ts';
import { ReaderTrouble } from '../../src/verify/reader.ts';
import type { Task } from '../../src/verify/tasks.ts';

const bytesOf = (n: number): Buffer => Buffer.alloc(100 + n, n);

describe('a pool', () => {
  test('gives each task its own answer, in threads as inline', async () => {
    await using threads = new ThreadPool(2);
    await using inline = new InlinePool();
    const numbers = Array.from({ length: 40 }, (_, n) => n);
    const hashes = numbers.map((n) => sha256Hex(bytesOf(n)));
    for (const pool of [threads, inline]) {
      const answers = await Promise.all(numbers.map((n) => pool.run({ kind: 'hash', bytes: bytesOf(n) })));
      expect(answers).toEqual(hashes);
    }
  });

  test('answers what is no segment with words, not with an error', async () => {
    await using pool = new ThreadPool(1);
    const task = { kind: 'segment', bytes: Buffer.from('no segment\n'), origin: 'a', cuts: [] } as const;
    expect(await pool.run(task)).toEqual({ malformed: expect.stringContaining('first line') });
  });

  test('whose thread ends refuses what waits and what comes', async () => {
    await using pool = new ThreadPool(1);
    const broken: Task = { kind: 'pack', bytes: bytesOf(1), hash: sha256Hex(bytesOf(1)), bodies: new Uint8Array(5) };
    const results = await Promise.allSettled([pool.run(broken), pool.run({ kind: 'hash', bytes: bytesOf(1) })]);
    expect(results.every((result) => result.status === 'rejected')).toBe(true);
    await expect(pool.run({ kind: 'hash', bytes: bytesOf(1) })).rejects.toThrow(WorkerTrouble);
  });
});

describe('jobs', () => {
  test('run side by side, no more than allowed', async () => {
    const jobs = new Jobs(new Findings(), 3, 100);
    let [running, most, done] = [0, 0, 0];
    const job = async (): Promise<void> => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      done += 1;
    };
    for (let n = 0; n < 10; n += 1) await jobs.start(1, job);
    await jobs.settle();
    expect([most, done]).toEqual([3, 10]);
    for (let n = 0; n < 4; n += 1) await jobs.start(1000, job);
    await jobs.settle();
    expect(done).toBe(14);
  });

  test('turn a store that fails into a finding, and nothing else', async () => {
    const findings = new Findings();
    const jobs = new Jobs(findings, 3, 100);
    await jobs.start(1, async () => {
      throw new ReaderTrouble('key', 'ECONNRESET');
    });
    await jobs.settle();
    expect(findings.list('unchecked')[0]).toMatchObject({ code: 'verify/reader-failed', count: 1 });
    await jobs.start(1, async () => {
      throw new RangeError('a bug');
    });
    await expect(jobs.settle()).rejects.toThrow(RangeError);
  });
});
