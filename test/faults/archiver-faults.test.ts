// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import { isFailure } from '../../src/base/failure.ts';
import { mediaKey } from '../../src/record/layout.ts';
import { ArchiverKit, CLASS, OTHER_CLASS, type Running } from '../support/archiver-kit.ts';
import { objectOf, type SentStream } from '../support/batch-sender.ts';
import { auditorsFindings, checkAll } from '../support/check-log.ts';
import type { Called, StoreFault, StrictOptions } from '../support/strict-store.ts';

const DAY_MS = 86_400_000;
const CREATES = ['if-none-match', 'first-listed'] as const;
const FAULTS: readonly StoreFault[] = ['lost', 'persisted', 'crash'];

/** A day's history, so that a start has heads to begin from and segments to read. */
async function history(kit: ArchiverKit): Promise<[SentStream, SentStream]> {
  const { archiver } = await kit.start();
  const streams: [SentStream, SentStream] = [kit.first.open(), kit.second.open()];
  for (let day = 0; day < 3; day += 1) {
    kit.first.messages(streams[0], 3);
    kit.second.messages(streams[1], 2, OTHER_CLASS);
    for (const sender of kit.senders) await sender.sendAll();
    await archiver.flush();
    kit.pass(DAY_MS);
    await archiver.readBack();
  }
  await archiver[Symbol.asyncDispose]();
  kit.pass(DAY_MS);
  return streams;
}

/** A start, and a flush of all that a flush can be made of: heads, packs of two classes, a segment, the checkpoint, an object. */
async function startAndFlush(
  kit: ArchiverKit,
  [a, b]: [SentStream, SentStream],
  options: StrictOptions,
): Promise<Called[]> {
  const store = kit.store(options);
  const bytes = kit.random.bytes(500);
  const object = objectOf(bytes);
  kit.bucket.add(mediaKey(object.sha256), bytes, { mode: 'COMPLIANCE', until: '2040-01-01T00:00:00Z' });
  kit.first.add(a, [
    { t: 'content', ret: CLASS, obj: [{ h: object.sha256, n: object.size }] },
    { t: 'content', ret: OTHER_CLASS },
  ]);
  kit.first.open();
  kit.second.add(b, [
    { t: 'content', ret: CLASS },
    { t: 'hole', count: 3 },
  ]);
  kit.second.messages(b, 4, OTHER_CLASS);
  for (const sender of kit.senders) sender.restart();
  let running: Running | null = null;
  try {
    running = await kit.start({}, store);
    await running.archiver.readBack();
    for (const sender of kit.senders) await sender.sendAll();
    await running.archiver.flush();
  } catch (error) {
    expect(isFailure(error, 'fatal') || isFailure(error, 'retry')).toBe(true);
  }
  kit.link.cut();
  await running?.archiver[Symbol.asyncDispose]();
  expect(running?.fatals.length ?? 0).toBeLessThanOrEqual(1);
  return store.calls;
}

const trial = new ArchiverKit();
const calls = await startAndFlush(trial, await history(trial), {});

const label = ({ call, key, index }: Called): string => `${index} ${call} ${key.replaceAll(/[0-9a-f]{64}/g, '<hash>')}`;

describe('a start and a flush', () => {
  it('makes every kind of call that is to fail', () => {
    const kinds = new Set(
      calls.map(({ call, key }) => `${call} ${key.replace(/^log\/agency.example\/test\//, '').split('/')[0]}`),
    );
    expect([...kinds].toSorted()).toEqual([
      'create heads',
      'create pack',
      'create segment',
      'listVersions heads',
      'listVersions segment',
      'putDerived checkpoint',
      'read checkpoint',
      'read heads',
      'read segment',
      'readStream pack',
      'serverTimeMs ',
      'state media',
    ]);
  });
});

describe.each(FAULTS.flatMap((fault) => CREATES.map((create) => [fault, create] as const)))(
  'a call is %s, %s',
  (fault, create) => {
    it.each(calls.map((called) => [label(called), called.index] as const))('%s', async (_label, index) => {
      const kit = new ArchiverKit();
      const streams = await history(kit);
      await startAndFlush(kit, streams, { create, fault: (called) => (called.index === index ? fault : undefined) });
      const { archiver, fatals } = await kit.drain();
      const log = checkAll(kit);
      expect(fatals).toEqual([]);
      expect(log.orphans.length).toBeLessThanOrEqual(2);
      expect(await auditorsFindings(kit.bucket)).toEqual([]);
      await archiver[Symbol.asyncDispose]();
    });
  },
);
