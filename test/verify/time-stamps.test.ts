// SPDX-License-Identifier: AGPL-3.0-or-later
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openCheckpoint, signCheckpoint } from '../../src/record/checkpoint.ts';
import { sha256Hex } from '../../src/record/hash.ts';
import { checkpointKey, timeStampKey } from '../../src/record/layout.ts';
import { encodeTimeStamp, type TimeStampJudge, type TimeStampVerdict } from '../../src/record/time-stamp.ts';
import { certificatesOf, timeStampJudge } from '../../src/timestamp/judge.ts';
import { timeStampRequest, tokenOf } from '../../src/timestamp/request.ts';
import { renderText } from '../../src/verify/render.ts';
import { TRUST } from '../support/archive-fixture.ts';
import { Authority, type SignerKind } from '../timestamp/authority.ts';
import { LOG, ORIGIN, ROOT } from '../vectors/keys.ts';
import type { MemoryArchive } from './memory-archive.ts';
import { codesAfter, codesOf, flip, notesOf, smallArchive, verify } from './subject.ts';

let authority: Authority;
let judge: TimeStampJudge;
let archive: MemoryArchive;
let last: string;

beforeAll(async () => {
  authority = new Authority();
  judge = timeStampJudge(certificatesOf(authority.root));
  archive = await smallArchive();
  last = archive.get(checkpointKey(ORIGIN)).toString();
});
afterAll(() => authority[Symbol.asyncDispose]());

function stamped(
  copy: MemoryArchive,
  checkpoint: string,
  { kind = 'good', over = checkpoint, size }: { kind?: SignerKind; over?: string; size?: number } = {},
): string {
  const fresh = tokenOf(authority.reply(timeStampRequest(Buffer.from(over), Buffer.alloc(8)), 'good'));
  const token = kind === 'good' ? fresh : authority.resign(fresh, kind);
  const bytes = Buffer.from(encodeTimeStamp({ checkpoint, token, certificates: [], crls: [authority.makeCrl()] }));
  const key = timeStampKey(ORIGIN, size ?? openCheckpoint(checkpoint, TRUST.log).size, sha256Hex(bytes));
  copy.put(key, bytes);
  return key;
}

describe('time stamps of a log', () => {
  test('are judged by what is handed in, and reported', async () => {
    const copy = archive.clone();
    stamped(copy, last);
    const report = await verify(copy, { timeStamps: judge });
    // The fixture’s clock is its own: it may be ahead of the authority’s.
    expect(codesOf(report).filter((code) => code !== 'verify/time-before')).toEqual([]);
    expect([report.time.stamps, report.time.size]).toEqual([1, report.size]);
    expect(renderText(report)).toContain(`time       ${report.size} leaves stamped ${report.time.at}; 1 stamp holds`);
  });

  test('are a note where nobody said whom to trust', async () => {
    const copy = archive.clone();
    stamped(copy, last);
    const report = await verify(copy);
    expect([codesOf(report), notesOf(report)]).toEqual([[], ['verify/time-unjudged']]);
  });

  const after = (change: (copy: MemoryArchive) => void, timeStamps: TimeStampJudge = judge): Promise<string[]> =>
    codesAfter(archive, change, { timeStamps }).then((codes) => codes.filter((code) => code !== 'verify/time-before'));

  test('are a finding each, by the check that fails', async () => {
    expect(await after((copy) => void stamped(copy, last, { over: 'x' }))).toEqual(['verify/time-imprint']);
    expect(await after((copy) => void stamped(copy, last, { kind: 'other-usage' }))).toEqual(['verify/time-usage']);
    expect(await after((copy) => void stamped(copy, last, { kind: 'not-critical' }))).toEqual(['verify/time-usage']);
    expect(await after((copy) => void stamped(copy, last, { kind: 'expired' }))).toEqual(['verify/time-validity']);
    expect(await after((copy) => void stamped(copy, last), timeStampJudge([]))).toEqual(['verify/time-untrusted']);
  });

  test.each(['signature', 'signer', 'revoked', 'form'] as const)('have a code for a refusal by %s', async (check) => {
    const refusing: TimeStampJudge = async () => ({ ok: false, check, expected: 'x', got: 'y' });
    const code = check === 'form' ? 'verify/time-malformed' : `verify/time-${check}`;
    expect(await after((copy) => void stamped(copy, last), refusing)).toEqual([code]);
  });

  test('are a finding from before the log says that it was written, and a note without revocation lists', async () => {
    const copy = archive.clone();
    stamped(copy, last);
    const at = (time: string): TimeStampVerdict => ({
      ok: true,
      atMs: Date.parse(time),
      signer: '',
      revocationChecked: false,
    });
    const early = await verify(copy, { timeStamps: async () => at('2026-11-20T00:00:00Z') });
    expect([codesOf(early), notesOf(early)]).toEqual([['verify/time-before'], ['verify/time-no-revocation']]);
    const late = await verify(copy, { timeStamps: async () => at('2026-11-24T00:00:00Z') });
    expect([codesOf(late), late.time.at]).toEqual([[], '2026-11-24T00:00:00Z']);
  });

  test('show a fork and a rollback', async () => {
    const { size, root } = openCheckpoint(last, TRUST.log);
    const note = (at: number): string => signCheckpoint({ origin: ORIGIN, size: at, root }, LOG.privateKey);
    expect(await after((copy) => void stamped(copy, note(size - 1)))).toEqual(['verify/time-fork']);
    expect(await after((copy) => void stamped(copy, note(size + 1)))).toEqual(['verify/time-rollback']);
  });

  test('are a finding where the object was changed, or is not of this log or place', async () => {
    const { size, root } = openCheckpoint(last, TRUST.log);
    const other = signCheckpoint({ origin: ORIGIN, size, root }, ROOT.privateKey);
    expect(await after((copy) => void stamped(copy, other, { size }))).toEqual(['verify/time-malformed']);
    expect(await after((copy) => void stamped(copy, last, { size: size - 1 }))).toEqual(['verify/time-malformed']);
    const change = (at: number) => (copy: MemoryArchive) => {
      const key = stamped(copy, last);
      copy.put(key, flip(copy.get(key), at));
    };
    for (const at of [0, 50, 500, -3]) expect(await after(change(at))).toEqual(['verify/time-malformed']);
    const renamed = (copy: MemoryArchive): void => {
      const bytes = Buffer.from('{}');
      copy.put(timeStampKey(ORIGIN, size, sha256Hex(bytes)), bytes);
    };
    expect(await after(renamed)).toEqual(['verify/time-malformed']);
  });
});
