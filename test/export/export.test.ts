// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Deed } from '../../src/access/act.ts';
import { Failure } from '../../src/base/failure.ts';
import { LocalTime } from '../../src/search/local-time.ts';
import { parseQuery } from '../../src/search/query-parse.ts';
import { openDirReader } from '../../src/verify/dir-reader.ts';
import type { ArchiveReader } from '../../src/verify/reader.ts';
import { digestOf, exported, filesIn, indexed, jsonLines, manifestIn, type ExportKit } from './kit.ts';
import { makeStory, NOTE, PICTURE, PROGRAM, SCRIPTS } from './story.ts';

const root = mkdtempSync(join(tmpdir(), 'holdfast-export-'));
let kit: Pick<ExportKit, 'archive' | 'index'>;
beforeAll(async () => {
  kit = { archive: await makeStory(join(root, 'story')), index: join(root, 'index') };
  await indexed(kit.archive, kit.index);
}, 120_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));

let count = 0;
const place = (): string => join(root, `out-${(count += 1)}`);

describe('an export', () => {
  it('has the same bytes every time, in every zone of the machine', async () => {
    const [first, second] = [place(), place()];
    await exported({ ...kit, out: first });
    const before = process.env['TZ'];
    process.env['TZ'] = 'Pacific/Auckland';
    try {
      await exported({ ...kit, out: second });
    } finally {
      if (before === undefined) delete process.env['TZ'];
      else process.env['TZ'] = before;
    }
    expect(digestOf(second)).toBe(digestOf(first));
  });

  it('has the same bytes from an index that was built anew', async () => {
    const [first, second, index] = [place(), place(), join(root, 'anew')];
    await indexed(kit.archive, index);
    await exported({ ...kit, out: first });
    await exported({ ...kit, index, out: second });
    expect(digestOf(second)).toBe(digestOf(first));
  });

  it('names every file in its manifest, with length and hash, and lies where only its owner looks', async () => {
    const out = place();
    const result = await exported({ ...kit, out });
    const files = filesIn(out);
    const manifest = manifestIn(out) as unknown as { files: { name: string; size: number; sha256: string }[] };
    expect(manifest.files.map(({ name }) => name).toSorted()).toEqual(
      [...files.keys()].filter((name) => name !== 'manifest.json').toSorted(),
    );
    for (const { name, size, sha256 } of manifest.files) {
      const bytes = files.get(name) ?? Buffer.alloc(0);
      expect([name, bytes.length, hashOf(bytes)]).toEqual([name, size, sha256]);
    }
    expect(result.manifestSha256).toBe(hashOf(files.get('manifest.json') ?? Buffer.alloc(0)));
    expect([statSync(out).mode & 0o777, statSync(join(out, 'manifest.json')).mode & 0o777]).toEqual([0o700, 0o600]);
    expect(existsSync(`${out}.partial`)).toBe(false);
  });

  it('brings the files that the archive holds, and says of the others what became of them', async () => {
    const out = place();
    const result = await exported({ ...kit, out });
    const bytes = [...filesIn(out)]
      .filter(([name]) => name.startsWith('files/'))
      .map(([, one]) => one.toString('latin1'));
    expect(bytes.toSorted()).toEqual([PICTURE, PROGRAM, NOTE].map((one) => one.toString('latin1')).toSorted());
    expect(result).toMatchObject({ files: 3, filesNeverCaptured: 1, filesMissing: 0, filesCorrupt: 0 });
    const told = jsonLines(out).flatMap(({ files }) => (files ?? []) as Record<string, unknown>[]);
    expect(told.map(({ name, state, lie }) => [name, state, lie])).toEqual([
      ['../../etc/berth\u202Egnp.png', 'present', null],
      ['photo.jpg.exe', 'present', 'sent as image/jpeg, its bytes are application/x-msdownload'],
      ['con', 'never-captured', null],
      ['minutes.txt', 'present', null],
    ]);
  });

  it('lists every record behind what it shows, by id and leaf', async () => {
    const out = place();
    await exported({ ...kit, out });
    const listed = readFileSync(join(out, 'records.csv'), 'utf8').trim().split('\r\n').slice(1);
    const records = jsonLines(out).flatMap(({ line, records: all }) =>
      ((all ?? []) as { leaf: number; id: string }[]).map(({ leaf, id }) => `${leaf},${id},${String(line)},hit`),
    );
    expect(listed).toEqual(records);
    const leaves = records.map((one) => Number(one.split(',')[0]));
    expect(new Set(leaves).size).toBe(leaves.length);
  });

  it('says what it is complete up to, and which gaps are within its span', async () => {
    const out = place();
    const { checkpoint } = await exported({ ...kit, out });
    const text = readFileSync(join(out, 'completeness.txt'), 'utf8');
    expect(text).toContain(`checkpoint of ${checkpoint.size} entries`);
    expect(text).toContain(checkpoint.root);
    expect(text).toContain('unlinked (account, open)');
    expect(readFileSync(join(out, 'certification-draft.txt'), 'utf8')).toContain(checkpoint.root);
  });

  it('says times in the zone asked for, and which it is', async () => {
    const out = place();
    await exported({ ...kit, out, zone: new LocalTime('America/New_York'), formats: ['csv'] });
    const text = readFileSync(join(out, 'messages.csv'), 'utf8');
    expect(text).toContain('2026-11-22 04:01:00 -05:00');
    expect(readFileSync(join(out, 'completeness.txt'), 'utf8')).toContain('time zone America/New_York');
  });

  it('has what was said in all scripts, untouched', async () => {
    const out = place();
    await exported({ ...kit, out });
    const texts = jsonLines(out).map(({ text }) => text);
    const csv = readFileSync(join(out, 'messages.csv'), 'utf8');
    for (const text of SCRIPTS) {
      expect(texts).toContain(text);
      expect(csv).toContain(text);
    }
  });

  it('gives out no key of the archive', async () => {
    const out = place();
    await exported({ ...kit, out });
    expect(readFileSync(join(out, 'messages.jsonl'), 'utf8')).not.toMatch(/"key":"[0-9a-f]{64}"/);
  });
});

describe('files that the archive no longer has as they were', () => {
  const objects = (archive: string): string[] =>
    [...filesIn(archive, 'media')]
      .map(([name]) => join(archive, name))
      .toSorted((a, b) => statSync(a).size - statSync(b).size);

  it('are said to be missing or corrupt, in every format, and the others come', async () => {
    const [archive, out] = [join(root, `copy-${(count += 1)}`), place()];
    cpSync(kit.archive, archive, { recursive: true });
    const all = objects(archive);
    // Sealed objects are padded: the picture's is the longest.
    const picture = all.at(-1) ?? '';
    const bytes = readFileSync(picture);
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
    chmodSync(picture, 0o600);
    writeFileSync(picture, bytes);
    unlinkSync(all[0] ?? '');
    const result = await exported({ ...kit, archive, out });
    expect(result).toMatchObject({ files: 3, filesMissing: 1, filesCorrupt: 1, filesNeverCaptured: 1 });
    expect([...filesIn(out).keys()].filter((name) => name.startsWith('files/')).length).toBe(1);
    const states = jsonLines(out).flatMap(({ files }) =>
      ((files ?? []) as { state: string }[]).map(({ state }) => state),
    );
    expect(states.toSorted()).toEqual(['corrupt', 'missing', 'never-captured', 'present']);
    const [csv, page] = [
      readFileSync(join(out, 'messages.csv'), 'utf8'),
      readFileSync(join(out, 'messages.html'), 'utf8'),
    ];
    for (const text of [csv, page]) for (const word of ['MISSING from', 'CORRUPT in']) expect(text).toContain(word);
    expect(readFileSync(join(out, 'completeness.txt'), 'utf8')).toMatch(
      /1 file of the archive is gone[^]*1 file of the archive is not what/,
    );
  });

  it('stop an export when the store only fails to give them, and the same command goes on', async () => {
    const [out, whole] = [place(), place()];
    // A store that lists what it has and does not answer when it is asked for an object.
    const sound = await openDirReader(kit.archive);
    const reader: ArchiveReader = {
      abilities: sound.abilities,
      listVersions: (prefix, after) => sound.listVersions(prefix, after),
      state: (key, version) => sound.state(key, version),
      readStream: (key, version) =>
        key.startsWith('media/') ? Promise.reject(new Error('away')) : sound.readStream(key, version),
    };
    await expect(exported({ ...kit, out, reader })).rejects.toMatchObject({ code: 'export/archive-unread' });
    expect(existsSync(out)).toBe(false);
    await exported({ ...kit, out });
    await exported({ ...kit, out: whole });
    expect(digestOf(out)).toBe(digestOf(whole));
  });
});

describe('what an export selects', () => {
  it('brings the messages around a hit, by the rule, and marks them', async () => {
    const out = place();
    const selection = { by: 'query', query: parseQuery('say nothing') } as const;
    const rule = { wholeUpTo: 3, around: 1 };
    const { lines, hits } = await exported({ ...kit, out, selection, rule });
    const shown = jsonLines(out).filter(({ type }) => type === 'line');
    expect([lines, hits]).toEqual([3, 1]);
    expect(shown.map(({ text, scope }) => [text, scope])).toEqual([
      ['minutes', 'context'],
      ['say nothing', 'hit'],
      [null, 'context'],
    ]);
    expect(shown.map(({ skippedBefore }) => skippedBefore)).toEqual([7, undefined, undefined]);
  });

  it('brings a conversation whole', async () => {
    const out = place();
    await exported({ ...kit, out, selection: { by: 'conversation', name: 'Harbour Watch' } });
    const conversations = jsonLines(out).filter(({ type }) => type === 'conversation');
    expect(conversations).toMatchObject([{ title: 'Harbour Watch', total: 14, lines: 14 }]);
  });

  it('brings the messages of given records, and names ids it does not know', async () => {
    const [all, out] = [place(), place()];
    await exported({ ...kit, out: all });
    const hit = jsonLines(all).find(({ text }) => text === 'by whom?');
    const [record] = (hit?.['records'] ?? []) as { id: string }[];
    const ids = [record?.id ?? '', 'f'.repeat(64)];
    const rule = { wholeUpTo: 0, around: 0 };
    await exported({ ...kit, out, selection: { by: 'records', ids }, rule });
    expect(jsonLines(out).flatMap(({ type, text }) => (type === 'line' ? [text] : []))).toEqual(['by whom?']);
    expect(readFileSync(join(out, 'completeness.txt'), 'utf8')).toContain(
      `not in this archive: record ${'f'.repeat(64)}`,
    );
  });

  it('writes nothing when nothing matches', async () => {
    const out = place();
    const selection = { by: 'query', query: parseQuery('zeppelin') } as const;
    await expect(exported({ ...kit, out, selection })).rejects.toMatchObject({ code: 'export/nothing' });
    expect([existsSync(out), existsSync(`${out}.partial`)]).toEqual([false, false]);
  });
});

describe('the record of an export', () => {
  it('is made before anything is written, with what and how much', async () => {
    const out = place();
    const seen: { deeds: readonly Deed[]; files: number }[] = [];
    await exported({
      ...kit,
      out,
      record: async (deeds) => void seen.push({ deeds, files: filesIn(`${out}.partial`, 'export').size }),
    });
    expect(seen).toEqual([
      {
        deeds: [{ act: 'export', selection: 'everything', format: 'rsmf, jsonl, csv, html, pdf', items: 24 }],
        files: 0,
      },
    ]);
  });

  it('must be possible: else not a byte is written', async () => {
    const out = place();
    const refusal = new Failure('export/write', { expected: 'a spool', got: 'none' });
    const record = async (): Promise<void> => {
      throw refusal;
    };
    await expect(exported({ ...kit, out, record })).rejects.toBe(refusal);
    expect(existsSync(out)).toBe(false);
    expect(filesIn(`${out}.partial`, 'export').size).toBe(0);
  });
});

function hashOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
