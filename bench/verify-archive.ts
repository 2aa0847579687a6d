// SPDX-License-Identifier: AGPL-3.0-or-later
import { randomFillSync } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { encodeStatement, signBatch } from '../src/record/batch.ts';
import { signCheckpoint } from '../src/record/checkpoint.ts';
import { cosign, cosignerKey, encodeCosignerKey } from '../src/record/cosignature.ts';
import { encodeEntry, entryId, genesisOf } from '../src/record/entry.ts';
import type { Entry } from '../src/record/entry-types.ts';
import { sha256Hex } from '../src/record/hash.ts';
import { checkpointKey, logPrefix, packKey, segmentKey, tileCheckpointKey, witnessKey } from '../src/record/layout.ts';
import { manifestHash } from '../src/record/manifest.ts';
import { rootOf } from '../src/record/merkle.ts';
import { encodeVerifierKey, noteKey, parseNote } from '../src/record/note.ts';
import { parsePolicy } from '../src/record/policy.ts';
import { addPeriod, toSeconds } from '../src/record/period.ts';
import { encodeSegment } from '../src/record/segment.ts';
import { TileBuilder, type Tile } from '../src/record/tile-builder.ts';
import type { Trust } from '../src/record/trust.ts';
import { standInEpoch } from '../test/support/stand-in-epoch.ts';
import { ARCHIVER, CONNECTOR, ESCROW, hexOf, LOG, READER, ROOT, signingPair } from '../test/vectors/keys.ts';
import { firstManifest } from './manifest.ts';

// The archive that `verify` is measured on, written as an archiver would, without its services.

export const ORIGIN = 'bench.example/log';
export const TRUST: Trust = { origin: ORIGIN, root: ROOT.key, log: noteKey(ORIGIN, LOG.key) };
const STREAMS = 50;
const BATCH_RECORDS = 50;
const SEGMENT_BATCHES = 120;
const EPOCH_RECORDS = 10_000;
const BODY_BYTES = 600;
const CLASS = 'GRS-6.1-011';
const PERIOD = 'P7Y';
const START_MS = Date.parse('2026-11-22T15:00:00Z');
/** A hidden name: what an auditor kept lies outside of the archive. */
export const SEEN = '.seen';
const WITNESSES = ['one.example', 'two.example'].map((name) => ({ name, pair: signingPair(`witness ${name}`) }));
export const POLICY = parsePolicy(
  [
    `log ${encodeVerifierKey(TRUST.log)}`,
    ...WITNESSES.map(({ name, pair }) => `witness ${name} ${encodeCosignerKey(cosignerKey(name, pair.key))}`),
    'group g all one.example two.example\nquorum g\n',
  ].join('\n'),
);

interface BenchStream {
  readonly stream: string;
  seq: number;
  prev: string;
}

/** Writes segments as an archiver would, without its services. */
export class Builder {
  readonly #root: string;
  readonly #tree = new TileBuilder();
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
    const seen = this.#checkpoint();
    for (let left = records; left > 0; left -= BATCH_RECORDS * SEGMENT_BATCHES) {
      this.#writeRecords(Math.ceil(Math.min(left, BATCH_RECORDS * SEGMENT_BATCHES) / BATCH_RECORDS));
    }
    this.#finish(seen);
  }

  get #at(): string {
    return toSeconds(START_MS + this.#segments * 1000);
  }

  #writeGenesis(): void {
    const manifest = firstManifest(ORIGIN, this.#at);
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
    for (const entry of entries) this.#publish(this.#tree.append(Buffer.from(entry)));
    this.put(checkpointKey(ORIGIN), this.#checkpoint());
    this.#cosign(this.#checkpoint());
    this.#segments += 1;
  }

  #publish(tiles: readonly Tile[]): void {
    for (const { path, bytes } of tiles) this.put(logPrefix(ORIGIN) + path, bytes);
  }

  /** As witnesses do behind each segment. */
  #cosign(note: string): void {
    const { text } = parseNote(note);
    const at = Date.parse(this.#at) / 1000;
    const cosigned = note + WITNESSES.map(({ name, pair }) => cosign(text, name, pair.privateKey, at)).join('');
    this.put(witnessKey(ORIGIN, this.#tree.size, sha256Hex(cosigned)), cosigned);
  }

  /** The last tiles, and what an auditor kept who was here after the first segment. */
  #finish(seen: string): void {
    this.#publish(this.#tree.open());
    this.put(tileCheckpointKey(ORIGIN), this.#checkpoint());
    writeFileSync(join(this.#root, SEEN), seen);
  }

  #checkpoint(): string {
    return signCheckpoint({ origin: ORIGIN, size: this.#tree.size, root: rootOf(this.#tree.range()) }, LOG.privateKey);
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
    const leaves = [[this.#tree.size, records]];
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
