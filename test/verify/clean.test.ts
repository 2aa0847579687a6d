// SPDX-License-Identifier: AGPL-3.0-or-later
import { beforeAll, describe, expect, test } from 'vitest';
import { openDirReader } from '../../src/verify/dir-reader.ts';
import type { ProgressReport } from '../../src/verify/progress.ts';
import { renderJson, renderText } from '../../src/verify/render.ts';
import type { Report } from '../../src/verify/report.ts';
import { verifyArchive } from '../../src/verify/verify.ts';
import { makeArchive, temporaryFolder, TRUST } from '../support/archive-fixture.ts';
import { MemoryArchive } from './memory-archive.ts';
import { relog } from './relog.ts';
import { codesOf, notesOf, verify } from './subject.ts';

describe('an archive as the writer made it', () => {
  let archive: MemoryArchive;
  let report: Report;
  const progress: ProgressReport[] = [];

  beforeAll(async () => {
    await using folder = await temporaryFolder();
    const path = await makeArchive(folder.path);
    archive = await MemoryArchive.of(path);
    report = await verifyArchive(await openDirReader(path), TRUST, { onProgress: (step) => progress.push(step) });
  });

  test('verifies without a finding and without a note', () => {
    expect([codesOf(report), notesOf(report)]).toEqual([[], []]);
    expect([report.verdict, report.headline, report.exitCode]).toEqual(['verified', 'verified', 0]);
  });

  test('is counted by entries, streams, accounts and bytes', () => {
    const { entries, records, streams, accounts, payloads, segments } = report.counts;
    expect(entries).toMatchObject({ key: 1, store: 1, retention: 2, open: 4, close: 1, media: 1, gap: 2, beat: 5 });
    expect(entries.heads).toBeGreaterThan(0);
    expect({ records, streams, accounts }).toEqual({ records: 29, streams: 4, accounts: 3 });
    expect(payloads).toBe((entries.pack ?? 0) + 2);
    expect(segments).toBeGreaterThan(4);
    expect(report.counts.payloadBytes).toBeGreaterThan(160_000);
  });

  test('is covered account by account, with its gap', () => {
    const whatsapp = report.coverage.find(({ app }) => app === 'whatsapp');
    expect(whatsapp).toMatchObject({ records: 9, streams: 1, lost: 0, openGaps: 0, firstAt: '2026-11-22T09:00:00Z' });
    expect(whatsapp?.gaps).toEqual({ 'unlinked account open': 1, 'unlinked account closed': 1 });
    expect(report.coverage.find(({ app }) => app === 'signal')).toMatchObject({ streams: 2, records: 14 });
  });

  test('says that a directory is not WORM and that its keys are for evaluation', () => {
    const text = renderText(report);
    expect(text.startsWith('verified\n')).toBe(true);
    expect(text).toContain('not WORM');
    expect(text).toContain('evaluation');
    expect(report.store).toMatchObject({ kind: 'directory', locksChecked: false, versionsChecked: false });
  });

  test('gives the same report as JSON', () => {
    expect(JSON.parse(renderJson(report))).toEqual(report);
  });

  test('tells how far it is', () => {
    expect(progress[0]).toMatchObject({ step: 'reading', bytes: 0 });
    const last = progress.at(-1);
    expect(last?.records).toBe(report.counts.records);
    expect(last?.bytes).toBeLessThanOrEqual(last?.totalBytes ?? 0);
  });

  test('gives the same report from threads', async () => {
    const clockMs = (): number => 0;
    expect(await verify(archive, { workers: 2, clockMs })).toEqual(await verify(archive, { workers: 0, clockMs }));
  });

  test('verifies without payloads, by listing alone', async () => {
    const listed = await verify(archive, { payloads: false });
    expect([codesOf(listed), notesOf(listed)]).toEqual([[], []]);
    expect(listed.payloads).toBe(false);
    expect(listed.counts).toEqual(report.counts);
  });

  test('verifies when beats must be held against records of long ago', async () => {
    const again = await verify(archive, { windowIds: 1 });
    expect([codesOf(again), notesOf(again)]).toEqual([[], []]);
  });

  test('verifies after it was taken apart and written again, which the other tests rely on', async () => {
    const copy = archive.clone();
    relog(copy, () => undefined);
    const again = await verify(copy);
    expect([codesOf(again), notesOf(again)]).toEqual([[], []]);
    expect(again.counts).toEqual(report.counts);
  });
});
