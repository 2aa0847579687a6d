// SPDX-License-Identifier: AGPL-3.0-or-later
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkExport, type ExportCheckOptions } from '../../src/export/check/check.ts';
import { EXPORT_CATALOGUE, type ExportCode } from '../../src/export/check/findings.ts';
import { PROOF } from '../../src/export/proof/proof-files.ts';
import { encodeVerifierKey, noteKey } from '../../src/record/note.ts';
import { logPrefix } from '../../src/record/layout.ts';
import { parseTrust } from '../../src/record/trust.ts';
import { TRUST } from '../support/archive-fixture.ts';
import { publishTiles } from '../prove/subject.ts';
import { LOG, ORIGIN, ROOT, signingPair } from '../vectors/keys.ts';
import { digestOf, exported, filesIn, indexed, jsonLines, manifestIn, type ExportKit } from './kit.ts';
import { makeStory } from './story.ts';

const root = mkdtempSync(join(tmpdir(), 'holdfast-export-proof-'));
let kit: Pick<ExportKit, 'archive' | 'index' | 'formats'>;
let whole: string;
let count = 0;
const place = (): string => join(root, `out-${(count += 1)}`);

beforeAll(async () => {
  const archive = await makeStory(join(root, 'story'));
  kit = { archive, index: join(root, 'index'), formats: ['jsonl'] };
  await indexed(archive, kit.index);
  whole = place();
  await exported({ ...kit, out: whole, proofs: 'content' });
}, 120_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));

const codesOf = async (folder: string, options: ExportCheckOptions = {}): Promise<ExportCode[]> =>
  (await checkExport(folder, options)).findings.map(({ code }) => code);

function python(folder: string): { readonly code: number | null; readonly said: string } {
  const { status, stdout, stderr } = spawnSync('python3', [join(folder, PROOF.program)], { encoding: 'utf8' });
  return { code: status, said: stdout + stderr };
}

describe('an export with proofs', () => {
  it('is proven without the archive: by the command, and by Python and openssl alone', async () => {
    const { findings, proven, disclosed, lines } = await checkExport(whole, { trust: TRUST });
    expect(findings).toEqual([]);
    expect(proven).toMatchObject({ origin: ORIGIN, records: manifestIn(whole).counts['records'] });
    expect(disclosed).toBeGreaterThan(10);
    expect(lines).toBe(manifestIn(whole).counts['lines']);
    const { code, said } = python(whole);
    expect([code, said]).toEqual([
      0,
      expect.stringContaining(`records     ${proven?.records}, all of them in the log`),
    ]);
    expect(said).toContain(`content     of ${disclosed} records`);
  });

  it('is proven by the commands of its README, as a person would type them', () => {
    const readme = readFileSync(join(whole, PROOF.readme), 'utf8');
    const commands = [...readme.matchAll(/^ {4}((?:openssl pkey|python3|sha256sum).*)$/gm)].map(([, one]) => one ?? '');
    expect(commands).toHaveLength(4);
    const said = commands.map((one) => execFileSync('sh', ['-c', one], { cwd: whole, encoding: 'utf8' }));
    expect(readme).toContain(said[0]?.slice(0, 64));
    expect(said[1]).toContain('Signature Verified Successfully');
    expect(said[2]).toContain('all of them in the log');
  });

  it('has the same bytes with tiles and without, and where tiles say something else', async () => {
    const [plain, tiled, wrong] = [place(), place(), place()];
    const archive = join(root, 'tiled');
    cpSync(kit.archive, archive, { recursive: true });
    await exported({ ...kit, out: plain, selection: { by: 'conversation', name: 'Harbour Watch' } });
    await publishTiles(archive);
    await exported({ ...kit, archive, out: tiled, selection: { by: 'conversation', name: 'Harbour Watch' } });
    const tile = [...filesIn(archive).keys()].find((name) => /\/tile\/0\/000/.test(name)) ?? '';
    chmodSync(join(archive, tile), 0o600);
    writeFileSync(join(archive, tile), Buffer.alloc(readFileSync(join(archive, tile)).length, 7));
    await exported({ ...kit, archive, out: wrong, selection: { by: 'conversation', name: 'Harbour Watch' } });
    expect(digestOf(tiled)).toBe(digestOf(plain));
    expect(digestOf(wrong)).toBe(digestOf(plain));
    expect(await codesOf(wrong)).toEqual([]);
  });

  it('proves one record of a log with few hashes, and all of it with none', async () => {
    const out = place();
    const [first] = jsonLines(whole).flatMap(({ records }) => (records ?? []) as { id: string }[]);
    await exported({
      ...kit,
      out,
      selection: { by: 'records', ids: [first?.id ?? ''] },
      rule: { around: 0, wholeUpTo: 0 },
    });
    expect((await checkExport(out)).proven?.records).toBe(manifestIn(out).counts['records']);
    const lines = readFileSync(join(out, PROOF.log), 'utf8').split('\n');
    const { size } = manifestIn(out)['checkpoint'] as unknown as { size: number };
    expect(lines.length).toBeLessThan(4 + (manifestIn(out).counts['records'] ?? 0) * (1 + 2 * Math.log2(size)));
  });

  it('says so where nothing is proven', async () => {
    const out = place();
    await exported({ ...kit, out, proofs: 'none' });
    expect(await checkExport(out)).toMatchObject({ findings: [], proven: null, disclosed: null });
    expect([...filesIn(out).keys()].filter((name) => name.startsWith('proof/'))).toEqual([]);
  });

  it('is not made of an archive whose segments say something else than the log key signed', async () => {
    const archive = join(root, 'damaged');
    cpSync(kit.archive, archive, { recursive: true });
    const segments = [...filesIn(archive).keys()].filter((name) => name.startsWith(`${logPrefix(ORIGIN)}segment/`));
    const path = join(archive, segments[1] ?? '');
    const bytes = readFileSync(path);
    chmodSync(path, 0o600);
    // Whoever can write there can make its digest anew, but not what the log key signed.
    const body = bytes.toString('latin1').replace(/"tag":"[0-9a-f]{4}/, '"tag":"0000');
    const tailAt = body.slice(0, -1).lastIndexOf('\n') + 1;
    const digest = createHash('sha256').update(body.slice(0, tailAt), 'latin1').digest('hex');
    writeFileSync(path, body.replace(/"seg":"[0-9a-f]{64}"/, `"seg":"${digest}"`), 'latin1');
    await expect(exported({ ...kit, archive, out: place() })).rejects.toMatchObject({ code: 'export/unproven' });
  });

  it('is not made before the log key signed what the index has', async () => {
    const archive = join(root, 'unsigned');
    cpSync(kit.archive, archive, { recursive: true });
    rmSync(join(archive, logPrefix(ORIGIN), 'checkpoint'));
    await expect(exported({ ...kit, archive, out: place() })).rejects.toMatchObject({ code: 'export/no-checkpoint' });
  });
});

type Change = (text: string) => string;
const edit =
  (name: string, change: Change) =>
  (folder: string): void => {
    const before = readFileSync(join(folder, name), 'latin1');
    const after = change(before);
    if (after === before) throw new Error(`${name} was not changed`);
    writeFileSync(join(folder, name), after, 'latin1');
  };
const swapLines: Change = (text) => text.replace(/^(\d+ \{.*)\n(\d+ .*)\n/m, '$2\n$1\n');
const STRANGER = signingPair('stranger');
const strangersTrust = JSON.stringify({
  log: encodeVerifierKey(noteKey(ORIGIN, STRANGER.key)),
  origin: ORIGIN,
  root: ROOT.key.raw.toString('base64'),
  v: 1,
});

/** What is changed, by somebody who then makes the manifest anew, and what must be said of it. */
const FORGED: readonly (readonly [string, (folder: string) => void, readonly ExportCode[]])[] = [
  [
    'an entry of the log',
    edit(PROOF.log, (text) => text.replace('"t":"content"', '"t":"contenu"')),
    ['exported/proof'],
  ],
  ['a hash of a subtree', edit(PROOF.log, (text) => text.replace(/^(\d+ \d+ )[A-Z]/m, '$1b')), ['exported/proof']],
  ['two entries that change places', edit(PROOF.log, swapLines), ['exported/proof']],
  ['a log that ends early', edit(PROOF.log, (text) => text.replace(/\n[^\n]+\n$/, '\n')), ['exported/proof']],
  ['a log of another name', edit(PROOF.log, (text) => text.replace(ORIGIN, 'other.example')), ['exported/proof']],
  ['the checkpoint', edit(PROOF.checkpoint, (text) => text.replace(/\n\d+\n/, '\n9999\n')), ['exported/checkpoint']],
  ['a trust file of a stranger', edit(PROOF.trust, () => strangersTrust), ['exported/checkpoint']],
  ['what is no trust file', edit(PROOF.trust, () => 'trust me'), ['exported/trust-other']],
  ['an id in the list', edit('records.csv', (text) => text.replace(/,[0-9a-f]{4}/, ',0000')), ['exported/records']],
  [
    'a record left out of the list',
    edit('records.csv', (text) => text.replace(/\n[^\n]+\n$/, '\n')),
    ['exported/lines'],
  ],
  [
    'a word of a message',
    edit('messages.jsonl', (text) => text.replace(/("members":[^{]*"text":")\w/, '$1#')),
    ['exported/lines'],
  ],
  [
    'a word of an earlier version',
    edit('messages.jsonl', (text) => text.replace(/("versions":\[\{[^}]*?"text":")\w/, '$1#')),
    ['exported/lines'],
  ],
  [
    'a word of what a record says',
    edit('messages.jsonl', (text) => text.replace(/("view":\{[^\n]*?"text":")[A-Za-z]/, '$1#')),
    ['exported/lines'],
  ],
  [
    'a line left out',
    edit('messages.jsonl', (text) => text.replace(/\n\{"type":"line"[^\n]+/, '')),
    ['exported/lines'],
  ],
  [
    'disclosed content',
    edit(PROOF.content, (text) => text.replace('\\"text\\":\\"', '\\"text\\":\\"#')),
    ['exported/content'],
  ],
  ['a salt', edit(PROOF.content, (text) => text.replace(/"salt":"[0-9a-f]{4}/, '"salt":"0000')), ['exported/content']],
  ['content of no record', edit(PROOF.content, (text) => text.replace('"leaf":', '"leaf":9')), ['exported/content']],
  ['what is no JSON', edit(PROOF.content, (text) => text.slice(1)), ['exported/content']],
  ['the README', edit(PROOF.readme, (text) => text.replace('PROOF', 'PROVEN')), ['exported/derived']],
  ['the program', edit(PROOF.program, (text) => text.replace('sys.exit("', 'print("')), ['exported/derived']],
  ['the key for openssl', edit(PROOF.key, (text) => text.replace('M', 'N')), ['exported/derived']],
  [
    'the size in the manifest',
    edit('manifest.json', (text) => text.replace(/"size": \d+/, '"size": 1')),
    ['exported/checkpoint'],
  ],
  [
    'the count of lines',
    edit('manifest.json', (text) => text.replace(/"lines": \d+/, '"lines": 1')),
    ['exported/lines'],
  ],
  [
    'the count of records',
    edit('manifest.json', (text) => text.replace(/"records": \d+/, '"records": 1')),
    ['exported/records'],
  ],
  [
    'what is no manifest',
    edit('manifest.json', (text) => text.replace('holdfast-export', 'export')),
    ['exported/manifest'],
  ],
];

/** The manifest of a folder whose files were changed, as whoever changed them would write it. */
function remade(folder: string): void {
  const path = join(folder, 'manifest.json');
  const manifest = JSON.parse(readFileSync(path, 'utf8')) as {
    files: { name: string; size: number; sha256: string }[];
  };
  for (const file of manifest.files) {
    const bytes = readFileSync(join(folder, file.name));
    [file.size, file.sha256] = [bytes.length, createHash('sha256').update(bytes).digest('hex')];
  }
  writeFileSync(path, `${JSON.stringify(manifest, null, 1)}\n`);
}

describe('an export that was changed', () => {
  it('is found out by one byte in any file, by the command and by the program in it', async () => {
    for (const [name, bytes] of filesIn(whole)) {
      if (name === 'manifest.json') continue;
      const copy = place();
      cpSync(whole, copy, { recursive: true });
      const changed = Buffer.from(bytes);
      const at = Math.floor(changed.length / 2);
      changed[at] = (changed[at] ?? 0) ^ 1;
      writeFileSync(join(copy, name), changed);
      expect([name, await codesOf(copy)]).toEqual([name, ['exported/file-changed']]);
      // The program itself is not to be run by whoever doubts it.
      if (name !== PROOF.program) expect([name, python(copy).code]).toEqual([name, 1]);
      rmSync(copy, { recursive: true });
    }
  }, 60_000);

  it.each(FORGED)('is found out where its manifest was made anew: %s', async (what, change, codes) => {
    const copy = place();
    cpSync(whole, copy, { recursive: true });
    change(copy);
    if (what !== 'what is no manifest') remade(copy);
    expect(await codesOf(copy)).toEqual(codes);
  });

  it('is found out by the hash of its manifest, and by another trust file', async () => {
    const { manifestSha256 } = await checkExport(whole);
    expect(await codesOf(whole, { manifestSha256 })).toEqual([]);
    expect(await codesOf(whole, { manifestSha256: manifestSha256.replace(/^./, 'x') })).toEqual([
      'exported/manifest-other',
    ]);
    expect(await codesOf(whole, { trust: parseTrust(strangersTrust) })).toEqual([
      'exported/trust-other',
      'exported/checkpoint',
    ]);
    expect(LOG.key.id).not.toBe(STRANGER.key.id);
  });

  it('is found out where a file is missing, is a link, or is one too many', async () => {
    const copy = place();
    cpSync(whole, copy, { recursive: true });
    rmSync(join(copy, 'completeness.txt'));
    writeFileSync(join(copy, dirname(PROOF.log), 'more.txt'), 'more');
    expect(await codesOf(copy)).toEqual(['exported/file-unknown', 'exported/file-missing']);
    await expect(checkExport(root)).rejects.toMatchObject({ code: 'export/not-an-export' });
  });
});

it('the README explains every code, in the words of the code', () => {
  const readme = readFileSync(new URL('../../src/export/README.md', import.meta.url), 'utf8');
  const rows = [...readme.matchAll(/^\| `(exported\/[a-z-]+)` \| (.+) \|$/gm)].map(([, code, meaning]) => [
    code,
    meaning,
  ]);
  expect(rows).toEqual(Object.entries(EXPORT_CATALOGUE));
});
