// SPDX-License-Identifier: AGPL-3.0-or-later
import { beforeAll, describe, expect, test } from 'vitest';
import { checkpointKey } from '../../src/record/layout.ts';
import { renderText } from '../../src/verify/render.ts';
import { goOn, goOnIn, NEXT_ORIGIN, NEXT_TRUST } from '../tamper/next-log.ts';
import { TRUST } from '../support/archive-fixture.ts';
import { ORIGIN } from '../vectors/keys.ts';
import { MemoryArchive } from './memory-archive.ts';
import { codesOf, notesOf, smallArchive, verify } from './subject.ts';

describe('a log that goes on from another', () => {
  let archive: MemoryArchive;
  let first: MemoryArchive;

  beforeAll(async () => {
    first = await smallArchive();
    first.abilities = { versions: false, locks: false };
    archive = first.clone();
    archive.abilities = first.abilities;
    goOnIn(archive);
  });

  test('is verified with the one before it, and the report tells of both', async () => {
    const report = await verify(archive, {}, NEXT_TRUST);
    expect([report.verdict, report.line.number, report.line.after]).toEqual(['verified', 1, null]);
    const { before } = report.line;
    expect([before?.origin, before?.key, before?.cause, before?.report?.verdict]).toEqual([
      ORIGIN,
      TRUST.log.key.id,
      'exchanged',
      'verified',
    ]);
    expect([before?.report?.size, before?.report?.line.after]).toEqual([before?.size, NEXT_ORIGIN]);
    expect(renderText(report)).toContain(
      `before     ${ORIGIN}, ${before?.size} leaves: its log key was exchanged; verified`,
    );
    expect(renderText(report)).toMatch(/\nrecords {4}\d+ of 1 stream and 1 account\n/);
  });

  test('is not looked for when the earlier one is verified by itself, which says that it ended', async () => {
    const report = await verify(archive);
    expect([report.verdict, report.line, notesOf(report)]).toEqual([
      'verified',
      { number: 0, before: null, after: NEXT_ORIGIN },
      [],
    ]);
    expect(renderText(report)).toContain(`after      ended; goes on in ${NEXT_ORIGIN}`);
  });

  test('is verified alone if that is asked, and the report says so', async () => {
    const report = await verify(archive, { alone: true }, NEXT_TRUST);
    expect([report.verdict, report.line.before?.report]).toEqual(['verified', null]);
    expect(notesOf(report)).toContain('verify/predecessor-unread');
  });

  test('has the one before it in another store, if that is where it is', async () => {
    const [next, old] = [archive.clone(), archive.clone()];
    for (const key of next.keys()) (key.startsWith(`log/${NEXT_ORIGIN}/`) ? old : next).remove(key);
    [next.abilities, old.abilities] = [first.abilities, first.abilities];
    expect(codesOf(await verify(next, {}, NEXT_TRUST))).toEqual(['verify/predecessor-absent']);
    const report = await verify(next, { predecessors: old }, NEXT_TRUST);
    expect([codesOf(report), notesOf(report), report.line.before?.report?.verdict]).toEqual([[], [], 'verified']);
  });

  test('is held against what the auditor kept of the one before it', async () => {
    const seen = first.get(checkpointKey(ORIGIN)).toString();
    expect(codesOf(await verify(archive, { seen }, NEXT_TRUST))).toEqual([]);
    const forked = first.clone();
    forked.abilities = first.abilities;
    goOn(forked);
    expect(codesOf(await verify(archive, { seen: forked.get(checkpointKey(ORIGIN)).toString() }, NEXT_TRUST))).toEqual([
      'verify/since-fork',
    ]);
    expect(codesOf(await verify(archive, { seen, alone: true }, NEXT_TRUST))).toEqual(['verify/since-malformed']);
    const strange = seen.replace(ORIGIN, 'archive.example/strange');
    expect(codesOf(await verify(archive, { seen: strange }, NEXT_TRUST))).toEqual(['verify/since-malformed']);
  });

  test('says of each finding in which log it is', async () => {
    const copy = archive.clone();
    copy.abilities = first.abilities;
    copy.remove(copy.key(`${ORIGIN}/pack/`, 0));
    const report = await verify(copy, {}, NEXT_TRUST);
    expect(report.findings.map(({ code, first: [one] }) => [code, one?.where.log])).toEqual([
      ['verify/pack-missing', ORIGIN],
    ]);
    expect([report.exitCode, report.headline]).toEqual([1, '1 finding']);
  });
});
