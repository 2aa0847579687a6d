// SPDX-License-Identifier: AGPL-3.0-or-later
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ArchivedLog } from '../../src/archive/archiver.ts';
import type { Round } from '../../src/archive/rounds.ts';
import { openS3Store } from '../../src/archive/s3-store.ts';
import type { Schedule } from '../../src/archive/schedule.ts';
import { segmentsFrom } from '../../src/archive/segments.ts';
import type { ArchiveStore } from '../../src/archive/store.ts';
import { TimeRound } from '../../src/archive/time-round.ts';
import { WitnessRound } from '../../src/archive/witness-round.ts';
import { sha256Hex } from '../../src/record/hash.ts';
import { logPrefix, witnessKey } from '../../src/record/layout.ts';
import { certificatesOf } from '../../src/timestamp/judge.ts';
import type { Finding } from '../../src/verify/findings.ts';
import { verifyArchive } from '../../src/verify/verify.ts';
import { ArchiverKit, CLASS, LOG_KEY, ORIGIN, OTHER_CLASS, type Running } from '../support/archiver-kit.ts';
import { Authority } from '../timestamp/authority.ts';
import { ROOT } from '../vectors/keys.ts';
import { RunningWitness, WITNESS_KEY } from '../witness/kit.ts';
import { newBucket } from './store/s3-subject.ts';

const DAY_MS = 86_400_000;
const SCHEDULES: readonly Schedule[] = [
  { class: CLASS, mode: 'COMPLIANCE', period: 'P1D', max: 'P9D', authority: 'a test' },
  { class: OTHER_CLASS, mode: 'COMPLIANCE', period: 'P3D', max: 'P9D', authority: 'a test' },
];
const LONGER = SCHEDULES.map((one) => (one.class === OTHER_CLASS ? { ...one, period: 'P6D' } : one));
const FOLDERS = ['heads', 'tsa', 'witness'] as const;

const kit = new ArchiverKit();
let store: ArchiveStore;
let witness: RunningWitness;
let authority: Authority;
let authorityUrl: string;

function rounds(log: ArchivedLog): Round[] {
  const times = { everyMs: DAY_MS, clock: Date.now };
  const address = { url: witness.url, key: WITNESS_KEY };
  const stamping = { url: authorityUrl, certificates: certificatesOf(authority.root), crls: [] };
  return [
    new WitnessRound({ log, address, ...times, alarmAfterMs: DAY_MS, events: {} }),
    new TimeRound({ log, authority: stamping, ...times }),
  ];
}

async function start(schedules: readonly Schedule[]): Promise<Running> {
  return kit.start({ schedules, rounds, clock: Date.now, headsEveryMs: 1 }, store);
}

async function write({ archiver }: Running, segments: number): Promise<void> {
  const stream = kit.first.open();
  for (let segment = 0; segment < segments; segment += 1) {
    kit.first.messages(stream, 2, CLASS);
    await kit.first.sendAll();
    await archiver.flush();
    await archiver.runRounds();
  }
}

/** Keys of each folder of evidence, with how long each is locked beyond the segment that it is about. */
async function lockedDays(): Promise<Record<string, number[]>> {
  const found: Record<string, number[]> = {};
  const segments = await Array.fromAsync(segmentsFrom({ store, origin: ORIGIN }, 0));
  for (const folder of FOLDERS) {
    const prefix = `${logPrefix(ORIGIN)}${folder}/`;
    for await (const { key, version } of store.listVersions(prefix)) {
      const size = Number(key.slice(prefix.length, prefix.length + 16));
      const segment = segments.find(({ head, tail }) => size === (folder === 'heads' ? head.first : tail.size));
      const { lock } = (await store.state(key, version)) ?? {};
      expect([key, lock?.mode]).toEqual([key, 'COMPLIANCE']);
      const fromMs = Date.parse(segment?.tail.at ?? '');
      (found[folder] ??= []).push((Date.parse(lock?.until ?? '') - fromMs) / DAY_MS);
    }
  }
  return found;
}

async function judged(): Promise<Finding[]> {
  const reader = {
    abilities: { versions: true, locks: true },
    listVersions: (prefix: string, after?: string) => store.listVersions(prefix, after),
    readStream: (key: string, version: string) => store.readStream(key, version),
    state: (key: string, version: string) => store.state(key, version),
  };
  const report = await verifyArchive(reader, { origin: ORIGIN, root: ROOT.key, log: LOG_KEY });
  return report.findings.flatMap(({ first }) => first);
}

beforeAll(async () => {
  kit.bucket.nowMs = Date.now();
  authority = new Authority();
  [store, witness, authorityUrl] = await Promise.all([
    newBucket().then((config) => openS3Store({ ...config, maxRetainDays: 30 })),
    RunningWitness.start({ logs: [LOG_KEY] }),
    authority.listen(),
  ]);
}, 60_000);

afterAll(async () => {
  await store?.[Symbol.asyncDispose]();
  await witness?.[Symbol.asyncDispose]();
  await authority?.[Symbol.asyncDispose]();
});

describe('what vouches for a log, under Object Lock on a real Ceph RGW', () => {
  it('is locked for as long as the longest schedule, though nothing of its class was written', async () => {
    const running = await start(SCHEDULES);
    await write(running, 3);
    await running.archiver[Symbol.asyncDispose]();
    const days = await lockedDays();
    expect(Object.keys(days).toSorted()).toEqual([...FOLDERS]);
    for (const one of Object.values(days).flat()) {
      expect(one).toBeGreaterThanOrEqual(3);
      expect(one).toBeLessThan(4.1);
    }
    expect(await judged()).toEqual([]);
  }, 60_000);

  it('is locked for longer when that schedule is lengthened', async () => {
    const running = await start(LONGER);
    await write(running, 1);
    await running.archiver[Symbol.asyncDispose]();
    const next = await start(LONGER);
    await expect.poll(() => next.told.retentions.at(-1)?.extended ?? 0, { timeout: 30_000 }).toBeGreaterThan(3);
    await next.archiver[Symbol.asyncDispose]();
    for (const one of Object.values(await lockedDays()).flat()) expect(one).toBeGreaterThanOrEqual(6);
    expect(await judged()).toEqual([]);
  }, 90_000);

  it('is a finding where its lock ends earlier', async () => {
    const [newest] = (await Array.fromAsync(store.listVersions(`${logPrefix(ORIGIN)}witness/`))).slice(-1);
    const size = Number(newest?.key.split('/').at(-1)?.slice(0, 16));
    const note = Buffer.from((await store.read(newest?.key ?? ''))?.bytes ?? []);
    // The same word with a signature of somebody else beneath it is another object.
    const other = Buffer.concat([note, Buffer.from(`— nobody.example ${Buffer.alloc(68, 7).toString('base64')}\n`)]);
    const key = witnessKey(ORIGIN, size, sha256Hex(other));
    const until = new Date(Date.now() + DAY_MS).toISOString();
    await store.create(key, other, { mode: 'COMPLIANCE', until: `${until.slice(0, 19)}Z` });
    expect(await judged()).toMatchObject([{ code: 'verify/lock-short', where: { key } }]);
  }, 60_000);
});
