// SPDX-License-Identifier: AGPL-3.0-or-later
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, unlinkSync, writeFileSync, chmodSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noteKey } from '../../src/record/note.ts';
import { parseQuery } from '../../src/search/query-parse.ts';
import { describeLine } from '../../src/search/describe.ts';
import { SqliteIndex } from '../../src/search/sqlite-index.ts';
import { LOG_PREFIX, makeTalk, type Talk } from './archive-talk.ts';
import { indexerOn } from './archive-kit.ts';
import { everything } from './contract.ts';
import { ask, found } from './kit.ts';
import { TRUST } from '../support/archive-fixture.ts';
import { CONNECTOR, ESCROW, STRANGER } from '../vectors/keys.ts';

const root = mkdtempSync(join(tmpdir(), 'holdfast-read-'));
let talk: Talk;
beforeAll(async () => {
  talk = await makeTalk(join(root, 'made'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

let count = 0;
/** A fresh place for an index. */
const place = (): string => join(root, `index-${(count += 1)}`);

/** A copy of the archive that a test may do something to. */
function copy(): string {
  const to = join(root, `copy-${(count += 1)}`);
  cpSync(talk.directory, to, { recursive: true });
  return to;
}

function files(directory: string, folder: string): string[] {
  const path = join(directory, LOG_PREFIX, folder);
  return readdirSync(path)
    .toSorted()
    .map((name) => join(path, name));
}

function change(file: string, edit: (bytes: Buffer) => Buffer): void {
  const bytes = edit(readFileSync(file));
  chmodSync(file, 0o600);
  writeFileSync(file, bytes);
}

describe('reading an archive', () => {
  it('indexes all of it, up to the checkpoint the log has signed', async () => {
    await using db = SqliteIndex.openForWriting(place());
    const state = await (await indexerOn(talk.directory, db)).catchUp();
    expect(state).toMatchObject({ unreadable: 0, position: { size: talk.size } });
    expect(await found(db, 'berth')).toEqual(['the berth is free at last', 'the berth is taken']);
    const [long = ''] = await found(db, 'from:cleo');
    expect([long.length, long.startsWith('a long report ')]).toEqual([174_000, true]);
  });

  it('goes on where it stood, and answers as one that was built anew', async () => {
    const early = join(root, 'early');
    await using db = SqliteIndex.openForWriting(place());
    cpSync(talk.directory, early, { recursive: true });
    const published = readFileSync(join(early, LOG_PREFIX, 'checkpoint'));
    const segments = files(early, 'segment');
    // As it was earlier: two segments, and no checkpoint yet over the second.
    for (const later of segments.slice(2)) unlinkSync(later);
    unlinkSync(join(early, LOG_PREFIX, 'checkpoint'));
    const first = await (await indexerOn(early, db)).catchUp();
    expect(first?.position.size).toBe(Number(segments[1]?.slice(-16)));
    cpSync(talk.directory, early, { recursive: true });
    writeFileSync(join(early, LOG_PREFIX, 'checkpoint'), published);
    const second = await (await indexerOn(early, db)).catchUp();
    expect(second?.position.size).toBe(talk.size);
    await using anew = SqliteIndex.openForWriting(place());
    await (await indexerOn(talk.directory, anew)).catchUp();
    expect(await everything(db)).toEqual(await everything(anew));
  });

  it('takes nothing twice when there is nothing new', async () => {
    await using db = SqliteIndex.openForWriting(place());
    const indexer = await indexerOn(talk.directory, db);
    await indexer.catchUp();
    const before = await everything(db);
    await indexer.catchUp();
    expect(await everything(db)).toEqual(before);
  });

  it('opens with the escrow key as well', async () => {
    await using db = SqliteIndex.openForWriting(place());
    const state = await (await indexerOn(talk.directory, db, { pair: ESCROW })).catchUp();
    expect(state?.unreadable).toBe(0);
  });
});

describe('refuses, and leaves the index as it was', () => {
  it('a key that no manifest names', async () => {
    await using db = SqliteIndex.openForWriting(place());
    const reading = (await indexerOn(talk.directory, db, { pair: STRANGER })).catchUp();
    await expect(reading).rejects.toMatchObject({ code: 'search/wrong-key' });
    expect(await db.state()).toBeNull();
  });

  it('a log that another key signs, and one of another name', async () => {
    await using db = SqliteIndex.openForWriting(place());
    const otherKey = { ...TRUST, log: noteKey(TRUST.origin, CONNECTOR.key) };
    const foreign = { code: 'search/foreign-archive' };
    await expect((await indexerOn(talk.directory, db, { trust: otherKey })).catchUp()).rejects.toMatchObject(foreign);
    const otherName = { ...TRUST, origin: 'other.example/log' };
    await expect((await indexerOn(talk.directory, db, { trust: otherName })).catchUp()).rejects.toMatchObject(foreign);
    expect(await db.state()).toBeNull();
  });

  it('an index of another log', async () => {
    await using db = SqliteIndex.openForWriting(place());
    await (await indexerOn(talk.directory, db)).catchUp();
    const otherName = { ...TRUST, origin: 'other.example/log' };
    await expect(indexerOn(talk.directory, db, { trust: otherName })).rejects.toMatchObject({
      code: 'search/index-other',
    });
  });

  it.each([
    ['entry', (text: string) => text.replace('"t":"content"', '"t":"media"')],
    ['time', (text: string) => text.replace(/"at":"2026-11-22T09/, '"at":"2026-11-22T08')],
    [
      'subtree hash',
      (text: string) => text.replace(/"edge":\["./, (edge) => `${edge.slice(0, -1)}${edge.endsWith('A') ? 'B' : 'A'}`),
    ],
    [
      'signature on the checkpoint it carries',
      (text: string) => text.replace(/[A-Za-z0-9]([A-Za-z0-9+/=]{20}\\n","docs")/, (_all, rest: string) => `+${rest}`),
    ],
    ['manifest', (text: string) => text.replace('"evaluation":true', '"evaluation":false')],
  ])('a segment with another %s', async (_what, edit) => {
    const directory = copy();
    const changed = files(directory, 'segment').filter((file) => {
      const text = readFileSync(file, 'latin1');
      const other = edit(text);
      if (other !== text) change(file, () => Buffer.from(other, 'latin1'));
      return other !== text;
    });
    expect(changed).not.toEqual([]);
    await using db = SqliteIndex.openForWriting(place());
    const reading = (await indexerOn(directory, db)).catchUp();
    await expect(reading).rejects.toMatchObject({
      code: expect.stringMatching(/^search\/(?:log-broken|foreign-archive)$/) as string,
    });
    expect(await db.state()).toBeNull();
  });

  it('a log with a segment missing, and one that is not what was read before', async () => {
    const directory = copy();
    const [, , third = ''] = files(directory, 'segment');
    unlinkSync(third);
    await using db = SqliteIndex.openForWriting(place());
    const broken = { code: 'search/log-broken' };
    await expect((await indexerOn(directory, db)).catchUp()).rejects.toMatchObject(broken);
    const other = await makeTalk(join(root, `other-${(count += 1)}`));
    await using early = SqliteIndex.openForWriting(place());
    const [, , lastKept = ''] = files(other.directory, 'segment');
    for (const later of files(other.directory, 'segment').slice(3)) unlinkSync(later);
    unlinkSync(join(other.directory, LOG_PREFIX, 'checkpoint'));
    const state = await (await indexerOn(other.directory, early)).catchUp();
    expect(state?.position.size).toBe(Number(lastKept.slice(-16)));
    // The same keys, another history.
    const reading = (await indexerOn(talk.directory, early)).catchUp();
    await expect(reading).rejects.toMatchObject(broken);
    expect((await early.state())?.position.size).toBe(state?.position.size);
  });
});

describe('what cannot be read', () => {
  it('is a line that says why, when a pack is gone, and the rest is as always', async () => {
    const directory = copy();
    const [gone = ''] = files(directory, 'pack').filter((file) => readFileSync(file).length > 0);
    unlinkSync(gone);
    await using db = SqliteIndex.openForWriting(place());
    const state = await (await indexerOn(directory, db)).catchUp();
    expect(state?.position.size).toBe(talk.size);
    expect(state?.unreadable).toBeGreaterThan(0);
    expect(await db.count(parseQuery('kind:unreadable'))).toBe(state?.unreadable);
    expect((await ask(db, '-kind:unreadable')).hits.length).toBeGreaterThan(3);
  });

  it('is one record where one bit of a pack has rotted', async () => {
    const directory = copy();
    const [file = ''] = files(directory, 'pack').toSorted((a, b) => readFileSync(b).length - readFileSync(a).length);
    change(file, (bytes) => {
      bytes[20] = (bytes[20] as number) ^ 1;
      return bytes;
    });
    await using db = SqliteIndex.openForWriting(place());
    expect((await (await indexerOn(directory, db)).catchUp())?.unreadable).toBe(1);
    const conversations = await db.conversations();
    const pages = await Promise.all(conversations.map(({ id }) => db.lines(id, { after: null, limit: 100 })));
    const defects = pages.flatMap(({ lines }) => lines.flatMap(({ line }) => line.defects));
    expect(defects).toEqual(['body-damaged']);
  });

  it('is a record whose long text lies in an object that is gone', async () => {
    const directory = copy();
    rmSync(join(directory, 'media'), { recursive: true });
    await using db = SqliteIndex.openForWriting(place());
    expect((await (await indexerOn(directory, db)).catchUp())?.unreadable).toBe(1);
    expect(await found(db, 'berth')).toEqual(['the berth is free at last', 'the berth is taken']);
  });
});

describe('what was away and has come back', () => {
  /** An index that was built while something was amiss, then looked again once it was put right; and one built then. */
  async function mended(directory: string, putRight: () => void, anew = false): Promise<void> {
    await using db = SqliteIndex.openForWriting(place());
    const first = await indexerOn(directory, db);
    const before = await first.catchUp();
    expect(before?.unreadable).toBeGreaterThan(0);
    expect(before?.awaited).toBe(before?.unreadable);
    // Nothing has changed: what is amiss stays so, and is not taken twice.
    expect(await first.catchUp()).toEqual(before);
    putRight();
    const state = await (anew ? await indexerOn(directory, db) : first).catchUp();
    expect(state).toMatchObject({ unreadable: 0, awaited: 0, records: before?.records });
    await using fresh = SqliteIndex.openForWriting(place());
    expect((await (await indexerOn(directory, fresh)).catchUp())?.lines).toBe(state?.lines);
    expect(await answers(db)).toEqual(await answers(fresh));
  }

  /** What people are told: without the numbers by which this index calls people and conversations. */
  async function answers(db: SqliteIndex): Promise<unknown> {
    const { hits } = await ask(db, '', { order: 'oldest' });
    const pages = await Promise.all(
      (await db.conversations()).map(async ({ id, title }) => {
        const { lines } = await db.lines(id, { after: null, limit: 100 });
        return {
          title,
          lines: lines.map((line) => [line.atMs, describeLine(line)]),
          gaps: await db.gaps(id),
        };
      }),
    );
    const said = hits.map(({ text, title, leaf, copies, edited, kind }) => [text, title, leaf, copies, edited, kind]);
    return [said, pages.toSorted((a, b) => (a.title < b.title ? -1 : 1))];
  }

  it.each([0, 1, 2])('is read at the next look: pack %d', async (which) => {
    const directory = copy();
    const gone = files(directory, 'pack').filter((file) => readFileSync(file).length > 0)[which] ?? '';
    const bytes = readFileSync(gone);
    unlinkSync(gone);
    await mended(directory, () => writeFileSync(gone, bytes));
  });

  it('is read by the next process: a pack that had rotted and was restored', async () => {
    const directory = copy();
    const [file = ''] = files(directory, 'pack').toSorted((a, b) => readFileSync(b).length - readFileSync(a).length);
    const bytes = readFileSync(file);
    change(file, (sound) => {
      const rotten = Buffer.from(sound);
      rotten[20] = (rotten[20] as number) ^ 1;
      return rotten;
    });
    await mended(directory, () => writeFileSync(file, bytes), true);
  });

  it('is read by the process that found it rotten, within ten looks: a file of the same name and size tells of nothing', async () => {
    const directory = copy();
    const [file = ''] = files(directory, 'pack').toSorted((a, b) => readFileSync(b).length - readFileSync(a).length);
    const bytes = readFileSync(file);
    change(file, (sound) => Buffer.from(sound).fill(7, 20, 21));
    await using db = SqliteIndex.openForWriting(place());
    const indexer = await indexerOn(directory, db);
    expect((await indexer.catchUp())?.awaited).toBe(1);
    writeFileSync(file, bytes);
    let looks = 1;
    while ((await indexer.catchUp())?.awaited !== 0 && looks < 20) looks += 1;
    expect(looks).toBeLessThanOrEqual(10);
  });

  it('is read at the next look: the object of a long text', async () => {
    const directory = copy();
    const media = join(directory, 'media');
    cpSync(media, `${directory}-kept`, { recursive: true });
    rmSync(media, { recursive: true });
    await mended(directory, () => cpSync(`${directory}-kept`, media, { recursive: true }));
  });

  it('is not taken on trust: a pack of the right name and other bytes', async () => {
    const directory = copy();
    const [gone = ''] = files(directory, 'pack').filter((file) => readFileSync(file).length > 0);
    const bytes = readFileSync(gone);
    unlinkSync(gone);
    await using db = SqliteIndex.openForWriting(place());
    const indexer = await indexerOn(directory, db);
    const before = await indexer.catchUp();
    writeFileSync(gone, Buffer.alloc(bytes.length, 7));
    expect(await indexer.catchUp()).toEqual(before);
  });
});
