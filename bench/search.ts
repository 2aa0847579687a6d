// SPDX-License-Identifier: AGPL-3.0-or-later

/*
 * How fast reading is: `node bench/search.ts [--records 100000] [--dir DIR]`
 *
 * Seals an archive (in DIR, where it is kept and used again, or in a temporary folder), indexes it, and asks. Each kind of search is
 * held against the bare FTS5 statement on the same file in the same run, in turns, row of the line included.
 */
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { parseArgs } from 'node:util';
import { openManifest } from '../src/record/manifest.ts';
import { Indexer } from '../src/search/indexer.ts';
import { parseQuery } from '../src/search/query-parse.ts';
import type { SearchOrder } from '../src/search/index-db.ts';
import { SqliteIndex } from '../src/search/sqlite-index.ts';
import { openDirReader } from '../src/verify/dir-reader.ts';
import { READER, ROOT } from '../test/vectors/keys.ts';
import { atLeast, atMost, noted, tell, type Figure } from './figures.ts';
import { numbers, ORIGIN, SealedArchive, TRUST, wordAt } from './search-corpus.ts';

/** Enough that the code of both sides is compiled, as it is in a process that answers all day. */
const ASKED = 1000;
const MOST_RATIO = 1.5;
const LEAST_RECORDS_PER_SECOND = 20_000;

const { values } = parseArgs({ options: { records: { type: 'string', default: '100000' }, dir: { type: 'string' } } });
const records = Number(values.records);
const root = values.dir ?? mkdtempSync(join(tmpdir(), 'holdfast-bench-search-'));
const archive = join(root, `archive-${records}`);
const index = join(root, 'index');

const seconds = (sinceMs: number): number => (performance.now() - sinceMs) / 1000;

async function build(): Promise<void> {
  if (existsSync(join(archive, 'log'))) return;
  const startedMs = performance.now();
  await new SealedArchive(archive).build(records);
  console.log(`sealed ${records} records in ${seconds(startedMs).toFixed(1)} s`);
}

async function indexAll(): Promise<Figure[]> {
  rmSync(index, { recursive: true, force: true });
  await using db = SqliteIndex.openForWriting(index);
  const manifest = openManifest(SealedArchive.manifest, ROOT.key, ORIGIN);
  const reader = await openDirReader(archive);
  const { privateKey: key, recipient } = READER;
  await using indexer = await Indexer.open({ reader, trust: TRUST, manifest, key, kid: recipient.kid, db });
  const startedMs = performance.now();
  const cpu = process.cpuUsage();
  const own = process.threadCpuUsage();
  const taken = (await indexer.catchUp())?.records ?? 0;
  const tookS = seconds(startedMs);
  const each = ({ user, system }: NodeJS.CpuUsage): number => (user + system) / taken;
  const [all, taking] = [each(process.cpuUsage(cpu)), each(process.threadCpuUsage(own))];
  const size = statSync(join(index, 'index.db')).size;
  // The thread that takes in is the one that cannot be doubled: with cores enough for opening it alone sets the pace.
  const pace = 1e6 / taking;
  const shown = `${Math.round(pace)} (${taking.toFixed(1)} µs to take one in, ${(all - taking).toFixed(1)} µs to open it in other threads)`;
  return [
    atLeast('records/s that opening in threads allows', pace, LEAST_RECORDS_PER_SECOND, shown),
    noted(
      'records/s by the clock, opening included',
      `${Math.round(taken / tookS)} (${taken} records in ${tookS.toFixed(1)} s)`,
    ),
    noted('bytes of index a record', String(Math.round(size / taken))),
  ];
}

interface Kind {
  readonly name: string;
  readonly order?: SearchOrder;
  readonly counts?: boolean;
  readonly ask: (random: () => number) => { query: string; match: string; range?: readonly [number, number] };
}

const DAY_IDS = 86_400 * 16_384;
const day = (random: () => number): { text: string; id: number } => {
  const atMs = Date.UTC(2025, 0, 1) + Math.floor(random() * 500) * 86_400_000;
  return { text: new Date(atMs).toISOString().slice(0, 10), id: (atMs / 1000) * 16_384 };
};
const rare = (random: () => number): string => wordAt(5000 + Math.floor(random() * 30_000));
const frequent = (random: () => number): string => wordAt(Math.floor(random() * 20));

const KINDS: readonly Kind[] = [
  { name: 'rare word', ask: (random) => ((word) => ({ query: word, match: `text : "${word}"` }))(rare(random)) },
  {
    name: 'frequent word, newest 50',
    ask: (random) => ((word) => ({ query: word, match: `text : "${word}"` }))(frequent(random)),
  },
  {
    name: 'frequent word, 30 days, one conversation',
    ask: (random) => {
      const [word, from, chat] = [frequent(random), day(random), 50 + Math.floor(random() * 40)];
      const until = new Date(Date.parse(from.text) + 29 * 86_400_000).toISOString().slice(0, 10);
      const range = [from.id, from.id + 30 * DAY_IDS] as const;
      return {
        query: `${word} in:#${chat} on:${from.text}..${until}`,
        match: `(text : "${word}" AND meta : ("c_${chat}"))`,
        range,
      };
    },
  },
  {
    name: 'phrase of two words',
    ask: (random) => {
      const phrase = `${frequent(random)} ${frequent(random)}`;
      return { query: `"${phrase}"`, match: `text : "${phrase}"` };
    },
  },
  {
    name: 'begin of a word',
    ask: (random) => {
      const begin = wordAt(600 + Math.floor(random() * 3000)).slice(0, 5);
      return { query: `${begin}*`, match: `text : "${begin}" *` };
    },
  },
  {
    name: 'two characters of Japanese',
    ask: (random) => {
      const at = Math.floor(random() * 20);
      const pair = '検査報告書港湾封印容器番号船舶到着出発木曜金曜確認'.slice(at, at + 2);
      return { query: pair, match: `text : "${pair}"` };
    },
  },
  {
    name: 'by relevance',
    order: 'relevance',
    ask: (random) => ((word) => ({ query: word, match: `text : "${word}"` }))(rare(random)),
  },
  {
    name: 'count of a frequent word',
    counts: true,
    ask: (random) => ((word) => ({ query: word, match: `text : "${word}"` }))(frequent(random)),
  },
];

const ROW = 'SELECT l.id, l.conversation, l.author, l.kind, l.at, l.edited, l.deleted, l.copies, l.leaf, l.text';

/** The statement alone, prepared once: what the index could be at best. */
function bare(
  db: DatabaseSync,
  { order, counts }: Kind,
): (match: string, range?: readonly [number, number]) => unknown {
  if (counts === true) {
    const statement = db.prepare('SELECT count(*) AS n FROM words w WHERE words MATCH ?');
    return (match) => statement.get(match);
  }
  const ranged = db.prepare(
    `${ROW} FROM words w JOIN line l ON l.id = w.rowid WHERE words MATCH ? AND w.rowid >= ? AND w.rowid < ? ORDER BY w.rowid DESC LIMIT 50`,
  );
  const by = order === 'relevance' ? 'bm25(words, 1.0, 0.0), w.rowid DESC' : 'w.rowid DESC';
  const statement = db.prepare(
    `${ROW} FROM words w JOIN line l ON l.id = w.rowid WHERE words MATCH ? ORDER BY ${by} LIMIT 50`,
  );
  return (match, range) => (range === undefined ? statement.all(match) : ranged.all(match, ...range));
}

function percentile(times: readonly number[], share: number): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length * share)] ?? 0;
}

async function compare(kind: Kind, db: SqliteIndex, file: DatabaseSync): Promise<Figure> {
  const best = bare(file, kind);
  const [ours, theirs]: [number[], number[]] = [[], []];
  for (const isWarm of [false, true]) {
    const random = numbers(42);
    for (let n = 0; n < ASKED; n += 1) {
      const { query, match, range } = kind.ask(random);
      const askBare = (): void => {
        const startedMs = performance.now();
        best(match, range);
        if (isWarm) theirs.push(performance.now() - startedMs);
      };
      // Whoever comes second finds the pages in memory: turn about.
      if (n % 2 === 0) askBare();
      const startedMs = performance.now();
      if (kind.counts === true) await db.count(parseQuery(query));
      else await db.search(parseQuery(query), { order: kind.order ?? 'newest', limit: 50, after: null });
      if (isWarm) ours.push(performance.now() - startedMs);
      if (n % 2 === 1) askBare();
    }
  }
  // Of each query against the same query bare; the median, because other programs take the processor away from either.
  const ratio = percentile(
    ours.map((time, n) => time / (theirs[n] as number)),
    0.5,
  );
  const pair = (times: readonly number[]): string =>
    `${percentile(times, 0.5).toFixed(3)} / ${percentile(times, 0.95).toFixed(3)}`;
  return atMost(kind.name, ratio, MOST_RATIO, `${ratio.toFixed(2)} (${pair(ours)} ms, bare ${pair(theirs)})`);
}

await build();
const figures = await indexAll();
{
  await using db = SqliteIndex.openForReading(index);
  const file = new DatabaseSync(join(index, 'index.db'), { readOnly: true });
  file.exec('PRAGMA cache_size = -65536; PRAGMA mmap_size = 268435456;');
  for (const kind of KINDS) figures.push(await compare(kind, db, file));
  file.close();
}
if (values.dir === undefined) rmSync(root, { recursive: true, force: true });
tell(figures);
