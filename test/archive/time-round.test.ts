// SPDX-License-Identifier: AGPL-3.0-or-later
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TimeRound } from '../../src/archive/time-round.ts';
import { timeStampPrefix } from '../../src/record/layout.ts';
import { parseTimeStamp } from '../../src/record/time-stamp.ts';
import type { TimeAuthority } from '../../src/timestamp/ask.ts';
import { certificatesOf, timeStampJudge } from '../../src/timestamp/judge.ts';
import { ArchiverKit, ORIGIN, type Running } from '../support/archiver-kit.ts';
import { Authority } from '../timestamp/authority.ts';

const DAY_MS = 86_400_000;
let authority: Authority;
let url: string;
beforeAll(async () => {
  authority = new Authority();
  url = await authority.listen();
});
afterAll(() => authority[Symbol.asyncDispose]());

const own = (changes: Partial<TimeAuthority> = {}): TimeAuthority => ({
  url,
  certificates: certificatesOf(authority.root),
  crls: [`${url}/crl`],
  ...changes,
});

async function stamping(kit: ArchiverKit, from: TimeAuthority, clock: () => number = Date.now): Promise<Running> {
  return kit.start({ rounds: (log) => [new TimeRound({ log, authority: from, everyMs: DAY_MS, clock })] });
}

async function write(kit: ArchiverKit, { archiver }: Running): Promise<void> {
  const stream = kit.first.open();
  kit.first.messages(stream, 4);
  await kit.first.sendAll();
  await archiver.flush();
}

const kept = ({ bucket }: ArchiverKit): Buffer[] =>
  bucket.keys(timeStampPrefix(ORIGIN)).map((key) => bucket.bytes(key));

describe('asking for the time', () => {
  it('keeps a token of the checkpoint, with chain and revocation list, under a lock', async () => {
    const kit = new ArchiverKit();
    const running = await stamping(kit, own());
    await running.archiver.runRounds();
    const [bytes, ...more] = kept(kit);
    expect([more, running.told.troubles]).toEqual([[], []]);
    const stamp = parseTimeStamp(bytes?.toString() ?? '');
    expect(stamp.checkpoint).toBe(running.archiver.state.checkpoint);
    expect([stamp.certificates.length, stamp.crls.length]).toEqual([1, 1]);
    const verdict = await timeStampJudge(certificatesOf(authority.root))(stamp);
    expect(verdict).toMatchObject({ ok: true, revocationChecked: true });
    const [key = ''] = kit.bucket.keys(timeStampPrefix(ORIGIN));
    expect(kit.bucket.winner(key)?.lock?.mode).toBe('COMPLIANCE');
    await running.archiver[Symbol.asyncDispose]();
  });

  it('asks once a day, whatever restarts and stops there are', async () => {
    const kit = new ArchiverKit();
    for (let start = 0; start < 3; start += 1) {
      const running = await stamping(kit, own());
      await running.archiver.runRounds();
      await write(kit, running);
      await running.archiver[Symbol.asyncDispose]();
    }
    expect(kept(kit)).toHaveLength(1);
    const later = await stamping(kit, own(), () => Date.now() + DAY_MS + 60_000);
    await later.archiver.runRounds();
    await later.archiver[Symbol.asyncDispose]();
    expect(kept(kit)).toHaveLength(2);
  });

  it.each([
    ['is away', { url: 'http://127.0.0.1:9' }, 'timestamp/unreachable'],
    ['has no revocation list', { crls: ['file:///nowhere/list.crl'] }, 'timestamp/unreachable'],
    ['answers with something else', { url: 'crl' }, 'timestamp/answer'],
    ['is another one than was configured', { certificates: [] }, 'timestamp/answer'],
  ] as const)('keeps nothing where the authority %s, and the log goes on', async (_, changes, code) => {
    const kit = new ArchiverKit();
    const from = own({ ...changes, ...('url' in changes && changes.url === 'crl' ? { url: `${url}/crl` } : {}) });
    const running = await stamping(kit, from);
    await running.archiver.runRounds();
    await write(kit, running);
    expect(kept(kit)).toEqual([]);
    expect(new Set(running.told.troubles)).toEqual(new Set([`time-stamp ${code}`]));
    await running.archiver[Symbol.asyncDispose]();
    expect(kit.fatals).toEqual([]);
  });
});
