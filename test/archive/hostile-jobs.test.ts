// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Json } from '../../src/record/canonical.ts';
import { edited, HOSTILE_TEXTS, hostileText, mutants } from '../record/hostile.ts';
import { ArchiverKit, type Running } from '../support/archiver-kit.ts';
import { objectOf, type SentStream } from '../support/batch-sender.ts';
import { checkAll, checkLog } from '../support/check-log.ts';

let kit: ArchiverKit;
let running: Running;
let stream: SentStream;
let jobs: readonly string[];

beforeEach(async () => {
  kit = new ArchiverKit();
  running = await kit.start();
  stream = kit.first.open();
  await kit.first.sendAll();
  await running.archiver.flush();
  const objects = [objectOf(Buffer.from('an object')), objectOf(Buffer.from('another'))];
  const connector = kit.first.id;
  jobs = [
    kit.first.job(kit.first.messages(stream, 2)),
    kit.first.request({ kind: 'grant', connector, stream: stream.stream, objects }),
    kit.first.request({ kind: 'heads', connector, accounts: [stream.acct, 'a'.repeat(32)] }),
  ];
});

/** Only what a connector signed is in the log, the archiver goes on, and so does the connector. */
afterEach(async () => {
  await running.archiver.flush();
  expect(running.fatals).toEqual([]);
  const sent = new Set(kit.first.ids());
  expect(checkLog(kit.bucket).ids.filter((id) => !sent.has(id))).toEqual([]);
  kit.first.messages(stream, 1);
  await kit.first.sendAll();
  await running.archiver.flush();
  checkAll(kit);
  await running.archiver[Symbol.asyncDispose]();
});

/** Resolves: the job is done with, and nobody delivers it again. */
async function isDone(text: string): Promise<boolean> {
  return kit.link.send(text).then(
    () => true,
    () => false,
  );
}

describe('a hostile job is done with', () => {
  it.each(HOSTILE_TEXTS.map((text, index) => [index, text] as const))('when it is text %d', async (_index, text) => {
    expect(await isDone(text)).toBe(true);
    expect(await isDone(`{"kind":"batch","statement":${JSON.stringify(text)}}`)).toBe(true);
  });

  it.each([0, 1, 2])('when it is any mutant of job %d', async (index) => {
    let count = 0;
    // Behind a batch's first line come its bytes.
    const [first, ...bytes] = (jobs[index] as string).split('\n') as [string, ...string[]];
    for (const mutant of mutants(JSON.parse(first) as Json)) {
      const text = [JSON.stringify(mutant), ...bytes].join('\n');
      expect(await isDone(text), text.slice(0, 300)).toBe(true);
      count += 1;
    }
    expect(count).toBeGreaterThan(50);
  });

  it.each([0, 1, 2])('when it is job %d with a few characters changed', async (index) => {
    const near = edited(jobs[index] as string);
    await fc.assert(fc.asyncProperty(near, isDone), { numRuns: 600 });
  });

  it('when it is any text', async () => {
    const texts = hostileText(jobs[1] as string);
    await fc.assert(fc.asyncProperty(texts, isDone), { numRuns: 500 });
  });

  it.each([
    ['deep', '['.repeat(200_000) + ']'.repeat(200_000)],
    ['ill-formed', '"\\ud800"'],
    ['of another kind', '{"__proto__":{"kind":"batch"},"constructor":null}'],
  ])('when it has a member that is %s', async (_how, value) => {
    for (const job of jobs) {
      const [first, ...bytes] = job.split('\n') as [string, ...string[]];
      const text = [`${first.slice(0, -1)},"extra":${value}}`, ...bytes].join('\n');
      expect(await isDone(text)).toBe(true);
    }
  });

  it('when it carries documents that nobody named', async () => {
    const [first, bytes] = (jobs[0] as string).split('\n') as [string, string];
    const wire = JSON.parse(first) as { epochs: string[] };
    const junk = ['a line\nand another', '\ud800', ...Array.from({ length: 1000 }, (_, n) => `${n}`.repeat(20_000))];
    const crowded = JSON.stringify({ ...wire, epochs: [...junk, ...wire.epochs] });
    expect(await isDone(`${crowded}\n${bytes}`)).toBe(true);
    await running.archiver.flush();
    expect(kit.first.backlog()).toBe(0);
  });
});
