// SPDX-License-Identifier: AGPL-3.0-or-later

/*
 * How long a proof bundle takes in a long log: `node bench/prove.ts [--leaves 1000000] [--dir DIR]`
 *
 * Writes a log's tiles, a listing of as many segments as such a log has, and the segments that a bundle reads, to a temporary folder, or to DIR, where
 * they are kept. Leaves of other segments are hashes of numbers. The record is the first of a batch of 256, the longest way to what is signed.
 * Then, in one run and so on one machine: a bundle of it, and one in a log of a thousandth of the leaves.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { zipSync } from 'fflate';
import { ArchiveSource } from '../src/prove/archive-source.ts';
import { checkBundle } from '../src/prove/check.ts';
import { collect } from '../src/prove/collect.ts';
import { derive } from '../src/prove/derive.ts';
import { encodeStatement, MAX_BATCH_RECORDS, signBatch } from '../src/record/batch.ts';
import { signCheckpoint } from '../src/record/checkpoint.ts';
import { encodeEntry, entryId } from '../src/record/entry.ts';
import type { ContentEntry, Entry, StreamHead } from '../src/record/entry-types.ts';
import { leafHash, sha256Hex } from '../src/record/hash.ts';
import { encodeHeads, headsRootHex, type StreamState } from '../src/record/heads.ts';
import { headsKey, logPrefix, segmentKey, tileCheckpointKey } from '../src/record/layout.ts';
import { manifestHash } from '../src/record/manifest.ts';
import { rootOf } from '../src/record/merkle.ts';
import { noteKey } from '../src/record/note.ts';
import { encodeSegment } from '../src/record/segment.ts';
import { TileLevels } from '../src/record/tile-builder.ts';
import { openDirReader } from '../src/verify/dir-reader.ts';
import { ARCHIVER, CONNECTOR, hexOf, LOG, ROOT } from '../test/vectors/keys.ts';
import { firstManifest } from './manifest.ts';
import { atMost, noted, tell } from './figures.ts';

const ORIGIN = 'bench.example/log';
const TRUST = { origin: ORIGIN, root: ROOT.key, log: noteKey(ORIGIN, LOG.key) };
const AT = '2026-11-22T15:00:00Z';
const STREAMS = 500;
const SEGMENT_LEAVES = 1000;
const BATCHES = 3;
const RUNS = 15;
const MOST_BYTES = 64 * 1024;

const MANIFEST = firstManifest(ORIGIN, AT);

/** Batches of one stream, in its middle: the record that is proven is the first of the second one. */
function someBatches(): { lines: string[]; statements: string[]; last: StreamHead } {
  const stream = hexOf('bench stream', 32);
  const lines: string[] = [];
  const statements: string[] = [];
  let head: StreamHead = { stream, seq: 99_999, id: hexOf('before') };
  for (let batch = 0; batch < BATCHES; batch += 1) {
    const first = head.seq + 1;
    for (let n = 0; n < MAX_BATCH_RECORDS; n += 1) {
      const seq = first + n;
      const entry: ContentEntry = {
        v: 1,
        t: 'content',
        at: AT,
        stream,
        seq,
        prev: head.id,
        ret: 'GRS-6.1-011',
        epoch: hexOf('epoch'),
        i: seq,
        body: { h: hexOf(`body ${seq}`), n: 600 },
        com: hexOf(`com ${seq}`),
        tag: hexOf(`tag ${seq}`, 32),
      };
      const line = encodeEntry(entry);
      lines.push(line);
      head = { stream, seq, id: entryId(line).toString('hex') };
    }
    const said = {
      origin: ORIGIN,
      stream,
      gen: 1,
      first,
      count: MAX_BATCH_RECORDS,
      last: head.id,
      key: CONNECTOR.key.id,
    };
    statements.push(encodeStatement(signBatch(said, CONNECTOR.privateKey)));
  }
  return { lines, statements, last: head };
}

class LongLog {
  readonly #root: string;
  readonly #levels = new TileLevels();
  #note = '';

  constructor(root: string) {
    this.#root = root;
  }

  #put(key: string, bytes: string | Uint8Array): void {
    const path = join(this.#root, key);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
  }

  #append(leaf: Buffer): void {
    for (const { path, bytes } of this.#levels.append(leaf)) this.#put(logPrefix(ORIGIN) + path, bytes);
  }

  /** Leaves that no bundle reads, under the names of their segments. */
  #fill(to: number): void {
    const number = Buffer.alloc(8);
    while (this.#levels.size < to) {
      if (this.#levels.size % SEGMENT_LEAVES === 0) this.#put(segmentKey(ORIGIN, this.#levels.size), 'x');
      number.writeDoubleBE(this.#levels.size);
      this.#append(leafHash(number));
    }
  }

  #segment(entries: readonly string[], batches: readonly string[], docs: readonly string[]): void {
    const before = this.#levels.range();
    const parts = { origin: ORIGIN, before, docs, batches, entries, at: AT, checkpoint: this.#note };
    this.#put(segmentKey(ORIGIN, before.end), encodeSegment(parts, ARCHIVER.key, ARCHIVER.privateKey));
    for (const line of entries) this.#append(entryId(line));
    this.#sign();
  }

  #sign(): void {
    const range = this.#levels.range();
    this.#note = signCheckpoint({ origin: ORIGIN, size: range.end, root: rootOf(range) }, LOG.privateKey);
  }

  /** Returns the leaf of the record to prove. */
  build(leaves: number): number {
    const own = { v: 1, at: AT, log: ORIGIN } as const;
    const key = encodeEntry({ ...own, t: 'key', doc: manifestHash(MANIFEST), kind: 'manifest', n: 0 } as Entry);
    this.#segment([key], [], [MANIFEST]);
    const middle = Math.floor(leaves / 2 / SEGMENT_LEAVES) * SEGMENT_LEAVES;
    this.#fill(middle);
    this.#sign();
    const { lines, statements, last } = someBatches();
    this.#segment(lines, statements, []);
    this.#fill(middle + SEGMENT_LEAVES);
    this.#sign();
    this.#heads(last, middle + lines.length - 1, key);
    this.#fill(leaves);
    this.#sign();
    for (const { path, bytes } of this.#levels.open()) this.#put(logPrefix(ORIGIN) + path, bytes);
    this.#put(tileCheckpointKey(ORIGIN), this.#note);
    return middle + MAX_BATCH_RECORDS;
  }

  #heads(last: StreamHead, leaf: number, key: string): void {
    const streams = Array.from({ length: STREAMS }, (_, n): StreamState => {
      const state = {
        acct: hexOf(`acct ${n}`, 32),
        app: 'signal',
        role: 'account',
        gen: 1,
        key: CONNECTOR.key.id,
      } as const;
      const other = { stream: hexOf(`stream ${n}`, 32), seq: n, id: hexOf(`id ${n}`), leaf: 1 + n };
      return { ...state, at: AT, closed: false, ...(n === 0 ? { ...last, leaf } : other) };
    }).toSorted((a, b) => (a.stream < b.stream ? -1 : 1));
    const leaves = this.#levels.size;
    const file = encodeHeads({ origin: ORIGIN, leaves, docs: [MANIFEST], rules: [key], streams });
    this.#put(headsKey(ORIGIN, leaves), file);
    const named = { h: sha256Hex(file), n: file.length };
    const entry = {
      v: 1,
      at: AT,
      log: ORIGIN,
      t: 'heads',
      file: named,
      root: headsRootHex(streams),
      streams: STREAMS,
    } as const;
    this.#segment([encodeEntry(entry)], [], []);
  }
}

interface Proved {
  readonly ms: number;
  readonly bytes: number;
  readonly zipBytes: number;
  readonly hashes: number;
  /** Until the leaf of the record's id was found. */
  readonly byIdMs: number;
}

/** The median time of a bundle from nothing: no tile and no segment is kept from one to the next. */
async function prove(root: string, leaf: number): Promise<Proved> {
  const times: number[] = [];
  let files = new Map<string, Buffer>();
  for (let n = 0; n < RUNS; n += 1) {
    const startedMs = performance.now();
    const core = await collect(new ArchiveSource(await openDirReader(root), TRUST), leaf);
    files = new Map([...core, ...derive(core)]);
    times.push(performance.now() - startedMs);
  }
  const { findings, proven } = checkBundle(files, { trust: TRUST });
  if (findings.length > 0 || proven?.leaf !== leaf) throw new Error(`the bundle does not hold: ${findings[0]?.code}`);
  const id = entryId(files.get('record.json')?.toString() ?? '').toString('hex');
  const startedMs = performance.now();
  const found = await new ArchiveSource(await openDirReader(root), TRUST).leafOf(id);
  const byIdMs = performance.now() - startedMs;
  if (found !== leaf) throw new Error(`the id was found at ${found}`);
  const bytes = [...files.values()].reduce((sum, { length }) => sum + length, 0);
  const hashes = (files.get('by-hand/path.txt')?.toString().split('\n').length ?? 1) - 1;
  const ms = times.toSorted((a, b) => a - b)[Math.floor(RUNS / 2)] ?? Number.NaN;
  return { ms, bytes, zipBytes: zipSync(Object.fromEntries(files), { level: 9 }).length, hashes, byIdMs };
}

const { values } = parseArgs({ options: { leaves: { type: 'string', default: '1000000' }, dir: { type: 'string' } } });
const leaves = Number(values.leaves);
const root = values.dir ?? mkdtempSync(join(tmpdir(), 'holdfast-bench-prove-'));

async function proveIn(name: string, size: number): Promise<Proved> {
  const folder = join(root, name);
  const middle = Math.floor(size / 2 / SEGMENT_LEAVES) * SEGMENT_LEAVES + MAX_BATCH_RECORDS;
  const leaf = existsSync(folder) ? middle : new LongLog(folder).build(size);
  return await prove(folder, leaf);
}

try {
  const short = await proveIn('short', Math.max(10_000, leaves / 1000));
  const long = await proveIn('long', leaves);
  tell([
    atMost(`bundle in a log of ${leaves} leaves, ms`, long.ms, 1000, long.ms.toFixed(0)),
    atMost('time : that in a log of a thousandth', long.ms / short.ms, 3),
    atMost('zip, bytes, first of a batch of 256', long.zipBytes, MOST_BYTES, String(long.zipBytes)),
    noted('folder, bytes, first of a batch of 256', String(long.bytes)),
    noted('hashes in the proof', String(long.hashes)),
    noted('the leaf of an id in the middle of the log, ms', long.byIdMs.toFixed(0)),
  ]);
} finally {
  if (values.dir === undefined) rmSync(root, { recursive: true, force: true });
}
