// SPDX-License-Identifier: AGPL-3.0-or-later
import { chmodSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { partOf } from '../../src/web/byte-range.ts';
import { attachment, deliverFile } from '../export/kit.ts';
import { TalkingArchive } from '../search/archive-kit.ts';
import { ANA, CLEO, direct, message, refTo } from '../search/kit.ts';
import { WebOffice } from './kit.ts';

const CHUNK = 65_536;
/** Three chunks and a bit, and padding behind it. */
const FILM = Buffer.concat([
  Buffer.from('000000186674797069736f6d0000000069736f6d6d703431', 'hex'),
  randomBytes(3 * CHUNK + 1000),
]);
const root = mkdtempSync(join(tmpdir(), 'holdfast-ranges-'));
let made: TalkingArchive;
let office: WebOffice;
let leaf: number;
beforeAll(async () => {
  made = await TalkingArchive.start(join(root, 'made'));
  await send('film');
  office = await WebOffice.open(root, made.directory);
  leaf = await leafOf('film');
}, 120_000);
afterAll(async () => {
  await office?.[Symbol.asyncDispose]();
  await made?.[Symbol.asyncDispose]();
  rmSync(root, { recursive: true, force: true });
});

async function send(name: string): Promise<void> {
  const atMs = made.maker.nowMs;
  const film = attachment(name, `${name}.mp4`, 'video/mp4', FILM.length);
  await made.capture(ANA, message(`the ${name}`, { attachments: [film] }), { by: CLEO, chat: direct(CLEO) });
  await deliverFile(made, ANA, refTo(CLEO, atMs), film, FILM);
  await made.maker.archive();
  made.maker.nowMs += 60_000;
}

async function leafOf(name: string): Promise<number> {
  const [hit] = (await office.search({ query: `"the ${name}"` })).hits;
  const { line } = await office.get<{ line: { files: { held: { leaf: number } }[] } }>(`/lines/${hit?.leaf}`);
  return line.files[0]?.held.leaf ?? -1;
}

const part = (range: string, headers: Record<string, string> = {}, from = office): Promise<Response> =>
  from.ask(`/api/v1/files/${leaf}?show=yes`, { headers: { range, ...headers } });

describe('a part of a file', () => {
  it.each([
    ['its beginning', 'bytes=0-99', 0, 99],
    ['the middle of a chunk', 'bytes=70000-70001', 70_000, 70_001],
    ['across chunks', `bytes=${CHUNK - 1}-${2 * CHUNK}`, CHUNK - 1, 2 * CHUNK],
    ['a whole chunk', `bytes=${CHUNK}-${2 * CHUNK - 1}`, CHUNK, 2 * CHUNK - 1],
    ['from a byte on', 'bytes=100000-', 100_000, FILM.length - 1],
    ['the last bytes', 'bytes=-10', FILM.length - 10, FILM.length - 1],
    ['more than there is', 'bytes=190000-99999999', 190_000, FILM.length - 1],
    ['all of it', 'bytes=0-', 0, FILM.length - 1],
    ['more of the last bytes than there are', 'bytes=-99999999', 0, FILM.length - 1],
  ])('is given as it is: %s', async (_what, range, from, to) => {
    const response = await part(range);
    expect(response.status).toBe(206);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-range': `bytes ${from}-${to}/${FILM.length}`,
      'content-length': String(to - from + 1),
      'content-type': 'video/mp4',
      'accept-ranges': 'bytes',
    });
    expect(Buffer.from(await response.arrayBuffer()).equals(FILM.subarray(from, to + 1))).toBe(true);
  });

  it('is the whole where it is asked for in a way that is not understood, or of another file', async () => {
    for (const [range, headers] of [
      ['bytes=0-1,5-9', {}],
      ['bytes=', {}],
      ['bytes=-', {}],
      ['bytes=9-5', {}],
      ['lines=1-2', {}],
      ['bytes=0-9', { 'if-range': '"another"' }],
      ['bytes=0-9', { 'if-range': 'Mon, 23 Nov 2026 00:00:00 GMT' }],
    ] as const) {
      const response = await part(range, headers);
      expect([range, response.status, Buffer.from(await response.arrayBuffer()).equals(FILM)]).toEqual([
        range,
        200,
        true,
      ]);
    }
    const tag = (await part('bytes=0-0')).headers.get('etag') ?? '';
    expect((await part('bytes=0-9', { 'if-range': tag })).status).toBe(206);
  });

  it('behind its end is refused', async () => {
    for (const range of [`bytes=${FILM.length}-`, `bytes=${FILM.length + 5}-${FILM.length + 9}`, 'bytes=-0']) {
      const response = await part(range);
      expect([range, response.status, await response.json()]).toMatchObject([
        range,
        416,
        { error: { code: 'web/range' } },
      ]);
    }
  });

  it('is within the file, whatever is asked', () => {
    fc.assert(
      fc.property(fc.string(), fc.nat(), fc.nat(), fc.integer({ min: 0, max: 1000 }), (any, a, b, size) => {
        for (const range of [any, `bytes=${a}-${b}`, `bytes=${a}-`, `bytes=-${b}`]) {
          let found = null;
          try {
            found = partOf({ range, ifRange: null }, '"t"', size);
          } catch (error) {
            expect(error).toMatchObject({ code: 'web/range' });
          }
          if (found !== null) expect(0 <= found.from && found.from <= found.to && found.to < size).toBe(true);
        }
      }),
    );
  });

  it('is recorded before a byte of it goes out, each time', async () => {
    office.recorded.length = 0;
    await (await part('bytes=0-9')).arrayBuffer();
    await (await part('bytes=10-19')).arrayBuffer();
    expect(office.recorded.flatMap(({ deeds }) => deeds)).toMatchObject([
      { act: 'file', leaf },
      { act: 'file', leaf },
    ]);
  });

  it('that cannot be recorded is not given, and holds no file open', async () => {
    const open = (): number => readdirSync('/proc/self/fd').length;
    const before = open();
    office.beforeRecord = async () => {
      throw new Error('no disk');
    };
    for (const range of ['bytes=0-9', 'bytes=100000-', 'lines=1-2', `bytes=${FILM.length}-`]) {
      for (let n = 0; n < 5; n += 1) expect((await part(range)).status).toBeGreaterThanOrEqual(400);
    }
    office.beforeRecord = null;
    expect(open()).toBeLessThan(before + 10);
  });

  it('that has rotted is not given, and the parts beside it are', async () => {
    const directory = join(root, 'rotten');
    cpSync(made.directory, directory, { recursive: true });
    const folder = join(directory, 'media');
    const files = readdirSync(folder, { recursive: true }).map((name) => join(folder, String(name)));
    const [film = ''] = files.filter((path) => statSync(path).isFile());
    const bytes = readFileSync(film);
    // In the second chunk.
    bytes[CHUNK + 100] = (bytes[CHUNK + 100] as number) ^ 1;
    chmodSync(film, 0o600);
    writeFileSync(film, bytes);
    await using rotten = await WebOffice.open(root, directory);
    expect((await part('bytes=0-99', {}, rotten)).status).toBe(206);
    const last = await part('bytes=-99', {}, rotten);
    expect(Buffer.from(await last.arrayBuffer()).equals(FILM.subarray(-99))).toBe(true);
    const bad = await part(`bytes=${CHUNK + 5000}-${CHUNK + 5001}`, {}, rotten);
    expect([bad.status, await bad.json()]).toMatchObject([502, { error: { code: 'web/file-damaged' } }]);
    // The first piece is held back until there is a second one.
    expect((await part('bytes=0-99999', {}, rotten)).status).toBe(502);
  });
});

it('a file that was archived after the first one was looked at is given as well', async () => {
  await send('second');
  await office.grow();
  const response = await office.ask(`/api/v1/files/${await leafOf('second')}`);
  expect([response.status, Buffer.from(await response.arrayBuffer()).equals(FILM)]).toEqual([200, true]);
});
