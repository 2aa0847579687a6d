// SPDX-License-Identifier: AGPL-3.0-or-later
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkExport } from '../../src/export/check/check.ts';
import { FinishedExport } from '../../src/export/desk/finished-export.ts';
import { PROOF } from '../../src/export/proof/proof-files.ts';
import { stampExport } from '../../src/export/stamps/stamp.ts';
import type { TimeStampJudge } from '../../src/record/time-stamp.ts';
import type { TimeAuthority } from '../../src/timestamp/ask.ts';
import { certificatesOf, timeStampJudge } from '../../src/timestamp/judge.ts';
import { Authority } from '../timestamp/authority.ts';
import { digestOf, exported, filesIn, indexed } from './kit.ts';
import { makeStory } from './story.ts';

const root = mkdtempSync(join(tmpdir(), 'holdfast-export-stamps-'));
const NEVER = new AbortController().signal;
let authority: Authority;
let url: string;
let whole: string;
let before: string;
let judge: TimeStampJudge;
let count = 0;

const own = (changes: Partial<TimeAuthority> = {}): TimeAuthority => ({
  url,
  certificates: certificatesOf(authority.root),
  crls: [`${url}/crl`],
  ...changes,
});

beforeAll(async () => {
  authority = new Authority();
  url = await authority.listen();
  judge = timeStampJudge(certificatesOf(authority.root));
  const archive = await makeStory(join(root, 'story'));
  const index = join(root, 'index');
  await indexed(archive, index);
  whole = join(root, 'whole');
  await exported({ archive, index, formats: ['jsonl'], out: whole });
  before = digestOf(whole);
  expect(await stampExport(whole, [own()], NEVER)).toMatchObject({ stamped: [expect.any(String)], failed: [] });
}, 120_000);
afterAll(async () => {
  await authority[Symbol.asyncDispose]();
  rmSync(root, { recursive: true, force: true });
});

function copy(): string {
  const out = join(root, `copy-${(count += 1)}`);
  cpSync(whole, out, { recursive: true });
  return out;
}

const tokenIn = (folder: string): string =>
  join(folder, 'stamps', readdirSync(join(folder, 'stamps')).find((name) => name.endsWith('.token')) ?? '');

describe('a time stamp of an export', () => {
  it('is over its manifest, holds by our checks and by openssl, and changes nothing that was there', async () => {
    const report = await checkExport(whole, { timeStamps: judge });
    expect(report.findings).toEqual([]);
    expect(report.stamps).toMatchObject([{ revocationChecked: true, at: expect.stringMatching(/^20\d\d-/) }]);
    const bare = copy();
    rmSync(join(bare, 'stamps'), { recursive: true });
    expect(digestOf(bare)).toBe(before);
    writeFileSync(join(root, 'root.pem'), authority.root);
    const said = execFileSync(
      'openssl',
      [
        'ts',
        '-verify',
        '-data',
        'manifest.json',
        '-in',
        tokenIn(whole),
        '-token_in',
        '-CAfile',
        join(root, 'root.pem'),
      ],
      { cwd: whole, encoding: 'utf8', stdio: 'pipe' },
    );
    expect(said).toContain('Verification: OK');
    expect(execFileSync('python3', [join(whole, PROOF.program)], { encoding: 'utf8' })).toContain(
      'all of them in the log',
    );
  });

  it('is named and not judged by whoever trusts no authority yet', async () => {
    expect(await checkExport(whole)).toMatchObject({ findings: [], stamps: [{ at: null, signer: null }] });
  });

  it('tells the authority nothing but a hash', async () => {
    const folder = copy();
    const seen: Buffer[] = [];
    const reply = authority.reply.bind(authority);
    authority.reply = (query, kind) => {
      seen.push(Buffer.from(query));
      return reply(query, kind);
    };
    await stampExport(folder, [own()], NEVER);
    authority.reply = reply;
    expect(seen.map(({ length }) => length < 100)).toEqual([true]);
    expect((await checkExport(folder, { timeStamps: judge })).stamps).toHaveLength(2);
  });

  it('is missing where the authority is away or gives another answer, and can be had later', async () => {
    const folder = copy();
    rmSync(join(folder, 'stamps'), { recursive: true });
    const away = own({ url: 'http://127.0.0.1:9/' });
    const stranger = new Authority();
    const other = own({ certificates: certificatesOf(stranger.root) });
    await stranger[Symbol.asyncDispose]();
    expect(await stampExport(folder, [away, other], NEVER)).toEqual({
      stamped: [],
      failed: ['timestamp/unreachable', 'timestamp/answer'],
    });
    expect(digestOf(folder)).toBe(before);
    await stampExport(folder, [own()], NEVER);
    expect(await checkExport(folder, { timeStamps: judge })).toMatchObject({ findings: [], stamps: [{}] });
    await expect(stampExport(root, [own()], NEVER)).rejects.toMatchObject({ code: 'export/not-an-export' });
  });

  it('does not hold under roots of others', async () => {
    await using stranger = new Authority();
    const other = timeStampJudge(certificatesOf(stranger.root));
    expect((await checkExport(whole, { timeStamps: other })).findings.map(({ code }) => code)).toEqual([
      'exported/time-stamp',
    ]);
  });

  it('does not hold where a byte of it, or of what it is over, is another', async () => {
    const changes: readonly ((folder: string) => void)[] = [
      (folder) => {
        const bytes = readFileSync(tokenIn(folder));
        bytes[bytes.length - 20] = (bytes.at(-20) ?? 0) ^ 1;
        writeFileSync(tokenIn(folder), bytes);
      },
      (folder) => rmSync(tokenIn(folder).replace(/token$/, 'pem')),
      (folder) => writeFileSync(tokenIn(folder), 'no token'),
      (folder) => {
        const path = join(folder, 'manifest.json');
        writeFileSync(path, readFileSync(path, 'utf8').replace('"zone": "UTC"', '"zone": "GMT"'));
      },
      (folder) => renameSync(tokenIn(folder), join(folder, 'stamps', `${'0'.repeat(16)}.token`)),
    ];
    for (const [index, change] of changes.entries()) {
      const folder = copy();
      change(folder);
      const { findings } = await checkExport(folder, { timeStamps: judge });
      expect([index, findings.map(({ code }) => code)]).toEqual([index, ['exported/time-stamp']]);
    }
    const folder = copy();
    writeFileSync(join(folder, 'stamps', 'more.txt'), 'more');
    expect((await checkExport(folder)).findings.map(({ code }) => code)).toEqual(['exported/file-unknown']);
  });

  it('goes with the export to whoever takes its files', async () => {
    const { files } = await FinishedExport.open(whole);
    expect(files.map(({ name }) => name).toSorted()).toEqual([...filesIn(whole).keys()].toSorted());
  });
});
