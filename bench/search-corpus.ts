// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { encodeStatement, signBatch } from '../src/record/batch.ts';
import { signCheckpoint } from '../src/record/checkpoint.ts';
import { encodeEntry, entryId, genesisOf } from '../src/record/entry.ts';
import type { ContentEntry, Entry } from '../src/record/entry-types.ts';
import { sha256Hex } from '../src/record/hash.ts';
import { checkpointKey, packKey, segmentKey } from '../src/record/layout.ts';
import { manifestHash, openManifest } from '../src/record/manifest.ts';
import { EMPTY_RANGE, RangeBuilder, rootOf } from '../src/record/merkle.ts';
import type { Party, View } from '../src/record/message.ts';
import { noteKey } from '../src/record/note.ts';
import { toSeconds } from '../src/record/period.ts';
import { encodeSegment } from '../src/record/segment.ts';
import type { Trust } from '../src/record/trust.ts';
import { createEpoch, type Epoch } from '../src/seal/epoch.ts';
import { associatedData, renderHeader, type Bodiless } from '../src/seal/header.ts';
import { prepareParts, sealBody, sealedFields } from '../src/seal/seal.ts';
import { ARCHIVER, CONNECTOR, hexOf, LOG, ROOT } from '../test/vectors/keys.ts';
import { firstManifest } from './manifest.ts';

export const ORIGIN = 'bench.example/log';
export const TRUST: Trust = { origin: ORIGIN, root: ROOT.key, log: noteKey(ORIGIN, LOG.key) };
const CLASS = 'bench';
const ACCOUNTS = 40;
const CHATS = 400;
const PEOPLE = 2000;
const VOCABULARY = 40_000;
const BATCH_RECORDS = 100;
const SEGMENT_RECORDS = 4000;
const EPOCH_RECORDS = 10_000;
export const START_MS = Date.UTC(2025, 0, 1);
const SPAN_MS = 600 * 86_400_000;

/** The same numbers in every run. */
export function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Few are frequent, many are rare. */
const skewed = (random: number, most: number): number => Math.floor(most ** random) - 1;

export function wordAt(n: number): string {
  const syllables = [
    'ka',
    'ro',
    'mi',
    'ten',
    'sul',
    'var',
    'ne',
    'po',
    'li',
    'dra',
    'go',
    'she',
    'un',
    'bel',
    'fi',
    'wu',
  ];
  let [left, text] = [n + 1, ''];
  for (; left > 0; left = Math.floor(left / 16)) text += syllables[left % 16];
  return text;
}

const CJK = '検査報告書港湾封印容器番号船舶到着出発木曜金曜確認完了写真添付';

export function partyAt(n: number): Party {
  const number = `+1202${String(n).padStart(7, '0')}`;
  return { id: `${hexOf(`person ${n}`, 32)}`, number, name: `${wordAt(n * 7)} ${wordAt(n * 13 + 5)}` };
}

interface Said {
  readonly sender: Party;
  readonly sentAtMs: number;
  readonly account: number;
  readonly chat: number;
}

/** Messages of a busy agency: mostly words, some in Japanese, some with files, edits, reactions and receipts among them. */
export class Corpus {
  readonly #random: () => number;
  #last: Said | null = null;

  constructor(seed = 7) {
    this.#random = numbers(seed);
  }

  view(n: number, of: number): { view: View; account: number } {
    const random = this.#random;
    const sentAtMs = START_MS + Math.floor((n / of) * SPAN_MS) + Math.floor(random() * 1000);
    const what = random();
    if (this.#last !== null && what < 0.12) return { view: this.#about(what, sentAtMs), account: this.#last.account };
    const chat = skewed(random(), CHATS);
    const account = chat % ACCOUNTS;
    const sender = partyAt((chat * 17 + skewed(random(), 40)) % PEOPLE);
    const length = 4 + skewed(random(), 24);
    const words = Array.from({ length }, () => wordAt(skewed(random(), VOCABULARY)));
    const from = Math.floor(random() * (CJK.length - 8));
    const text = random() < 0.1 ? CJK.slice(from, from + 8) : words.join(' ');
    const file = {
      id: `f${n}`,
      contentType: 'image/jpeg',
      fileName: `${wordAt(n % 900)}.jpg`,
      size: 1000,
      place: 'attachment',
    } as const;
    const content = random() < 0.08 ? { text, attachments: [file] } : { text };
    this.#last = { sender, sentAtMs, account, chat };
    return { view: { ...this.#head(account, chat, sender, sentAtMs), kind: 'message', content }, account };
  }

  #about(what: number, sentAtMs: number): View {
    const { sender, sentAtMs: target, account, chat } = this.#last as Said;
    const ref = { author: sender, sentAtMs: target };
    const other = partyAt((chat * 17 + 3) % PEOPLE);
    if (what < 0.08) {
      return {
        ...this.#head(account, chat, other, sentAtMs),
        chat: null,
        kind: 'receipt',
        state: 'read',
        targets: [ref],
      };
    }
    const head = this.#head(account, chat, what < 0.1 ? other : sender, sentAtMs);
    if (what < 0.1) return { ...head, kind: 'reaction', target: ref, emoji: '👍', removed: false };
    return { ...head, kind: 'edit', target: ref, content: { text: `${wordAt(Math.floor(what * 1e5))} corrected` } };
  }

  #head(account: number, chat: number, sender: Party, sentAtMs: number): Omit<View, 'kind'> & { v: 1 } {
    const group = { type: 'group', id: `group ${chat}`, name: `${wordAt(chat * 3)} ${wordAt(chat * 5 + 1)}` } as const;
    const owner = { id: null, number: `+1303${String(account).padStart(7, '0')}` };
    return {
      v: 1,
      app: 'signal',
      account: owner,
      direction: 'in',
      chat: group,
      sender,
      sentAtMs,
      serverAtMs: sentAtMs + 150,
    };
  }
}

interface BenchStream {
  readonly stream: string;
  readonly account: number;
  seq: number;
  prev: string;
}

/** Writes an archive whose records are really sealed, as connectors and an archiver would, without their services. */
export class SealedArchive {
  readonly #root: string;
  readonly #tree = new RangeBuilder(EMPTY_RANGE);
  readonly #streams: BenchStream[];
  #epoch: Epoch | null = null;
  #sealed = 0;
  #nowMs = START_MS;
  #lastPack: { hash: string; bodies: readonly { leaf: number; body: Buffer }[] } = { hash: '', bodies: [] };

  static readonly manifest = firstManifest(ORIGIN, toSeconds(START_MS));

  constructor(root: string) {
    this.#root = root;
    this.#streams = Array.from({ length: ACCOUNTS }, (_, account) => {
      const stream = hexOf(`bench stream ${account}`, 32);
      return { stream, account, seq: 0, prev: genesisOf(ORIGIN, stream) };
    });
  }

  async build(records: number): Promise<void> {
    const own = { v: 1, at: toSeconds(START_MS), log: ORIGIN, t: 'key', kind: 'manifest', n: 0 };
    const entry = encodeEntry({ ...own, doc: manifestHash(SealedArchive.manifest) } as unknown as Entry);
    this.#segment([SealedArchive.manifest], [], [entry]);
    const corpus = new Corpus();
    for (let done = 0; done < records; done += SEGMENT_RECORDS) {
      const views = Array.from({ length: Math.min(SEGMENT_RECORDS, records - done) }, (_, n) =>
        corpus.view(done + n, records),
      );
      this.#nowMs = Math.max(this.#nowMs, ...views.map(({ view }) => view.sentAtMs ?? 0)) + 1000;
      await this.#records(views);
    }
  }

  /** The bodies of the last pack that `keeps` names go to a new one; the old one is deleted, as a disposition does. */
  repack(keeps: (leaf: number) => boolean): void {
    const { hash, bodies } = this.#lastPack;
    const kept = bodies.filter(({ leaf }) => keeps(leaf));
    const pack = Buffer.concat(kept.map(({ body }) => body));
    const h = sha256Hex(pack);
    this.#put(packKey(ORIGIN, h), pack);
    rmSync(join(this.#root, packKey(ORIGIN, hash)));
    const at = toSeconds(this.#nowMs);
    const leaves = kept.map(({ leaf }) => [leaf, 1]);
    const entry = { v: 1, at, log: ORIGIN, t: 'repack', from: hash, h, n: pack.length, ret: CLASS, until: at, leaves };
    this.#segment([], [], [encodeEntry(entry as unknown as Entry)]);
  }

  async #records(views: readonly { view: View; account: number }[]): Promise<void> {
    const [lines, statements]: [string[], string[]] = [[], []];
    const bodies: { leaf: number; body: Buffer }[] = [];
    const docs = new Set<string>();
    const byAccount = Map.groupBy(views, ({ account }) => account);
    for (const [account, some] of byAccount) {
      const stream = this.#streams[account] as BenchStream;
      for (let at = 0; at < some.length; at += BATCH_RECORDS) {
        const [first, before] = [stream.seq, lines.length];
        if (stream.seq === 0) this.#append(stream, this.#open(stream), lines);
        for (const { view } of some.slice(at, at + BATCH_RECORDS)) {
          const { line, body } = await this.#seal(stream, view, docs);
          bodies.push({ leaf: this.#tree.end + lines.length, body });
          this.#append(stream, line, lines);
        }
        const batch = { origin: ORIGIN, stream: stream.stream, gen: 1, first, count: lines.length - before };
        const signed = signBatch({ ...batch, last: stream.prev, key: CONNECTOR.key.id }, CONNECTOR.privateKey);
        statements.push(encodeStatement(signed));
      }
    }
    const pack = Buffer.concat(bodies.map(({ body }) => body));
    const h = sha256Hex(pack);
    this.#lastPack = { hash: h, bodies };
    this.#put(packKey(ORIGIN, h), pack);
    const at = toSeconds(this.#nowMs);
    const leaves = [[this.#tree.end, lines.length]];
    const entry = { v: 1, at, log: ORIGIN, t: 'pack', h, n: pack.length, ret: CLASS, until: at, leaves };
    this.#segment([...docs], statements, [...lines, encodeEntry(entry as unknown as Entry)]);
  }

  #append(stream: BenchStream, line: string, lines: string[]): void {
    lines.push(line);
    stream.prev = entryId(line).toString('hex');
    stream.seq += 1;
  }

  #open({ stream, prev, account }: BenchStream): string {
    const fields = {
      acct: hexOf(`account ${account}`, 32),
      app: 'signal',
      gen: 1,
      key: CONNECTOR.key.id,
      role: 'account',
    };
    const entry = { v: 1, at: toSeconds(this.#nowMs), stream, seq: 0, prev, t: 'open', ...fields };
    return encodeEntry(entry as unknown as Entry);
  }

  async #seal(
    { stream, seq, prev }: BenchStream,
    view: View,
    docs: Set<string>,
  ): Promise<{ line: string; body: Buffer }> {
    if (this.#epoch === null || this.#sealed % EPOCH_RECORDS === 0) {
      this.#epoch = await createEpoch(openManifest(SealedArchive.manifest, ROOT.key, ORIGIN));
    }
    this.#sealed += 1;
    docs.add(this.#epoch.text);
    const text = JSON.stringify(view);
    const prepared = prepareParts({
      cap: Buffer.from('{"via":"webhook"}'),
      view: Buffer.from(text),
      raw: Buffer.from(`{"envelope":${text}}`),
    });
    const at = toSeconds((view.serverAtMs ?? this.#nowMs) + 1000);
    const unsealed = {
      v: 1,
      at,
      stream,
      seq,
      prev,
      t: 'content',
      ret: CLASS,
      tag: hexOf(`${stream} ${seq}`, 32),
    } as const;
    const header: Bodiless<ContentEntry> = { ...unsealed, ...sealedFields(this.#epoch, prepared) };
    const { bytes, ref } = sealBody(this.#epoch, header.i, prepared.padded, associatedData(header));
    return { line: renderHeader(header, ref), body: bytes };
  }

  #segment(docs: string[], batches: string[], entries: string[]): void {
    const before = this.#tree.range();
    const checkpoint = before.end === 0 ? '' : this.#checkpoint();
    const parts = { origin: ORIGIN, before, checkpoint, docs, batches, entries, at: toSeconds(this.#nowMs) };
    this.#put(segmentKey(ORIGIN, before.end), encodeSegment(parts, ARCHIVER.key, ARCHIVER.privateKey));
    for (const entry of entries) this.#tree.appendLeaf(entryId(entry));
    this.#put(checkpointKey(ORIGIN), this.#checkpoint());
  }

  #checkpoint(): string {
    return signCheckpoint({ origin: ORIGIN, size: this.#tree.end, root: rootOf(this.#tree.range()) }, LOG.privateKey);
  }

  #put(key: string, bytes: string | Uint8Array): void {
    const path = join(this.#root, key);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
  }
}
