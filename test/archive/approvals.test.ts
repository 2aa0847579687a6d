// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDirStore } from '../../src/archive/dir-store.ts';
import { recover } from '../../src/archive/recover.ts';
import { judgeApproved } from '../../src/archive/approvals.ts';
import { approve, approvedLine, holdEntries } from '../../src/matters/hold-entry.ts';
import { encodeEntry } from '../../src/record/entry.ts';
import { approvalText } from '../../src/record/hold.ts';
import { signBytes } from '../../src/record/key.ts';
import { toSeconds } from '../../src/record/period.ts';
import { encodeJob, parseJob } from '../../src/queue/job.ts';
import { ArchiveMaker, OFFICER, SECOND_OFFICER, TRUST } from '../support/archive-fixture.ts';
import { eventually } from '../support/eventually.ts';
import { ARCHIVER, hexOf, ORIGIN, READER_SIGNING, type SigningPair } from '../vectors/keys.ts';

let directory: string;
let maker: ArchiveMaker;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-approvals-'));
  maker = new ArchiveMaker(directory);
  await maker.start();
});
afterEach(async () => {
  await maker[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

const DAY_MS = 86_400_000;

function approved({
  by = OFFICER,
  nowMs = maker.nowMs,
  origin = ORIGIN,
}: { by?: SigningPair; nowMs?: number; origin?: string } = {}) {
  const word = { origin, hold: hexOf('hold', 32), reference: 'case 7', state: 'placed', nowMs } as const;
  const [made] = holdEntries(word, { packs: [hexOf('pack')], media: [] });
  const signed = approve(made as NonNullable<typeof made>, by.privateKey);
  return { line: approvedLine(signed), document: signed.document };
}

function ceremony(document = ''): { line: string; document: string } {
  const entry = {
    v: 1,
    t: 'escrow',
    at: toSeconds(maker.nowMs),
    log: ORIGIN,
    act: 'split',
    authority: 'key plan',
    ceremony: hexOf('ceremony', 32),
    split: hexOf('ceremony', 32),
    key: hexOf('recipient', 32),
    need: 2,
    of: 3,
    state: 'announced',
  } as const;
  const by = [OFFICER, SECOND_OFFICER]
    .map(({ key, privateKey }) => ({ key: key.id, sig: signBytes(privateKey, approvalText(entry)).toString('base64') }))
    .toSorted((a, b) => (a.key < b.key ? -1 : 1));
  return { line: encodeEntry({ ...entry, by }), document };
}

const judge = (what: { line: string; document: string }) => {
  const judged = judgeApproved(what, { state: maker.archiver.state, origin: ORIGIN, clock: () => maker.nowMs });
  return judged.outcome === 'refuse' ? judged.code : judged.outcome;
};

describe('an approved entry', () => {
  it('is logged once, with its document, however often it comes', async () => {
    await maker.archive();
    const entry = approved();
    const job = encodeJob({ kind: 'approved', ...entry });
    const { size } = maker.archiver.state;
    await using uplink = maker.link.uplink(READER_SIGNING.key.id);
    for (const id of ['one', 'two', 'three']) await uplink.send(id, job);
    await eventually(() => maker.archiver.state.size).toBe(size + 1);
    expect(judge(entry)).toBe('known');
    await uplink.send('four', job);
    const sink = await maker.account('signal', '+12025550100', 'GRS-6.1-011');
    await maker.say(sink, 'something else');
    await maker.archive();
    expect(judge(entry)).toBe('known');
  });

  it('of a ceremony needs no document', async () => {
    await maker.archive();
    const { size } = maker.archiver.state;
    await using uplink = maker.link.uplink(READER_SIGNING.key.id);
    await uplink.send('one', encodeJob({ kind: 'approved', ...ceremony() }));
    await eventually(() => maker.archiver.state.size).toBe(size + 1);
    expect(judge(ceremony())).toBe('known');
  });

  it.each([
    ['by no officer', () => approved({ by: ARCHIVER }), 'archive/unknown-officer'],
    [
      'with a signature over something else',
      () => ({ ...approved(), line: approved().line.replace('case 7', 'case 8') }),
      'archive/unknown-officer',
    ],
    ['of another log', () => approved({ origin: 'another.example/log' }), 'archive/other-log'],
    [
      'with another document',
      () => ({ ...approved(), document: '{"ctx":"holdfast hold v1","media":[],"packs":[]}' }),
      'archive/bad-approval',
    ],
    ['of a ceremony, with a document that nothing names', () => ceremony('{}'), 'archive/bad-approval'],
    ['that is none of an officer', () => ({ ...approved(), line: '{"t":"beat"}' }), 'archive/bad-approval'],
    ['that is a week old', () => approved({ nowMs: maker.nowMs - 8 * DAY_MS }), 'archive/stale-approval'],
    ['from tomorrow', () => approved({ nowMs: maker.nowMs + DAY_MS }), 'archive/stale-approval'],
  ])('%s is refused, and says why', (_name, make, code) => {
    expect(judge(make())).toBe(code);
  });

  it('is refused where this start did not read as far back as it', async () => {
    const old = approved();
    const sink = await maker.account('signal', '+12025550100', 'GRS-6.1-011');
    for (let day = 0; day < 4; day += 1) {
      maker.nowMs += DAY_MS;
      await maker.archiver.readBack();
      await maker.say(sink, `day ${day}`);
      await maker.archive();
    }
    expect(judge(old)).toBe('take');
    const store = await openDirStore(join(directory, 'archive'));
    const { state } = await recover({ store, origin: ORIGIN, root: TRUST.root, logKey: TRUST.log });
    expect(state.remembersSinceMs).toBeGreaterThan(0);
    const judged = judgeApproved(old, { state, origin: ORIGIN, clock: () => maker.nowMs });
    expect(judged).toEqual({ outcome: 'refuse', code: 'archive/stale-approval' });
  });

  it('as a job has its form, and nothing else is one', () => {
    expect(parseJob(encodeJob({ kind: 'approved', ...approved() }))).toMatchObject({ kind: 'approved' });
    for (const text of [
      '{"kind":"approved"}',
      '{"kind":"approved","line":1,"document":""}',
      JSON.stringify({ kind: 'approved', line: '', document: 'x'.repeat(400_000) }),
    ]) {
      expect(() => parseJob(text)).toThrow(/format\//);
    }
  });
});
