// SPDX-License-Identifier: AGPL-3.0-or-later

/*
 * What it costs to export: `node bench/export.ts [--records 100000] [--formats rsmf,jsonl,csv,html,pdf]`
 *
 * Seals an archive, indexes it, and exports all of it in each format, counting, hashing and fsyncs included.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { PreparedExport } from '../src/export/export.ts';
import { FORMATS, type Format } from '../src/export/formats.ts';
import { DEFAULT_CONTEXT } from '../src/export/selection.ts';
import { Zone } from '../src/export/zone.ts';
import { openManifest } from '../src/record/manifest.ts';
import { Indexer } from '../src/search/indexer.ts';
import { parseQuery } from '../src/search/query-parse.ts';
import { SqliteIndex } from '../src/search/sqlite-index.ts';
import { SqliteSnapshot } from '../src/search/sqlite-snapshot.ts';
import { openDirReader } from '../src/verify/dir-reader.ts';
import { READER, ROOT } from '../test/vectors/keys.ts';
import { atLeast, atMost, noted, peakMiB, tell, type Figure } from './figures.ts';
import { ORIGIN, SealedArchive, TRUST } from './search-corpus.ts';

const LEAST_LINES_PER_SECOND = 5000;
const MOST_MIB = 1024;
/** Formats that other systems load, in bulk. */
const BULK: readonly Format[] = ['rsmf', 'jsonl'];

const { values } = parseArgs({
  options: { records: { type: 'string', default: '100000' }, formats: { type: 'string', default: FORMATS.join(',') } },
});
const root = mkdtempSync(join(tmpdir(), 'holdfast-bench-export-'));
const archive = join(root, 'archive');
const index = join(root, 'index');

async function prepare(): Promise<void> {
  await new SealedArchive(archive).build(Number(values.records));
  await using db = SqliteIndex.openForWriting(index);
  const manifest = openManifest(SealedArchive.manifest, ROOT.key, ORIGIN);
  const { privateKey: key, recipient } = READER;
  const reader = await openDirReader(archive);
  await using indexer = await Indexer.open({ reader, trust: TRUST, manifest, key, kid: recipient.kid, db });
  await indexer.catchUp();
}

/** All of it in one format, from the choice to the rename. */
async function exportAs(format: Format): Promise<Figure> {
  await using snapshot = SqliteSnapshot.open(index);
  const startedMs = performance.now();
  const cpu = process.cpuUsage();
  const audit = { record: async () => undefined };
  const prepared = await PreparedExport.choose(
    { snapshot, reader: await openDirReader(archive), audit, version: '0' },
    {
      selection: { by: 'query', query: parseQuery('') },
      rule: DEFAULT_CONTEXT,
      formats: [format],
      zone: new Zone('UTC'),
      bates: { prefix: 'BENCH', first: 1, digits: 7 },
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
