// SPDX-License-Identifier: AGPL-3.0-or-later

/*
 * How fast `verify` is: `node bench/verify.ts [--records 1000000] [--dir DIR]`
 *
 * Builds an archive (batches of 50 records, bodies of 600 bytes, one pack a segment) in a temporary folder, or in DIR, where it
 * is kept and used again. Then, in one run and so on one machine: verify without payloads, with payloads, and `openssl dgst -sha256` over the same packs.
 */
import { execFileSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { encodeStatement, signBatch } from '../src/record/batch.ts';
import { signCheckpoint } from '../src/record/checkpoint.ts';
import { encodeEntry, entryId, genesisOf } from '../src/record/entry.ts';
import type { Entry } from '../src/record/entry-types.ts';
import { sha256Hex } from '../src/record/hash.ts';
import { checkpointKey, packKey, segmentKey } from '../src/record/layout.ts';
import { manifestHash, signManifest } from '../src/record/manifest.ts';
import { EMPTY_RANGE, RangeBuilder, rootOf } from '../src/record/merkle.ts';
import { noteKey } from '../src/record/note.ts';
import { addPeriod, toSeconds } from '../src/record/period.ts';
import { encodeSegment } from '../src/record/segment.ts';
import type { Trust } from '../src/record/trust.ts';
import { openDirReader } from '../src/verify/dir-reader.ts';
import { verifyArchive } from '../src/verify/verify.ts';
import { standInEpoch } from '../test/support/stand-in-epoch.ts';
import { ARCHIVER, CONNECTOR, ESCROW, hexOf, LOG, READER, ROOT } from '../test/vectors/keys.ts';
import { atLeast, atMost, noted, peakMiB, tell } from './figures.ts';

const ORIGIN = 'bench.example/log';
const TRUST: Trust = { origin: ORIGIN, root: ROOT.key, log: noteKey(ORIGIN, LOG.key) };
const STREAMS = 50;
const BATCH_RECORDS = 50;
const SEGMENT_BATCHES = 120;
const EPOCH_RECORDS = 10_000;
const BODY_BYTES = 600;
const CLASS = 'GRS-6.1-011';
const PERIOD = 'P7Y';
const START_MS = Date.parse('2026-11-22T15:00:00Z');

interface BenchStream {
  readonly stream: string;
  seq: number;
  prev: string;
}

/** Writes segments as an archiver would, without its services. */
class Builder {
  readonly #root: string;
  readonly #tree = new RangeBuilder(EMPTY_RANGE);
  readonly #streams: BenchStream[];
  #segments = 0;
  #index = 0;
  #epoch = '';
  #epochCount = 0;

  constructor(root: string) {
    this.#root = root;
    this.#streams = Array.from({ length: STREAMS }, (_, number) => {
      const stream = hexOf(`bench stream ${number}`, 32);
      return { stream, seq: 0, prev: genesisOf(ORIGIN, stream) };
    });
  }

  put(key: string, bytes: string | Uint8Array): void {
    const path = join(this.#root, key);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
  }

  build(records: number): void {
    this.#writeGenesis();
    for (let left = records; left > 0; left -= BATCH_RECORDS * SEGMENT_BATCHES) {
      this.#writeRecords(Math.ceil(Math.min(left, BATCH_RECORDS * SEGMENT_BATCHES) / BATCH_RECORDS));
    }
  }

  get #at(): string {
    return toSeconds(START_MS + this.#segments * 1000);
  }

  #writeGenesis(): void {
    const manifest = signManifest(
      {
        origin: ORIGIN,
        n: 0,
        at: this.#at,
        previous: null,
        evaluation: true,
        recipients: [READER.recipient, ESCROW.recipient],
        signers: [
          { role: 'archiver', name: 'archiver', pub: ARCHIVER.key.raw.toString('base64') },
          { role: 'connector', name: 'connector', pub: CONNECTOR.key.raw.toString('base64') },
        ],
      },
      ROOT.privateKey,
    );
    const own = { v: 1, at: this.#at, log: ORIGIN };
    const entries = [
      { ...own, t: 'key', doc: manifestHash(manifest), kind: 'manifest', n: 0 },
      { ...own, t: 'store', create: 'link', hold: false, kind: 'directory', locks: false },
      { ...own, t: 'retention', authority: 'bench', class: CLASS, max: PERIOD, mode: 'COMPLIANCE', period: PERIOD },
    ].map((entry) => encodeEntry(entry as unknown as Entry));
    this.#writeSegment([manifest], [], entries);
  }

  #writeSegment(docs: string[], batches: string[], entries: string[]): void {
    const before = this.#tree.range();
    const checkpoint = before.end === 0 ? '' : this.#checkpoint();
    const parts = { origin: ORIGIN, before, checkpoint, docs, batches, entries, at: this.#at };
    this.put(segmentKey(ORIGIN, before.end), encodeSegment(parts, ARCHIVER.key, ARCHIVER.privateKey));
    for (const entry of entries) this.#tree.appendLeaf(entryId(entry));
    this.put(checkpointKey(ORIGIN), this.#checkpoint());
    this.#segments += 1;
  }

  #checkpoint(): string {
    return signCheckpoint({ origin: ORIGIN, size: this.#tree.end, root: rootOf(this.#tree.range()) }, LOG.privateKey);
  }

  #writeRecords(batches: number): void {
    const lines: string[] = [];
    const statements: string[] = [];
    const docs = new Set<string>();
    const bodies: Buffer[] = [];
    const noise = randomFillSync(Buffer.alloc(batches * BATCH_RECORDS * (BODY_BYTES + 48)));
    for (let batch = 0; batch < batches; batch += 1) {
      const stream = this.#streams[(this.#segments * SEGMENT_BATCHES + batch) % STREAMS] as BenchStream;
      const first = stream.seq;
      for (let record = 0; record < BATCH_RECORDS; record += 1) {
        const from = (batch * BATCH_RECORDS + record) * (BODY_BYTES + 48);
        const isOpen = stream.seq === 0;
        const line = isOpen
          ? this.#open(stream)
          : this.#content(stream, noise.subarray(from, from + BODY_BYTES + 48), docs);
        if (!isOpen) bodies.push(noise.subarray(from, from + BODY_BYTES));
        lines.push(line);
        stream.prev = entryId(line).toString('hex');
        stream.seq += 1;
      }
      const statement = { origin: ORIGIN, stream: stream.stream, gen: 1, first, count: BATCH_RECORDS };
      const signed = signBatch({ ...statement, last: stream.prev, key: CONNECTOR.key.id }, CONNECTOR.privateKey);
      statements.push(encodeStatement(signed));
    }
    this.#writeSegment([...docs], statements, [...lines, this.#pack(Buffer.concat(bodies), lines.length)]);
  }

  #pack(bytes: Buffer, records: number): string {
    const h = sha256Hex(bytes);
    this.put(packKey(ORIGIN, h), bytes);
    const until = toSeconds(addPeriod(Date.parse(this.#at), PERIOD));
    const leaves = [[this.#tree.end, records]];
    const entry = { v: 1, at: this.#at, log: ORIGIN, t: 'pack', h, n: bytes.length, ret: CLASS, until, leaves };
    return encodeEntry(entry as unknown as Entry);
  }

  #open({ stream, prev }: BenchStream): string {
    const acct = hexOf(`account of ${stream}`, 32);
    const fields = { acct, app: 'signal', gen: 1, key: CONNECTOR.key.id, role: 'account' };
    return encodeEntry({ v: 1, at: this.#at, stream, seq: 0, prev, t: 'open', ...fields } as unknown as Entry);
  }

  /** Written out in canonical order, because there are a million of them. */
  #content({ stream, seq, prev }: BenchStream, noise: Buffer, docs: Set<string>): string {
    if (this.#index % EPOCH_RECORDS === 0) {
      this.#epochCount += 1;
      const kids = [READER, ESCROW].map(({ recipient }) => recipient.kid);
      this.#epoch = standInEpoch(kids, `stands for epoch ${this.#epochCount}`);
    }
    docs.add(this.#epoch);
    const i = this.#index % EPOCH_RECORDS;
    this.#index += 1;
    const h = sha256Hex(noise.subarray(0, BODY_BYTES));
    const com = noise.toString('hex', BODY_BYTES, BODY_BYTES + 32);
    const tag = noise.toString('hex', BODY_BYTES + 32, BODY_BYTES + 48);
    return (
      `{"at":"${this.#at}","body":{"h":"${h}","n":${BODY_BYTES}},"com":"${com}","epoch":"${sha256Hex(this.#epoch)}","i":${i},` +
      `"prev":"${prev}","ret":"${CLASS}","seq":${seq},"stream":"${stream}","t":"content","tag":"${tag}","v":1}`
    );
  }
}

/** What a process that only verified says of itself. */
interface Timed {
  readonly seconds: number;
  /** Of all threads: what it costs where nothing else runs. */
  readonly cpuSeconds: number;
  readonly peakMiB: number;
  readonly records: number;
  readonly payloadBytes: number;
}

async function timed(root: string, payloads: boolean): Promise<Timed> {
  const startedMs = performance.now();
  const before = process.cpuUsage();
  const report = await verifyArchive(await openDirReader(root), TRUST, { payloads });
  const seconds = (performance.now() - startedMs) / 1000;
  if (report.verdict !== 'verified') throw new Error(`${report.headline}: ${report.findings[0]?.code}`);
  const { user, system } = process.cpuUsage(before);
  const { records, payloadBytes } = report.counts;
  return { seconds, cpuSeconds: (user + system) / 1e6, peakMiB: peakMiB(), records, payloadBytes };
}

/** This program once more, for one step: a process of its own, whose memory is that of the step. */
function apart(step: 'prepare' | 'without' | 'with', root: string, records: string): string {
  const args = [fileURLToPath(import.meta.url), '--step', step, '--dir', root, '--records', records];
  return execFileSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}

function shown({ seconds, cpuSeconds, records }: Timed): string {
  const each = `${((cpuSeconds * 1e6) / records).toFixed(1)} µs of CPU each`;
  return `${seconds.toFixed(2)} s  ${Math.round(records / seconds)} records/s  ${each}`;
}

function opensslSeconds(root: string): number {
  const folder = join(root, 'log', ORIGIN, 'pack');
  const files = readdirSync(folder).map((name) => join(folder, name));
  const startedMs = performance.now();
  for (let at = 0; at < files.length; at += 1000) {
    execFileSync('openssl', ['dgst', '-sha256', ...files.slice(at, at + 1000)], { maxBuffer: 2 ** 24 });
  }
  return (performance.now() - startedMs) / 1000;
}

/** By a process of its own, whose memory is none of the verifier's. Reads every file, so that both sides read from the page cache. */
function prepare(root: string, records: number): void {
  if (!existsSync(join(root, 'log'))) {
    const startedMs = performance.now();
    new Builder(root).build(records);
    console.log(`built in ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
  }
  for (const name of readdirSync(root, { recursive: true, withFileTypes: true })) {
    if (name.isFile()) readFileSync(join(name.parentPath, name.name));
  }
}

function compare(root: string, count: string): void {
  const without = JSON.parse(apart('without', root, count)) as Timed;
  const opensslS = opensslSeconds(root);
  const whole = JSON.parse(apart('with', root, count)) as Timed;
  const { records, payloadBytes } = without;
  // By processor time, because others may use the machine.
  const twoCores = (2 * records) / without.cpuSeconds;
  console.log(
    `${records} records, ${Math.round(payloadBytes / 2 ** 20)} MiB of packs, ${availableParallelism()} cores`,
  );
  tell([
    noted('without payloads', shown(without)),
    noted('with payloads', shown(whole)),
    noted('openssl dgst -sha256 of the packs', `${opensslS.toFixed(2)} s`),
    atLeast('records/s that two cores allow', twoCores, 100_000, twoCores.toFixed(0)),
    atMost('time with payloads : without + openssl', whole.seconds / (without.seconds + opensslS), 1.3),
    atMost('peak memory without payloads, MiB', without.peakMiB, 300, String(without.peakMiB)),
    atMost('peak memory with payloads, MiB', whole.peakMiB, 300, String(whole.peakMiB)),
  ]);
}

const { values } = parseArgs({
  options: { records: { type: 'string', default: '1000000' }, dir: { type: 'string' }, step: { type: 'string' } },
});
const root = values.dir ?? mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
if (values.step === 'prepare') prepare(root, Number(values.records));
else if (values.step !== undefined) process.stdout.write(JSON.stringify(await timed(root, values.step === 'with')));
else {
  try {
    process.stdout.write(apart('prepare', root, values.records));
    compare(root, values.records);
  } finally {
    if (values.dir === undefined) rmSync(root, { recursive: true });
  }
}
