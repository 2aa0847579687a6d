// SPDX-License-Identifier: AGPL-3.0-or-later
import { expect } from 'vitest';
import { covers } from '../../src/archive/store-lock.ts';
import { parseStatement, verifyStatement } from '../../src/record/batch.ts';
import { openCheckpoint } from '../../src/record/checkpoint.ts';
import { genesisOf, isStreamRecord, parseEntry, sealedPart } from '../../src/record/entry.ts';
import type { Entry, PackEntry, StreamRecord } from '../../src/record/entry-types.ts';
import { leafHash, sha256Hex, type Hash } from '../../src/record/hash.ts';
import { parseHeads } from '../../src/record/heads.ts';
import type { KeyId, SigningKey } from '../../src/record/key.ts';
import {
  headsKey,
  leafOfKey,
  logPrefix,
  packKey,
  packPrefix,
  segmentKey,
  segmentPrefix,
} from '../../src/record/layout.ts';
import { openManifest, signersOf } from '../../src/record/manifest.ts';
import { EMPTY_RANGE } from '../../src/record/merkle.ts';
import { parseSegment, verifyTail, type Segment } from '../../src/record/segment.ts';
import { TreeWindow } from '../../src/record/tree-window.ts';
import type { Report } from '../../src/verify/report.ts';
import { verifyArchive } from '../../src/verify/verify.ts';
import { ROOT } from '../vectors/keys.ts';
import { LOG_KEY, ORIGIN, type ArchiverKit } from './archiver-kit.ts';
import type { StrictBucket } from './strict-bucket.ts';
import { StrictStore } from './strict-store.ts';

export interface CheckedLog {
  readonly size: number;
  readonly segments: readonly Segment[];
  readonly entries: readonly Entry[];
  /** Ids of all records of streams, in the order of the log. */
  readonly ids: readonly string[];
  /** Packs in the store that no entry names. */
  readonly orphans: readonly string[];
}

/** Everything a log must be, read from the bucket alone and by the format's own words. Throws on the first thing that is not so. */
export function checkLog(bucket: StrictBucket): CheckedLog {
  expect(bucket.violations).toEqual([]);
  const walk = new Walk(bucket);
  for (const key of bucket.keys(segmentPrefix(ORIGIN))) walk.segment(key);
  walk.checkpoints();
  return walk.result();
}

class Walk {
  readonly #bucket: StrictBucket;
  readonly #window = new TreeWindow(EMPTY_RANGE);
  readonly #segments: Segment[] = [];
  readonly #entries: Entry[] = [];
  readonly #ids: string[] = [];
  readonly #named = new Set<string>();
  readonly #heads = new Map<string, { seq: number; id: string; key: string }>();
  readonly #roots = new Map<number, Hash>();
  #signers = new Map<KeyId, SigningKey>();
  #archivers = new Map<KeyId, SigningKey>();

  constructor(bucket: StrictBucket) {
    this.#bucket = bucket;
  }

  segment(key: string): void {
    expect(leafOfKey(key)).toBe(this.#window.size);
    const segment = parseSegment(this.#bucket.bytes(key));
    const { head, tail } = segment;
    expect(head.origin).toBe(ORIGIN);
    expect(head.edge).toEqual(this.#window.range());
    if (head.first > 0) this.#assertSigned(head.checkpoint, head.first);
    const entries = segment.entries.map((line) => parseEntry(line.toString('latin1')));
    for (const [index, entry] of entries.entries()) {
      const line = segment.entries[index] as Buffer;
      this.#window.append(leafHash(line));
      if (isStreamRecord(entry)) this.#record(entry, leafHash(line).toString('hex'));
      else if (entry.t === 'key') this.#signersFrom(segment, entry.doc);
      else if (entry.t === 'heads') this.#checkHeads(segment, entry.file.h);
    }
    expect(this.#window.root().equals(tail.root)).toBe(true);
    this.#roots.set(this.#window.size, this.#window.root());
    verifyTail(segment, this.#archivers.get(tail.key) as SigningKey);
    this.#checkBatches(segment, entries);
    this.#checkPacks(segment, entries);
    this.#segments.push(segment);
    this.#entries.push(...entries);
  }

  #signersFrom({ docs }: Segment, hash: string): void {
    const document = docs.find((line) => sha256Hex(line) === hash);
    const manifest = openManifest(String(document), ROOT.key, ORIGIN);
    this.#archivers = new Map([...this.#archivers, ...signersOf(manifest, 'archiver')]);
    this.#signers = new Map([...this.#signers, ...signersOf(manifest, 'connector'), ...signersOf(manifest, 'reader')]);
  }

  #record(record: StreamRecord, id: string): void {
    const { stream, seq, prev } = record;
    const head = this.#heads.get(stream);
    const key = record.t === 'open' ? record.key : (head?.key ?? '');
    expect({ stream, seq, prev }).toEqual({
      stream,
      seq: (head?.seq ?? -1) + 1,
      prev: head?.id ?? genesisOf(ORIGIN, stream),
    });
    const next = record.t === 'hole' ? { seq: seq + record.count - 1, id: record.last } : { seq, id };
    this.#heads.set(stream, { ...next, key });
    this.#ids.push(id);
  }

  #checkBatches({ batches, docs, entries: lines }: Segment, entries: readonly Entry[]): void {
    let at = 0;
    for (const text of batches) {
      const statement = parseStatement(text.toString('latin1'));
      verifyStatement(statement, this.#signers.get(statement.key) as SigningKey);
      const [first, last] = [entries[at] as StreamRecord, lines[at + statement.count - 1] as Buffer];
      expect([first.stream, first.seq]).toEqual([statement.stream, statement.first]);
      expect(leafHash(last).toString('hex')).toBe(statement.last);
      expect(this.#heads.get(statement.stream)?.key).toBe(statement.key);
      at += statement.count;
    }
    expect(entries.slice(at).every((entry) => !isStreamRecord(entry))).toBe(true);
    const epochs = new Set(entries.flatMap((entry) => sealedPart(entry)?.epoch ?? []));
    const held = new Set(docs.map((line) => sha256Hex(line)));
    for (const epoch of epochs) expect(held.has(epoch)).toBe(true);
    // Nothing that no entry names: what a job carries besides is not signed.
    const manifests = entries.flatMap((entry) => (entry.t === 'key' ? entry.doc : []));
    expect(held).toEqual(new Set([...epochs, ...manifests]));
  }

  #checkPacks({ head }: Segment, entries: readonly Entry[]): void {
    const packs = entries.filter((entry): entry is PackEntry => entry.t === 'pack');
    const classes = new Set(entries.flatMap((entry) => sealedPart(entry)?.ret ?? []));
    expect(packs.map(({ ret }) => ret).toSorted()).toEqual([...classes].toSorted());
    const lock = this.#bucket.winner(segmentKey(ORIGIN, head.first))?.lock ?? null;
    for (const { h, n, leaves, ret, until } of packs) {
      this.#named.add(packKey(ORIGIN, h));
      const bytes = this.#bucket.bytes(packKey(ORIGIN, h));
      const kept = this.#bucket.winner(packKey(ORIGIN, h))?.lock ?? null;
      const bodies = leaves.flatMap(([first, count]) => entries.slice(first - head.first, first - head.first + count));
      const sealed = bodies.flatMap((entry) => sealedPart(entry) ?? []).filter((one) => one.ret === ret);
      let at = 0;
      for (const { body } of sealed) {
        expect(sha256Hex(bytes.subarray(at, at + body.n))).toBe(body.h);
        at += body.n;
      }
      expect([at, bytes.length]).toEqual([n, n]);
      expect(covers(kept, { mode: 'COMPLIANCE', until })).toBe(true);
      expect(lock !== null && lock.until > until).toBe(true);
    }
  }

  #checkHeads({ head }: Segment, hash: string): void {
    const file = this.#bucket.bytes(headsKey(ORIGIN, head.first));
    expect(sha256Hex(file)).toBe(hash);
    expect(parseHeads(file).leaves).toBe(head.first);
  }

  /** Whatever the log key ever signed, stored or only sent, is one history. */
  checkpoints(): void {
    for (const { key, text } of this.#bucket.sent) {
      if (!key.endsWith('/checkpoint')) continue;
      this.#assertSigned(text, openCheckpoint(text, LOG_KEY).size);
    }
  }

  #assertSigned(note: string, size: number): void {
    const checkpoint = openCheckpoint(note, LOG_KEY);
    expect(checkpoint.size).toBe(size);
    // One signed size that no segment ends at, or another root, is a fork.
    expect(this.#roots.get(size)?.equals(checkpoint.root)).toBe(true);
  }

  result(): CheckedLog {
    for (const key of this.#bucket.keys(logPrefix(ORIGIN))) {
      const locked = !key.endsWith('/checkpoint');
      for (const { lock, isMarker } of this.#bucket.versions(key)) if (!isMarker) expect(lock !== null).toBe(locked);
    }
    const orphans = this.#bucket.keys(packPrefix(ORIGIN)).filter((key) => !this.#named.has(key));
    const { size } = this.#window;
    return { size, segments: this.#segments, entries: this.#entries, ids: this.#ids, orphans };
  }
}

/** {@link checkLog}, and that every record of every sender is in the log once and has its receipt. */
export function checkAll(kit: ArchiverKit): CheckedLog {
  const log = checkLog(kit.bucket);
  const sent = kit.senders.flatMap((sender) => sender.ids());
  expect(log.ids.toSorted()).toEqual(sent.toSorted());
  expect(kit.backlog()).toBe(0);
  for (const sender of kit.senders) expect(sender.badReceipts).toEqual([]);
  return log;
}

export function auditorsReport(bucket: StrictBucket): Promise<Report> {
  return verifyArchive(new StrictStore(bucket), { origin: ORIGIN, root: ROOT.key, log: LOG_KEY }, { workers: 0 });
}

/** What an auditor holds against the log. Nobody here writes beats, so silence is no surprise. */
export async function auditorsFindings(bucket: StrictBucket): Promise<string[]> {
  const report = await auditorsReport(bucket);
  const codes = [...report.findings, ...report.unchecked].map(({ code }) => code);
  return codes.filter((code) => !code.startsWith('verify/silence'));
}
