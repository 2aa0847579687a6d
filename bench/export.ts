// SPDX-License-Identifier: AGPL-3.0-or-later

/*
 * What it costs to export: `node bench/export.ts [--records 100000] [--formats rsmf,jsonl,csv,html,pdf]`
 *
 * Fills an index, and exports all of it in each format: counting, rendering, hashing and fsyncs included.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { PreparedExport } from '../src/export/export.ts';
import { FORMATS, type Format } from '../src/export/formats.ts';
import { DEFAULT_CONTEXT } from '../src/export/selection.ts';
import { LocalTime } from '../src/search/local-time.ts';
import { rangeLevels } from '../src/record/merkle.ts';
import { parseQuery } from '../src/search/query-parse.ts';
import { SqliteIndex } from '../src/search/sqlite-index.ts';
import { SqliteSnapshot } from '../src/search/sqlite-snapshot.ts';
import { openDirReader } from '../src/verify/dir-reader.ts';
import { TRUST } from '../test/support/archive-fixture.ts';
import { ANA, BEN, CLEO, LogWriter, message, MONDAY_MS, positionAt } from '../test/search/kit.ts';
import { atLeast, atMost, noted, peakMiB, tell, type Figure } from './figures.ts';
import { numbers, wordAt } from './search-corpus.ts';

const LEAST_LINES_PER_SECOND = 5000;
const MOST_MIB = 1024;
/** Formats that other systems load, in bulk. */
const BULK: readonly Format[] = ['rsmf', 'jsonl'];

const { values } = parseArgs({
  options: {
    records: { type: 'string', default: '100000' },
    formats: { type: 'string', default: FORMATS.join(',') },
    /** Lines a conversation; 0: all of it in twenty groups. */
    lines: { type: 'string', default: '0' },
  },
});
const groups = values.lines === '0' ? 20 : Math.max(1, Math.round(Number(values.records) / Number(values.lines)));
const root = mkdtempSync(join(tmpdir(), 'holdfast-bench-export-'));
const archive = join(root, 'archive');
const index = join(root, 'index');

/** Twenty groups over some days: hundreds of messages a group and day, as reviewers load them. Each file beyond that costs about 3 ms. */
async function prepare(): Promise<void> {
  mkdirSync(archive);
  const log = new LogWriter();
  const random = numbers(7);
  for (let n = 0; n < Number(values.records); n += 1) {
    const words = Array.from({ length: 4 + Math.floor(random() * 20) }, () => wordAt(Math.floor(random() * 5000)));
    const group = n % groups;
    const chat = { type: 'group', id: `group ${group}`, name: `Group ${group}` } as const;
    const by = [ANA, BEN, CLEO][n % 3] ?? ANA;
    log.capture(ANA, message(words.join(' ')), { by, chat, atMs: MONDAY_MS + n * 7000 });
    if (n % 10_000 === 9999) log.cut();
  }
  await using db = SqliteIndex.openForWriting(index);
  for (const segment of log.cut().segments) {
    const edge = rangeLevels(0, segment.end).map(() => '00'.repeat(32));
    await db.apply([segment], { ...positionAt(segment.end), edge });
  }
}

const opener = (): never => {
  throw new RangeError('nothing to open');
};

/** All of it in one format, from the choice to the rename. */
async function exportAs(format: Format): Promise<Figure> {
  await using snapshot = SqliteSnapshot.open(index);
  const startedMs = performance.now();
  const cpu = process.cpuUsage();
  const audit = { record: async () => undefined };
  const prepared = await PreparedExport.choose(
    { snapshot, reader: await openDirReader(archive), trust: TRUST, opener, audit, version: '0' },
    {
      selection: { by: 'query', query: parseQuery('') },
      rule: DEFAULT_CONTEXT,
      formats: [format],
      zone: new LocalTime('UTC'),
      bates: { prefix: 'BENCH', first: 1, digits: 7 },
      // The lines of this index were never sealed.
      proofs: 'none',
    },
    () => undefined,
  );
  const { lines, bytes } = await prepared.write(join(root, format), () => undefined);
  const seconds = (performance.now() - startedMs) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  rmSync(join(root, format), { recursive: true });
  const each = `${((user + system) / lines).toFixed(0)} µs of CPU a line, ${Math.round(bytes / 1e6)} MB`;
  const shown = `${Math.round(lines / seconds)} (${lines} in ${seconds.toFixed(1)} s, ${each})`;
  const name = `lines/s as ${format}`;
  return BULK.includes(format) ? atLeast(name, lines / seconds, LEAST_LINES_PER_SECOND, shown) : noted(name, shown);
}

try {
  await prepare();
  const figures: Figure[] = [];
  const before = peakMiB();
  for (const format of FORMATS.filter((one) => values.formats.split(',').includes(one)))
    figures.push(await exportAs(format));
  tell([
    ...figures,
    atMost('MiB at most, all formats', peakMiB(), MOST_MIB, `${peakMiB()} (${before} before the first)`),
  ]);
} finally {
  rmSync(root, { recursive: true, force: true });
}
