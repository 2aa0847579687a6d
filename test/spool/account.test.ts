// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash, randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openObject } from '../../src/seal/object.ts';
import { assertStream, documentsOf, objectFiles, readDisk, type StoredRow } from '../support/spool-disk.ts';
import { Reader, rejectionOf, SpoolKit, temporaryDirectory } from '../support/spool-kit.ts';
import { attachment, gapCapture, message, viewOf } from '../support/spool-parts.ts';

async function readerOf({ directory }: SpoolKit): Promise<Reader> {
  return new Reader(directory, documentsOf(directory, temporaryDirectory()));
}

function rowsOf({ directory }: SpoolKit): readonly StoredRow[] {
  const [stored] = readDisk(directory, temporaryDirectory());
  if (stored === undefined) throw new Error('no stream');
  assertStream(stored);
  return stored.rows;
}

const objOf = (row: StoredRow | undefined): readonly { h: string; n: number }[] =>
  row !== undefined && 'obj' in row.entry ? (row.entry.obj ?? []) : [];

describe('a capture that is too long for a body', () => {
  it.each([
    ['200 KB that do not compress', randomBytes(200_000)],
    ['64 MiB that do not compress', randomBytes(64 * 1024 * 1024)],
    ['64 MiB that compress to less than a body', Buffer.alloc(64 * 1024 * 1024, 'chat ')],
  ])('goes into an object and comes back whole: %s', async (_name, raw) => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const { sink } = await kit.account();
    await sink.deliver([message('long', { raw })]);
    await kit.reopen();
    const row = rowsOf(kit)[1] as StoredRow;
    const [ref] = objOf(row);
    const sealed = readFileSync(join(kit.directory, 'objects', ref?.h ?? ''));
    expect([sealed.length, createHash('sha256').update(sealed).digest('hex')]).toEqual([ref?.n, ref?.h]);
    const { parts } = await (await readerOf(kit)).open(row);
    expect(parts.raw.equals(raw)).toBe(true);
    expect(JSON.parse(parts.view.toString())).toEqual(message('long').view);
  });

  it('takes memory in the order of its size, not more', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const { sink } = await kit.account();
    const size = 64 * 1024 * 1024;
    const raw = randomBytes(size);
    let peak = 0;
    const before = process.memoryUsage().rss;
    const watch = setInterval(() => (peak = Math.max(peak, process.memoryUsage().rss)), 1);
    for (let round = 0; round < 4; round += 1) await sink.deliver([message(`long ${round}`, { raw })]);
    clearInterval(watch);
    // One copy joined, one compressed, one padded; four rounds must not add up.
    expect(peak - before).toBeLessThan(6 * size);
  });

  it('is refused beyond what any reader would inflate; so is a gap that does not fit a body', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const { sink } = await kit.account();
    expect(await rejectionOf(sink.deliver([message('a', { raw: Buffer.alloc(256 * 1024 * 1024) })]))).toBe(
      'spool/too-large',
    );
    expect(await rejectionOf(sink.deliver([gapCapture({ raw: randomBytes(100_000) })]))).toBe('spool/too-large');
    expect(objectFiles(kit.directory)).toEqual([]);
    expect(rowsOf(kit)).toHaveLength(1);
  });

  it('leaves no file behind when it was there before, or its transaction was rolled back', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const { sink } = await kit.account();
    const long = message('long', { raw: randomBytes(100_000) });
    const fail = (): never => {
      throw new TypeError('after all');
    };
    expect(await rejectionOf(sink.deliverWith([long], { after: fail }))).toBe('TypeError');
    expect(objectFiles(kit.directory)).toEqual([]);
    await Promise.all([sink.deliver([long]), sink.deliver([{ ...long, via: 'journal' }])]);
    await sink.deliver([{ ...long, via: 'rest' }]);
    expect(objectFiles(kit.directory)).toHaveLength(1);
    expect(sink.sightings(0)).toMatchObject({ total: 1, byIntake: { webhook: 1, journal: 1, rest: 1 } });
    await using orphan = await SpoolKit.open(temporaryDirectory());
    const nobody = orphan.spool.account('signal', 'nobody', 'GRS-6.1-011');
    expect(await rejectionOf(nobody.deliver([long]))).toBe('spool/no-stream');
    expect(objectFiles(orphan.directory)).toEqual([]);
  });
});

describe('a media object', () => {
  it('is sealed beside its record, padded, and opens with the key in the view', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const { sink } = await kit.account();
    const bytes = randomBytes(300_000);
    const delivered = await sink.deliverMedia(attachment('photo', bytes), [
      { name: 'cursor', value: Buffer.from('7') },
    ]);
    expect(delivered).toMatchObject({ seq: 1, fresh: true });
    expect(sink.session('cursor')?.toString()).toBe('7');
    const row = rowsOf(kit)[1] as StoredRow;
    const [ref] = objOf(row);
    expect(row.entry).toMatchObject({ t: 'media', tag: sink.tagOf(attachment('photo', bytes).native) });
    expect(ref?.n).toBeGreaterThan(bytes.length + 16 * 5);
    const reader = await readerOf(kit);
    const view = await reader.view(row);
    const object = view.kind === 'attachment' ? view.object : { key: '', size: 0, sha256: '' };
    expect(object).toMatchObject({ size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') });
    const opened = await buffer(openObject(Buffer.from(object.key, 'hex'), reader.sealedObject(ref?.h ?? '')));
    expect(opened.subarray(0, object.size).equals(bytes)).toBe(true);
    expect(opened.subarray(object.size).every((byte) => byte === 0)).toBe(true);
  });

  it('may be delivered twice, at once or after a restart: it is one record and one file', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const { sink } = await kit.account();
    const bytes = randomBytes(10_000);
    const both = await Promise.all([
      sink.deliverMedia(attachment('photo', bytes)),
      sink.deliverMedia(attachment('photo', bytes, { via: 'journal' })),
    ]);
    expect(both.map(({ seq }) => seq)).toEqual([1, 1]);
    expect(both.filter(({ fresh }) => fresh)).toHaveLength(1);
    await kit.reopen();
    const again = await (await kit.account()).sink.deliverMedia(attachment('photo', bytes));
    expect(again).toMatchObject({ seq: 1, id: both[0]?.id, fresh: false });
    expect(await (await kit.account()).sink.deliverMedia(attachment('photo', randomBytes(10_000)))).toMatchObject({
      fresh: true,
    });
    expect(objectFiles(kit.directory)).toHaveLength(2);
    expect(kit.fatal).toEqual([]);
  });

  it('holds nothing at all as well as anything', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const { sink } = await kit.account();
    await sink.deliverMedia(attachment('empty', Buffer.alloc(0)));
    const view = await (await readerOf(kit)).view(rowsOf(kit)[1] as StoredRow);
    expect(view).toMatchObject({ object: { size: 0, sha256: createHash('sha256').digest('hex') } });
  });

  it('leaves nothing when its bytes stop coming, its record is too long, or its view cannot be made', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const { sink } = await kit.account();
    const bytes = randomBytes(100_000);
    const broken = (async function* (): AsyncGenerator<Buffer> {
      yield bytes;
      throw new RangeError('the connection ended');
    })();
    const bad = (): never => {
      throw new TypeError('no view');
    };
    const session = [{ name: 'cursor', value: Buffer.from('7') }];
    const results = [
      await rejectionOf(sink.deliverMedia(attachment('a', bytes, { bytes: broken }), session)),
      await rejectionOf(sink.deliverMedia(attachment('a', bytes, { raw: randomBytes(100_000) }), session)),
      await rejectionOf(sink.deliverMedia(attachment('a', bytes, { view: bad }), session)),
    ];
    expect(results).toEqual(['RangeError', 'spool/media-record', 'TypeError']);
    expect(objectFiles(kit.directory)).toEqual([]);
    expect([rowsOf(kit).length, sink.session('cursor')]).toEqual([1, null]);
    expect(await sink.deliverMedia(attachment('a', bytes))).toMatchObject({ fresh: true });
  });

  it('is sealed in bounded memory', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const { sink } = await kit.account();
    const piece = randomBytes(1024 * 1024);
    const bytes = (async function* (): AsyncGenerator<Buffer> {
      for (let count = 0; count < 256; count += 1) yield piece;
    })();
    const before = process.memoryUsage().rss;
    let peak = 0;
    const watch = setInterval(() => (peak = Math.max(peak, process.memoryUsage().rss)), 1);
    await sink.deliverMedia(attachment('film', Buffer.alloc(0), { bytes, view: () => viewOf('a film') }));
    clearInterval(watch);
    expect(peak - before).toBeLessThan(128 * 1024 * 1024);
  });
});
