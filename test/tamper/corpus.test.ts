// SPDX-License-Identifier: AGPL-3.0-or-later
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parsePolicy } from '../../src/record/policy.ts';
import { certificatesOf, timeStampJudge } from '../../src/timestamp/judge.ts';
import { temporaryFolder } from '../support/archive-fixture.ts';
import type { MemoryArchive } from '../verify/memory-archive.ts';
import { codesOf, notesOf, smallArchive, verify } from '../verify/subject.ts';
import { attestedArchive, Notary, POLICY } from './beside.ts';
import { CORPUS, type Group, type Tampering } from './corpus.ts';
import { argumentsFor, runVerifyPy, SecondVerifier, type AuditorHas } from './second-verifier.ts';
import { toBucket } from './versions.ts';

/** On a busy machine each of some 160 archives is written to a disk that others use. */
const TIMEOUT_MS = 300_000;

/** What a verifier said. Numbers of findings are left out: the verifiers may stop at different places. */
interface Said {
  readonly exitCode: number;
  /** Findings, and what was not checked. */
  readonly codes: readonly string[];
  readonly notes: readonly string[];
}

describe('the tamper corpus', { timeout: TIMEOUT_MS }, () => {
  let inFolder: MemoryArchive;
  let inBucket: MemoryArchive;
  let inAttested: MemoryArchive;
  let second: SecondVerifier;
  let notary: Notary;

  beforeAll(async () => {
    second = new SecondVerifier();
    notary = new Notary();
    inAttested = await attestedArchive(notary);
    inFolder = await smallArchive();
    inBucket = inFolder.clone();
    toBucket(inBucket);
    inFolder.abilities = { versions: false, locks: false };
  });
  afterAll(async () => {
    second[Symbol.dispose]();
    await notary[Symbol.asyncDispose]();
  });

  const asking = (): AuditorHas => ({ policy: POLICY, roots: notary.authority.root });

  async function saidByFirst(archive: MemoryArchive, { since, policy, roots, trust }: AuditorHas = {}): Promise<Said> {
    const options = {
      ...(since === undefined ? {} : { since }),
      ...(policy === undefined ? {} : { policy: parsePolicy(policy) }),
      ...(roots === undefined ? {} : { timeStamps: timeStampJudge(certificatesOf(roots)) }),
    };
    const report = await verify(archive, options, trust);
    return { exitCode: report.exitCode, codes: codesOf(report).toSorted(), notes: notesOf(report).toSorted() };
  }

  async function saidBySecond(archive: MemoryArchive, folder: string, has: AuditorHas = {}): Promise<Said> {
    const { exitCode, findings, unchecked, notes } = await second.verify(await argumentsFor(archive, folder, has));
    const codes = (found: typeof findings): string[] => found.map(({ code }) => code).toSorted();
    return { exitCode, codes: codes([...findings, ...unchecked]), notes: codes(notes) };
  }

  /** What is wrong with what the verifiers said of an item; null if nothing. */
  async function judge(item: Tampering, { bucket, isAttested, trust }: Group, folder: string): Promise<object | null> {
    const clean = isAttested === true ? inAttested : bucket ? inBucket : inFolder;
    const archive = clean.clone();
    item.change(archive, notary);
    const asks = isAttested === true && item.asksNobody !== true;
    const has = { ...(asks ? asking() : {}), since: item.since?.(clean), trust };
    const [first, other] = [await saidByFirst(archive, has), await saidBySecond(archive, folder, has)];
    const { codes, notes } = { notes: first.notes, ...item };
    const expected: Said = { exitCode: first.exitCode, codes: codes.toSorted(), notes: notes.toSorted() };
    const agreed = [first, other].every((said) => JSON.stringify(said) === JSON.stringify(expected));
    return agreed ? null : { kind: item.kind, expected, first, second: other };
  }

  test('has at least 60 kinds, each named once', () => {
    const kinds = CORPUS.flatMap(({ title, items }) => items.map(({ kind }) => `${title}: ${kind}`));
    expect(new Set(kinds).size).toBe(kinds.length);
    expect(kinds.length).toBeGreaterThanOrEqual(60);
  });

  test('clean archives yield nothing, in a folder and in a bucket, from either verifier', async () => {
    await using folder = await temporaryFolder();
    const nothing: Said = { exitCode: 0, codes: [], notes: [] };
    for (const [n, archive] of [inFolder, inBucket].entries()) {
      expect(await saidByFirst(archive)).toEqual(nothing);
      expect(await saidBySecond(archive, join(folder.path, String(n)))).toEqual(nothing);
    }
    expect(await saidByFirst(inAttested, asking())).toEqual(nothing);
    expect(await saidBySecond(inAttested, join(folder.path, 'attested'), asking())).toEqual(nothing);
  });

  test.each(CORPUS)('$title: exactly its codes, and both verifiers agree', async (group) => {
    await using folder = await temporaryFolder();
    const wrong: object[] = [];
    for (const [n, item] of group.items.entries()) {
      const fault = await judge(item, group, join(folder.path, String(n)));
      if (fault !== null) wrong.push(fault);
    }
    expect(wrong).toEqual([]);
  });

  test('the second verifier’s command ends with 0, 1 or 2 and says its verdict first', async () => {
    await using folder = await temporaryFolder();
    const args = (await argumentsFor(inFolder, folder.path)).filter((word) => word !== '--json');
    expect(await runVerifyPy(args)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^verified\n/),
      stderr: '',
    });
    const copy = inFolder.clone();
    copy.remove(copy.key('/pack/', 0));
    await using other = await temporaryFolder();
    const found = await runVerifyPy((await argumentsFor(copy, other.path)).filter((word) => word !== '--json'));
    expect(found).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^1 finding\n[^]*verify\/pack-missing/),
      stderr: '',
    });
    for (const pem of ['nothing', '-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n']) {
      await using third = await temporaryFolder();
      const words = await argumentsFor(inFolder, third.path, { roots: pem });
      expect((await runVerifyPy(words)).stderr).toBe('');
      expect(await second.verify(words)).toMatchObject({ exitCode: 2, unchecked: [{ code: 'verify/reader-failed' }] });
    }
    const nowhere = await runVerifyPy([join(folder.path, 'none'), ...args.slice(1)]);
    expect(nowhere).toMatchObject({ code: 2, stdout: expect.stringMatching(/^could not check\n/), stderr: '' });
  });
});
