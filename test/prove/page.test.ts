// SPDX-License-Identifier: AGPL-3.0-or-later
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sha256 } from '../../src/record/hash.ts';
import { certificatesOf } from '../../src/timestamp/judge.ts';
import { Authority } from '../timestamp/authority.ts';
import { temporaryFolder } from '../support/archive-fixture.ts';
import { checkBundle } from '../../src/prove/check.ts';
import {
  archiveOfOneBatch,
  bundleOf,
  madeArchive,
  middleLeaf,
  publishTiles,
  recordsOf,
  stampArchive,
} from './subject.ts';

const run = promisify(execFile);
/** Chromium takes seconds to start, and on a busy machine many. */
const TIMEOUT_MS = 180_000;

/** A stamp whose token is over another hash. */
function ofSomethingElse(text: string): string {
  const { checkpoint, token } = JSON.parse(text) as { checkpoint: string; token: string };
  const bytes = Buffer.from(token, 'base64');
  const at = bytes.indexOf(sha256(Buffer.from(checkpoint, 'latin1')));
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  return text.replace(token, bytes.toString('base64'));
}

describe('the page of a bundle, in Chromium', { timeout: TIMEOUT_MS }, () => {
  let folder: { path: string } & AsyncDisposable;
  let page: string;
  beforeAll(async () => {
    folder = await temporaryFolder();
    const archive = await madeArchive(folder.path);
    await publishTiles(archive);
    await using authority = new Authority();
    const url = await authority.listen();
    await stampArchive(archive, { url, certificates: certificatesOf(authority.root), crls: [] });
    page = (await bundleOf(archive, await middleLeaf(archive), ['view'])).get('check.html')?.toString() ?? '';
  });
  afterAll(() => folder[Symbol.asyncDispose]());

  /** The page as it stands when its checks are done. No name resolves, so it has no network. */
  async function opened(html: string, name: string): Promise<string> {
    const file = join(folder.path, `${name}.html`);
    await writeFile(file, html);
    const flags = [
      '--headless=new',
      '--no-sandbox',
      '--disable-gpu',
      '--host-resolver-rules=MAP * ~NOTFOUND',
      `--user-data-dir=${join(folder.path, `profile ${name}`)}`,
      '--virtual-time-budget=20000',
      '--dump-dom',
      `file://${file}`,
    ];
    const { stdout } = await run('chromium', flags, { timeout: TIMEOUT_MS, maxBuffer: 2 ** 26 });
    return stdout.slice(0, stdout.indexOf('<script type="application/json"'));
  }

  test('says that the record is proven, and shows what is disclosed', async () => {
    const shown = await opened(page, 'good');
    expect(shown).toMatch(/<p id="verdict" class="good">Proven/);
    expect(shown.match(/<b>✓<\/b>/g)?.length).toBe(8);
    expect(shown).toMatch(/20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ is stated over \d+ leaves/);
    expect(shown).not.toContain('✗');
    expect(shown).toContain('"reason":');
  });

  const changed = (name: string, change: (text: string) => string): string => {
    const found = new RegExp(`"${name.replaceAll('.', '\\.')}":"([^"]+)"`).exec(page)?.[1] ?? '';
    const text = change(Buffer.from(found, 'base64').toString('latin1'));
    return page.replace(found, Buffer.from(text, 'latin1').toString('base64'));
  };

  test.each([
    ['record.json', (text: string) => text.replace('"i":', '"i":1'), 3],
    ['record.tlog-proof', (text: string) => text.replace(/index \d+/, 'index 1'), 1],
    ['manifest.json', (text: string) => text.replace('"evaluation":true', '"evaluation":false'), 2],
    ['batch.json', (text: string) => text.replace(/"gen":\d/, '"gen":9'), 1],
    ['after.txt', (text: string) => text.split('\n').slice(1).join('\n'), 1],
    ['next.json', (text: string) => text.replace('"i":', '"i":1'), 1],
    ['seal-stream.json', (text: string) => text.replace('"seq":', '"seq":1'), 1],
    ['stamp.tlog-proof', (text: string) => text.replace(/index \d+/, 'index 1'), 1],
    ['stamp-1.json', ofSomethingElse, 1],
    ['disclosed/view.part', (text: string) => `${text} `, 1],
  ] as const)('says that it is not, where %s is another', async (name, change, least) => {
    const shown = await opened(changed(name, change), name.replaceAll(/\W/g, ''));
    expect(shown).toMatch(/<p id="verdict" class="bad">Not proven/);
    expect(shown.match(/<b>✗<\/b>/g)?.length).toBeGreaterThanOrEqual(least);
  });

  test('of a long batch says what it does not check, and is no larger for it', async () => {
    await using place = await temporaryFolder();
    const archive = await archiveOfOneBatch(place.path, 40);
    const records = (await recordsOf(archive)).filter(({ entry }) => entry.t === 'content');
    const files = await bundleOf(archive, records[0]?.leaf ?? -1);
    expect(checkBundle(files).findings).toEqual([]);
    const shown = await opened(files.get('check.html')?.toString() ?? '', 'long');
    expect(shown).toMatch(/<p id="verdict" class="good">Proven/);
    expect(shown).toContain('is NOT checked here');
  });

  test('shows content as text, whatever it holds', async () => {
    expect(page).toMatch(/default-src 'none'; script-src 'sha256-[^']+'; style-src 'sha256-[^']+'/);
    expect(page).not.toMatch(/innerHTML|https?:/);
  });
});
