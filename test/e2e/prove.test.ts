// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdirSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { encodeVerifierKey, noteKey } from '../../src/record/note.ts';
import { auditIn } from '../access/kit.ts';
import { middleLeaf } from '../prove/subject.ts';
import { Guard } from '../services/guard.ts';
import { makeArchive, MANIFEST, TRUST } from '../support/archive-fixture.ts';
import { runHoldfast, type Finished } from '../support/e2e-process.ts';
import { ORIGIN, READER, READER_SIGNING, ROOT, STRANGER } from '../vectors/keys.ts';

const guard = new Guard('prove');
const at = (...names: string[]): string => join(guard.dir, ...names);
const run = (...args: string[]): Promise<Finished> => runHoldfast(args, { guard });
const codeIn = ({ stderr }: Finished): string => /^error (\S+)/m.exec(stderr)?.[1] ?? stderr;
let archive: string;
let leaf: string;
let config: string;

function placeReader(name: string, { privateKey }: typeof READER): string {
  const dir = at(name);
  mkdirSync(dir);
  writeFileSync(join(dir, 'manifest.json'), `${MANIFEST}\n`);
  for (const [file, key] of [
    ['reader.key', privateKey],
    ['signing.key', READER_SIGNING.privateKey],
  ] as const) {
    writeFileSync(join(dir, file), key.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600 });
  }
  const text = {
    origin: ORIGIN,
    trust: at('trust.json'),
    manifest: 'manifest.json',
    archive: { url: pathToFileURL(archive).href },
    reader: { key: 'reader.key', index: 'index', signing: 'signing.key', spool: 'reader-spool' },
    retention: [{ class: 'x', period: 'P1D', authority: 'test' }],
  };
  writeFileSync(join(dir, 'holdfast.yaml'), stringify(text));
  return join(dir, 'holdfast.yaml');
}

beforeAll(async () => {
  mkdirSync(at('made'), { recursive: true });
  archive = await makeArchive(at('made'));
  leaf = String(await middleLeaf(archive));
  const root = ROOT.key.raw.toString('base64');
  for (const [file, log] of [
    ['trust.json', TRUST.log],
    ['other.json', noteKey(ORIGIN, ROOT.key)],
  ] as const) {
    writeFileSync(at(file), JSON.stringify({ v: 1, origin: ORIGIN, root, log: encodeVerifierKey(log) }));
  }
  config = placeReader('reader', READER);
});
afterAll(() => guard.end());

describe('holdfast prove', { timeout: 180_000 }, () => {
  it('writes a bundle from a copy with public keys alone, and checks it: 0, 1 and 2', async () => {
    const url = pathToFileURL(archive).href;
    const made = await run('prove', leaf, '--archive', url, '--trust', at('trust.json'), '--out', at('bundle'));
    expect([made.code, made.stderr]).toEqual([0, '']);
    expect(made.stdout).toMatch(/^written {2}.*: \d+ files, \d+ bytes/);
    const good = await run('prove', at('bundle'), '--check', '--trust', at('trust.json'));
    expect([good.code, good.stdout]).toEqual([
      0,
      expect.stringMatching(/^proven\nleaf \d+ of archive\.example\/log at \d+ leaves/),
    ]);
    const unguided = await run('prove', at('bundle'), '--check');
    expect(unguided.stdout).toContain('trust came with the bundle');
    expect(unguided.stdout).toContain('cosignatures of witnesses: not judged; give --policy');
    const other = await run('prove', at('bundle'), '--check', '--json', '--trust', at('other.json'));
    expect([other.code, JSON.parse(other.stdout).findings[0].code]).toEqual([1, 'proof/trust-other']);
    truncateSync(at('bundle', 'after.txt'), 10);
    expect((await run('prove', at('bundle'), '--check')).code).toBe(1);
    const none = await run('prove', at('nowhere'), '--check');
    expect([none.code, codeIn(none)]).toEqual([2, 'prove/not-a-bundle']);
  });

  it('takes a directory by its plain path, and says how to write it where a host stands in its place', async () => {
    const common = ['prove', leaf, '--trust', at('trust.json')];
    expect((await run(...common, '--archive', archive, '--out', at('plain'))).code).toBe(0);
    const host = await run(...common, '--archive', 'file://somewhere/archive', '--out', at('hosted'));
    expect([host.code, codeIn(host)]).toEqual([2, 'config/missing-part']);
    expect(host.stderr).toContain('file:///DIRECTORY');
  });

  it('writes one zip, which is checked as the folder is, and overwrites nothing', async () => {
    const args = ['prove', leaf, '--config', config, '--zip', '--out', at('one')];
    expect((await run(...args)).code).toBe(0);
    expect(statSync(at('one.zip')).size).toBeLessThan(64 * 1024);
    expect((await run('prove', at('one.zip'), '--check')).code).toBe(0);
    const again = await run(...args);
    expect([again.code, codeIn(again)]).toEqual([2, 'config/unwritable']);
    writeFileSync(at('noise.zip'), 'PK and nothing else');
    expect(codeIn(await run('prove', at('noise.zip'), '--check'))).toBe('prove/not-a-bundle');
  });

  it('discloses what is asked for, and records the look before it opens anything', async () => {
    const made = await run('prove', leaf, '--config', config, '--disclose', 'view', '--out', at('open'));
    expect([made.code, made.stderr]).toEqual([0, expect.stringContaining('content in clear')]);
    expect(JSON.parse(readFileSync(at('open', 'disclosed/view.json'), 'utf8'))).toMatchObject({ kind: 'unknown' });
    expect(readdirSync(at('open', 'disclosed')).toSorted()).toEqual(['commitments', 'view.json', 'view.part']);
    const checked = await run('prove', at('open'), '--check');
    expect([checked.code, checked.stdout]).toEqual([
      0,
      expect.stringContaining('disclosed, and what the record commits to: view'),
    ]);
    await using audit = auditIn(at('reader'));
    // The reader's stream opens, and the look follows.
    expect(await audit.waiting()).toBeGreaterThanOrEqual(2);
  });

  it('says what it could not prove, and why', async () => {
    const beyond = await run('prove', '99999', '--config', config, '--out', at('beyond'));
    expect([beyond.code, codeIn(beyond)]).toEqual([2, 'prove/not-found']);
    expect(codeIn(await run('prove', 'f'.repeat(64), '--config', config))).toBe('prove/not-found');
    expect(codeIn(await run('prove', 'yesterday', '--config', config))).toBe('prove/not-found');
    expect(codeIn(await run('prove', '0', '--config', config))).toBe('prove/not-found');
    const url = pathToFileURL(archive).href;
    expect(codeIn(await run('prove', leaf, '--archive', url))).toBe('config/missing-part');
    const stranger = placeReader('stranger', STRANGER);
    const closed = await run('prove', leaf, '--config', stranger, '--disclose', 'view', '--out', at('closed'));
    expect([closed.code, codeIn(closed)]).toEqual([2, 'prove/not-opened']);
    expect(readdirSync(guard.dir)).not.toContain('closed');
  });
});
