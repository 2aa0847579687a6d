// SPDX-License-Identifier: AGPL-3.0-or-later
import { beforeAll, describe, expect, test } from 'vitest';
import { openDirStore } from '../../src/archive/dir-store.ts';
import { TilePublisher } from '../../src/archive/tile-publisher.ts';
import { signCheckpoint } from '../../src/record/checkpoint.ts';
import { segmentPrefix, tileCheckpointKey, tilePrefix } from '../../src/record/layout.ts';
import type { Trust } from '../../src/record/trust.ts';
import type { FindingCode } from '../../src/verify/findings.ts';
import type { Report } from '../../src/verify/report.ts';
import { parseSegment } from '../../src/record/segment.ts';
import { renderText } from '../../src/verify/render.ts';
import { verifyArchive, type VerifyOptions } from '../../src/verify/verify.ts';
import { ArchiverKit, LOG_KEY, ORIGIN } from '../support/archiver-kit.ts';
import { temporaryFolder } from '../support/archive-fixture.ts';
import { LOG, ROOT } from '../vectors/keys.ts';
import { MemoryArchive } from './memory-archive.ts';
import { codesOf, flip, notesOf } from './subject.ts';

const TRUST: Trust = { origin: ORIGIN, root: ROOT.key, log: LOG_KEY };
const verify = (archive: MemoryArchive, options: VerifyOptions = {}): Promise<Report> =>
  verifyArchive(archive, TRUST, { clockMs: () => 0, ...options });

describe('published tiles', () => {
  let archive: MemoryArchive;
  let bare: MemoryArchive;

  beforeAll(async () => {
    await using folder = await temporaryFolder();
    const kit = new ArchiverKit();
    await using store = await openDirStore(folder.path, () => kit.bucket.nowMs);
    const { archiver } = await kit.start({}, store);
    const stream = kit.first.open();
    for (let round = 0; round < 12; round += 1) {
      // A day, so that this segment has heads, from which reading may begin.
      if (round === 2) kit.pass(86_400_000);
      kit.first.messages(stream, 50);
      await kit.first.sendAll();
      await archiver.flush();
      if (round === 8) bare = await MemoryArchive.of(folder.path);
    }
    const { state } = archiver;
    const publisher = new TilePublisher({ store, origin: ORIGIN });
    await publisher.publish({ size: state.size, root: state.window.root(), checkpoint: state.checkpoint });
    await archiver[Symbol.asyncDispose]();
    archive = await MemoryArchive.of(folder.path);
  });

  const after = async (change: (copy: MemoryArchive) => void, options: VerifyOptions = {}): Promise<FindingCode[]> => {
    const before = new Set(codesOf(await verify(archive, options)));
    const copy = archive.clone();
    change(copy);
    return codesOf(await verify(copy, options)).filter((code) => !before.has(code));
  };
  const tiles = (part: string): string[] => archive.keys(tilePrefix(ORIGIN)).filter((key) => key.includes(part));

  test('are compared with what the segments give, all of them', async () => {
    const report = await verify(archive);
    expect(codesOf(report).filter((code) => code.includes('tile'))).toEqual([]);
    expect(notesOf(report)).toEqual(notesOf(await verify(archive, { payloads: false })));
    expect(report.tiles).toEqual({ size: report.size, compared: tiles('').length - 1 });
    expect(report.tiles.compared).toBe(7);
  });

  describe('of which an auditor saw the beginning', () => {
    const since = (): string =>
      parseSegment(archive.get(archive.keys(segmentPrefix(ORIGIN)).at(-1) as string)).head.checkpoint;
    const index = (path: string): ((copy: MemoryArchive) => void) => {
      const [key = ''] = tiles(path);
      return (copy) => copy.put(key, flip(copy.get(key), -1));
    };

    test('are compared from where the log is read', async () => {
      const report = await verify(archive, { since: since() });
      expect(report.from).toBeGreaterThan(0);
      expect(report.from).toBeLessThan(256);
      expect(codesOf(report).filter((code) => code.includes('tile'))).toEqual([]);
      // All but the first entry bundle and the first tile, which begin before it.
      expect(report.tiles).toEqual({ size: report.size, compared: tiles('').length - 1 - 2 });
      expect(renderText(report)).toContain(`5 tiles of ${report.size} leaves`);
    });

    test.each(['tile/0/001', 'tile/0/002', 'tile/entries/001', 'tile/entries/002', 'tile/1/000'])(
      'are a finding where %s is another behind that',
      async (path) => {
        expect(await after(index(path), { since: since() })).toEqual(['verify/tile-other']);
      },
    );

    test('are not looked at before that', async () => {
      for (const path of ['tile/0/000', 'tile/entries/000']) {
        expect(await after(index(path), { since: since() })).toEqual([]);
        expect(await after(index(path))).toEqual(['verify/tile-other']);
      }
      // Of the two hashes of this one, the first is of leaves that were not read.
      const [key = ''] = tiles('tile/1/000');
      expect(await after((copy) => copy.put(key, flip(copy.get(key), 0)), { since: since() })).toEqual([]);
    });
  });

  test('are none where nobody published any, and nothing is said of them', async () => {
    const report = await verify(bare);
    expect(report.tiles).toEqual({ size: 0, compared: 0 });
    expect([...codesOf(report), ...notesOf(report)].filter((code) => code.includes('tile'))).toEqual([]);
  });

  test.each([0, 2])('are a finding each, where one bit is other, with %i threads', async (workers) => {
    for (const key of tiles('').filter((name) => name !== tileCheckpointKey(ORIGIN))) {
      expect(await after((copy) => copy.put(key, flip(copy.get(key), -3)), { workers }), key).toEqual([
        'verify/tile-other',
      ]);
    }
  });

  test.each([
    ['cut short', (bytes: Buffer) => bytes.subarray(0, -1)],
    ['too long', (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(32)])],
    ['empty', () => Buffer.alloc(0)],
  ])('are a finding where one is %s', async (_, change) => {
    for (const key of [...tiles('/0/'), ...tiles('/entries/')]) {
      expect(await after((copy) => copy.put(key, change(copy.get(key)))), key).toEqual(['verify/tile-other']);
    }
  });

  test('are a finding by size alone where bytes are not read', async () => {
    const [key = ''] = tiles('/0/');
    expect(await after((copy) => copy.put(key, copy.get(key).subarray(32)), { payloads: false })).toEqual([
      'verify/tile-other',
    ]);
  });

  test('are a finding where they hold leaves that the log has not', async () => {
    const [key = ''] = tiles('/0/');
    const ahead = `${tilePrefix(ORIGIN)}0/009`;
    expect(await after((copy) => copy.put(ahead, copy.get(key)))).toEqual(['verify/tile-ahead']);
    const wider = `${tilePrefix(ORIGIN)}0/002.p/255`;
    expect(await after((copy) => copy.put(wider, Buffer.alloc(255 * 32)))).toEqual(['verify/tile-ahead']);
  });

  test('are a note where one is missing', async () => {
    const copy = archive.clone();
    copy.remove(tiles('/0/')[0] as string);
    const report = await verify(copy);
    expect(notesOf(report)).toContain('verify/tile-missing');
  });

  test('are a finding under a name that no tile has', async () => {
    expect(await after((copy) => copy.put(`${tilePrefix(ORIGIN)}0/0000`, 'x'))).toEqual(['verify/version-unknown-key']);
  });

  test('are a finding where the checkpoint beside them is another’s, of another log or ahead', async () => {
    const key = tileCheckpointKey(ORIGIN);
    const size = (await verify(archive)).size;
    const note = (at: number, root: Buffer): string =>
      signCheckpoint({ origin: ORIGIN, size: at, root }, LOG.privateKey);
    expect(await after((copy) => copy.put(key, 'x'))).toEqual(['verify/tile-checkpoint-unsigned']);
    expect(await after((copy) => copy.put(key, note(size, Buffer.alloc(32))))).toEqual(['verify/checkpoint-root']);
    expect(await after((copy) => copy.put(key, note(size + 1, Buffer.alloc(32))))).toEqual(['verify/checkpoint-ahead']);
    // Of more leaves than anybody could look for tiles of.
    expect(await after((copy) => copy.put(key, note(10 ** 15 - 1, Buffer.alloc(32))))).toEqual([
      'verify/checkpoint-ahead',
    ]);
    // Inside of a segment: nobody published one there.
    expect(await after((copy) => copy.put(key, note(17, Buffer.alloc(32))))).toEqual(['verify/checkpoint-root']);
  });
});
