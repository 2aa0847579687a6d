// SPDX-License-Identifier: AGPL-3.0-or-later
import { chmodSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ArchiveFiles } from '../../src/export/files/archive-files.ts';
import { openDirReader } from '../../src/verify/dir-reader.ts';
import { ORIGIN } from '../vectors/keys.ts';
import { makeOffice, PAGE, PNG, WebOffice } from './kit.ts';

const root = mkdtempSync(join(tmpdir(), 'holdfast-web-files-'));
let archive: string;
let office: WebOffice;
let leaves: number[];
beforeAll(async () => {
  archive = await makeOffice(join(root, 'made'));
  office = await WebOffice.open(root, archive);
  leaves = await heldIn(office);
}, 120_000);
afterAll(async () => {
  await office?.[Symbol.asyncDispose]();
  rmSync(root, { recursive: true, force: true });
});

interface Files extends Record<string, unknown> {
  readonly line: { readonly files: readonly { readonly held: { readonly leaf: number } | null }[] };
}

/** Leaves of the files that are held, as a line names them. */
async function heldIn(where: WebOffice): Promise<number[]> {
  const [hit] = (await where.search({ query: 'has:attachment "with files"' })).hits;
  const { line } = await where.get<Files>(`/lines/${hit?.leaf}`);
  expect(line.files.map(({ held }) => held === null)).toEqual([false, false, true]);
  return line.files.flatMap(({ held }) => held?.leaf ?? []);
}

/** The largest object of the archive: the page that says it is a picture. */
function pageIn(directory: string): string {
  const folder = join(directory, 'media');
  const all = readdirSync(folder, { recursive: true }).map((name) => join(folder, String(name)));
  const files = all.filter((path) => statSync(path).isFile());
  return files.toSorted((a, b) => statSync(b).size - statSync(a).size)[0] ?? '';
}

describe('a file', () => {
  it('comes as it was captured, to be saved and not to be opened', async () => {
    const response = await office.ask(`/api/v1/files/${leaves[0]}`);
    expect(Buffer.from(await response.arrayBuffer())).toEqual(PNG);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-length': String(PNG.length),
      'holdfast-claimed-type': 'image/png',
      'holdfast-found-type': 'image/png',
      'holdfast-type-verdict': 'as-claimed',
      'holdfast-sha256': createHash('sha256').update(PNG).digest('hex'),
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
    });
    expect(response.headers.get('content-security-policy')).toMatch(/sandbox/);
    const disposition = response.headers.get('content-disposition') ?? '';
    expect(disposition).toMatch(/^attachment; filename=gate-3\.png; filename\*=UTF-8''/);
    expect(decodeURIComponent(disposition)).toContain('検査.png');
  });

  it('is shown in place if asked to, where its bytes say that it is a picture', async () => {
    const response = await office.ask(`/api/v1/files/${leaves[0]}?show=yes`);
    expect(response.headers.get('content-type')).toBe('image/png');
    expect(response.headers.get('content-disposition')).toMatch(/^inline; /);
    await response.arrayBuffer();
  });

  it('that says it is a picture and is a page is told apart, and is never shown', async () => {
    for (const show of ['yes', 'no']) {
      const response = await office.ask(`/api/v1/files/${leaves[1]}?show=${show}`);
      expect(Buffer.from(await response.arrayBuffer())).toEqual(PAGE);
      expect(response.headers.get('content-type')).toBe('application/octet-stream');
      expect(response.headers.get('holdfast-claimed-type')).toBe('image/png');
      expect(response.headers.get('holdfast-type-verdict')).not.toBe('as-claimed');
      const disposition = response.headers.get('content-disposition') ?? '';
      expect(disposition).toMatch(/^attachment; /);
      // No path, no direction, no ending that a system opens.
      expect(decodeURIComponent(disposition)).not.toMatch(/\.\.|[/\\\u202E]|html/);
    }
  });

  it('is recorded before a byte of it goes out', async () => {
    await using watched = await WebOffice.open(root, archive);
    await (await watched.ask(`/api/v1/files/${leaves[0]}`)).arrayBuffer();
    const sha256 = createHash('sha256').update(PNG).digest('hex');
    expect(watched.recorded.flatMap(({ deeds }) => deeds)).toEqual([
      { act: 'login' },
      { act: 'file', leaf: leaves[0], sha256 },
    ]);
  });

  it('comes whole to whoever is slow: the time for finding an answer is not that for sending it', async () => {
    await using slow = await WebOffice.open(root, archive, { answerMs: 5000 });
    // The time runs out once the file is found, and before a byte of it goes out.
    slow.beforeRecord = () => sleep(5500);
    const response = await slow.ask(`/api/v1/files/${leaves[1]}`);
    expect([response.status, Buffer.from(await response.arrayBuffer()).equals(PAGE)]).toEqual([200, true]);
  });

  it('is closed where whoever asked has gone before it is sent', async () => {
    const real = new ArchiveFiles(await openDirReader(archive), ORIGIN);
    let open = 0;
    async function* counted(bytes: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
      open += 1;
      try {
        yield* bytes;
      } finally {
        open -= 1;
      }
    }
    const files = {
      open: (record) => counted(real.open(record)),
      openRange: (record, from, to) => counted(real.openRange(record, from, to)),
    } satisfies Pick<ArchiveFiles, 'open' | 'openRange'> as unknown as ArchiveFiles;
    await using left = await WebOffice.open(root, archive, { files });
    for (const headers of [{}, { range: 'bytes=70000-' }]) {
      const [leaving, recording] = [new AbortController(), Promise.withResolvers<void>()];
      left.beforeRecord = () => {
        expect(open).toBe(1);
        leaving.abort();
        return recording.promise;
      };
      const asking = left.ask(`/api/v1/files/${leaves[1]}`, { headers, signal: leaving.signal });
      await expect(asking).rejects.toThrow('aborted');
      // The server is told of it by the time it answers somebody else.
      left.beforeRecord = null;
      await left.get('/status');
      recording.resolve();
      await expect.poll(() => open).toBe(0);
    }
  });

  it('that never came, and a record that is none of a file, are not found', async () => {
    for (const leaf of [0, (leaves[0] ?? 0) - 2, 999_999]) {
      expect([leaf, (await office.ask(`/api/v1/files/${leaf}`)).status]).toEqual([leaf, 404]);
    }
  });
});

describe('a file whose bytes are not what was captured', () => {
  /** A copy of the archive whose largest object is changed. */
  function spoilt(name: string, edit: (bytes: Buffer) => Buffer | null): string {
    const directory = join(root, name);
    cpSync(archive, directory, { recursive: true });
    const file = pageIn(directory);
    const bytes = edit(readFileSync(file));
    chmodSync(file, 0o600);
    if (bytes === null) rmSync(file);
    else writeFileSync(file, bytes);
    return directory;
  }

  it('never arrives whole: it breaks off where it is not', async () => {
    const directory = spoilt('rotten', (bytes) => {
      bytes[bytes.length - 100] = (bytes[bytes.length - 100] as number) ^ 1;
      return bytes;
    });
    await using rotten = await WebOffice.open(root, directory);
    const response = await rotten.ask(`/api/v1/files/${leaves[1]}`);
    await expect(response.arrayBuffer()).rejects.toThrow();
  });

  it('is said to be damaged where it begins wrong, and to be missing where it is', async () => {
    const changed = spoilt('changed', (bytes) => Buffer.alloc(bytes.length, 7));
    await using damaged = await WebOffice.open(root, changed);
    const response = await damaged.ask(`/api/v1/files/${leaves[1]}`);
    expect([response.status, await response.json()]).toMatchObject([502, { error: { code: 'web/file-damaged' } }]);
    expect(damaged.troubles).toEqual(['web/file-damaged']);
    await using away = await WebOffice.open(
      root,
      spoilt('away', () => null),
    );
    const none = await away.ask(`/api/v1/files/${leaves[1]}`);
    expect([none.status, await none.json()]).toMatchObject([404, { error: { code: 'web/file-missing' } }]);
  });
});
