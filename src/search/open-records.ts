// SPDX-License-Identifier: AGPL-3.0-or-later
import { asAct, type Act } from '../access/act.ts';
import { Failure } from '../base/failure.ts';
import { FormatError } from '../record/format-error.ts';
import { sha256Hex } from '../record/hash.ts';
import { parseHoldDocument } from '../record/hold.ts';
import { isStreamRecord, sealedPart } from '../record/entry.ts';
import type {
  GapEntry,
  Hex128,
  Hex256,
  HoldEntry,
  PackEntry,
  RepackEntry,
  StreamRecord,
} from '../record/entry-types.ts';
import type { KeyId } from '../record/key.ts';
import { mediaKey } from '../record/layout.ts';
import type { Manifest } from '../record/manifest.ts';
import type { View } from '../record/message.ts';
import { Opener, sealedHeader, type RecipientKey } from '../seal/open.ts';
import { streamed, type ArchiveReader } from '../verify/reader.ts';
import type { FollowedSegment, PackBytes } from './follow.ts';
import type { VerifiedEntry } from './log-cursor.ts';
import { openAll, type Defect, type OpenedText, type OpenTask, type SealedRecord } from './open-task.ts';
import { OpenThreads } from './open-threads.ts';
import { asView } from './view-form.ts';

/** A record of the log as the holder of the reader key sees it. */
export interface ReadRecord {
  readonly leaf: number;
  readonly id: Hex256;
  readonly stream: Hex128;
  readonly seq: number;
  readonly atMs: number;
  readonly type: StreamRecord['t'];
  /** What was understood; null where the record has none, or cannot be read. */
  readonly view: View | null;
  /** The view as it was sealed, where it is at hand: what is kept is then not written anew. */
  readonly viewText?: string;
  /** By which intake it came. */
  readonly via: string | null;
  readonly defect: Defect | null;
  /** For a defect that may pass: the stored bytes it waits for. */
  readonly awaits?: AwaitedBytes;
  /** Sealed objects that the header names: files, mostly. */
  readonly objects?: readonly Hex256[];
  /** What a reader did, of an `access` record; absent where it says nothing of that. */
  readonly act?: Act;
  /** The whole header, for records that say something in clear. */
  readonly clear: Extract<StreamRecord, { t: 'open' | 'close' | 'hole' }> | GapEntry | null;
}

/** Bytes of the store by their hash, that were missing or damaged when a record was read. */
export interface AwaitedBytes {
  readonly kind: 'pack' | 'object';
  readonly hash: Hex256;
}

export interface ReadSegment {
  readonly first: number;
  readonly end: number;
  readonly at: string;
  readonly records: readonly ReadRecord[];
  /** Packs that took over from others. */
  readonly repacks?: readonly RepackEntry[];
  /** What officers approved about holds, each with its document; the log's own word, not yet judged. */
  readonly holds?: readonly LoggedHold[];
  /** Ceremonies with the shares of a key; the log's own word, not yet judged. */
  readonly ceremonies?: readonly VerifiedEntry[];
  /** Which packs hold the bodies of which leaves. */
  readonly packs?: readonly PackRange[];
}

/** A `hold` entry of the log, and the objects that its document names. */
export interface LoggedHold {
  readonly leaf: number;
  readonly entry: HoldEntry;
  readonly packs: readonly Hex256[];
  readonly media: readonly Hex256[];
}

/** Leaves from `first` on, before `end`: the pack may hold the body of each. */
export interface PackRange {
  readonly hash: Hex256;
  readonly first: number;
  readonly end: number;
}

/** Records below which opening them here is quicker than telling a thread. */
const FEW = 200;

/** What a reader holds: its key, and those it had before. */
export interface ReaderKeys extends RecipientKey {
  readonly earlier?: readonly RecipientKey[];
}

/** Opens what the log holds with one reader's keys. */
export class RecordOpener implements AsyncDisposable {
  readonly #reader: ArchiveReader;
  readonly #opener: Opener;
  readonly #kid: KeyId;
  readonly #threads: OpenThreads;
  #before: Promise<unknown> = Promise.resolve();

  constructor(reader: ArchiveReader, { key, kid, earlier = [] }: ReaderKeys, threads: number) {
    this.#reader = reader;
    this.#opener = new Opener(key, kid, earlier);
    this.#kid = kid;
    this.#threads = new OpenThreads({ key, kid, earlier }, threads);
  }

  /**
   * Throws `search/wrong-key` if no manifest so far names the key: nothing would ever open. Earlier keys may be those of manifests that
   * come only later in the log than where reading begins.
   */
  assertNamed(manifests: readonly Manifest[], where: string): void {
    if (manifests.some(({ recipients }) => recipients.some(({ kid }) => kid === this.#kid))) return;
    throw new Failure('search/wrong-key', {
      expected: 'a key that a manifest of the log names as recipient',
      got: `key ${this.#kid}`,
      where,
      fix: 'use the reader key of this archive; nothing was indexed',
    });
  }

  /**
   * May be called again before it has resolved: segments are then opened side by side. `leavesAhead`: of such segments. An archive of
   * many small ones is opened in threads as well.
   */
  async open({ verified, packs }: FollowedSegment, leavesAhead = 0): Promise<ReadSegment> {
    const { first, end, at, docs, entries } = verified;
    const { task, leaves } = taskOf(entries, first, docs, packs);
    const opened = leavesAhead + task.sealed.length < FEW ? await this.#here(task) : await this.#apart(task);
    const byLeaf = new Map(leaves.map((leaf, index) => [leaf, opened[index] as OpenedText]));
    const packOf = packsByLeaf(entries, first);
    const records = entries.flatMap((entry) => recordOf(entry, byLeaf.get(entry.leaf), packOf) ?? []);
    const repacks = entries.flatMap(({ entry }) => (entry.t === 'repack' ? [entry] : []));
    const ranges = entries.flatMap(({ entry }) => (entry.t === 'pack' ? rangesOf(entry) : []));
    const holds = entries.flatMap((entry) => holdOf(entry, docs) ?? []);
    const ceremonies = entries.filter(({ entry }) => entry.t === 'escrow');
    return {
      first,
      end,
      at,
      records,
      packs: ranges,
      ...(holds.length === 0 ? {} : { holds }),
      ...(ceremonies.length === 0 ? {} : { ceremonies }),
      ...(repacks.length === 0 ? {} : { repacks }),
    };
  }

  /** Opens one record again, from a body that is at hand; null for what has none. `pack` is where it lay at first. */
  async reopen(
    entry: VerifiedEntry,
    docs: readonly string[],
    body: Buffer,
    pack: Hex256 | null,
  ): Promise<ReadRecord | null> {
    const header = sealedHeader(entry.entry, entry.line);
    if (header === null) return null;
    const sealed = [{ header, pack: 0, at: 0, length: body.length }];
    const [opened] = await this.#here({ docs, packs: [body], sealed });
    return recordOf(entry, opened, () => pack);
  }

  /** One task after the other. */
  #here(task: OpenTask): Promise<OpenedText[]> {
    const opened = this.#before.then(() => openAll(this.#opener, task, (hash) => this.#object(hash)));
    this.#before = opened.catch(() => undefined);
    return opened;
  }

  /** Long texts are fetched here: threads have no store. */
  async #apart(task: OpenTask): Promise<OpenedText[]> {
    const opened = await this.#threads.open(task);
    const left = opened.flatMap(({ defect }, index) => (defect === 'elsewhere' ? [index] : []));
    const sealed = left.map((index) => task.sealed[index] as SealedRecord);
    const rest = left.length === 0 ? [] : await this.#here({ ...task, sealed });
    left.forEach((index, n) => (opened[index] = rest[n] as OpenedText));
    return opened;
  }

  #object(hash: Hex256): AsyncIterable<Uint8Array> {
    return streamed(this.#reader, mediaKey(hash), '');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#threads[Symbol.asyncDispose]();
  }
}

/** A document that is missing, or none of a hold, is for `verify` to say: here such an entry names nothing. */
function holdOf({ leaf, entry }: VerifiedEntry, docs: readonly string[]): LoggedHold | null {
  if (entry.t !== 'hold') return null;
  const document = docs.find((doc) => sha256Hex(doc) === entry.objects.h);
  try {
    const { packs, media } = parseHoldDocument(document ?? '');
    return { leaf, entry, packs, media };
  } catch (error) {
    if (error instanceof FormatError) return { leaf, entry, packs: [], media: [] };
    throw error;
  }
}

function rangesOf({ h, leaves }: PackEntry): PackRange[] {
  return leaves.map(([first, count]) => ({ hash: h, first, end: first + count }));
}

/** What there is to open, and of which leaf each is. Records whose pack is missing are not among it. */
function taskOf(
  entries: readonly VerifiedEntry[],
  first: number,
  docs: readonly string[],
  packs: PackBytes,
): { task: OpenTask; leaves: number[] } {
  const bytes: Uint8Array[] = [];
  const sealed: SealedRecord[] = [];
  const leaves: number[] = [];
  for (const { entry } of entries) {
    const pack = entry.t === 'pack' ? packs.get(entry.h) : undefined;
    if (entry.t !== 'pack' || pack === undefined || pack === null) continue;
    let at = 0;
    for (const leaf of leavesOf(entry, first, entries.length)) {
      const record = entries[leaf - first] as VerifiedEntry;
      const part = sealedPart(record.entry);
      const header = part?.ret === entry.ret ? sealedHeader(record.entry, record.line) : null;
      if (part === null || header === null) continue;
      sealed.push({ header, pack: bytes.length, at, length: part.body.n });
      leaves.push(leaf);
      at += part.body.n;
    }
    bytes.push(pack);
  }
  return { task: { docs, packs: bytes, sealed }, leaves };
}

/** Which pack of the segment holds the body of a leaf. Looked through only if something is amiss. */
function packsByLeaf(entries: readonly VerifiedEntry[], first: number): (leaf: number) => Hex256 | null {
  let known: Map<string, Hex256> | null = null;
  return (wanted) => {
    if (known === null) {
      known = new Map();
      for (const { entry } of entries) {
        if (entry.t !== 'pack') continue;
        for (const leaf of leavesOf(entry, first, entries.length)) known.set(`${leaf} ${entry.ret}`, entry.h);
      }
    }
    const ret = sealedPart((entries[wanted - first] as VerifiedEntry).entry)?.ret ?? '';
    return known.get(`${wanted} ${ret}`) ?? null;
  };
}

/** The leaves whose bodies a pack may hold: only those of its own segment, it can claim no others. */
export function* leavesOf({ leaves }: PackEntry, first: number, entries: number): Generator<number> {
  for (const [start, count] of leaves) {
    const end = Math.min(start + count, first + entries);
    for (let leaf = Math.max(start, first); leaf < end; leaf += 1) yield leaf;
  }
}

/** Null for entries that are no records to read. */
function recordOf(
  { leaf, id, entry }: VerifiedEntry,
  opened: OpenedText | undefined,
  packOf: (leaf: number) => Hex256 | null,
): ReadRecord | null {
  if (!isStreamRecord(entry) || entry.t === 'beat') return null;
  const { stream, seq, t: type } = entry;
  const clear = type === 'open' || type === 'close' || type === 'hole' || type === 'gap' ? entry : null;
  const objects = 'obj' in entry && entry.obj !== undefined ? { objects: entry.obj.map(({ h }) => h) } : {};
  const head = { leaf, id, stream, seq, atMs: Date.parse(entry.at), type, clear, ...objects };
  const nothing = { ...head, view: null, via: opened?.via ?? null };
  const inPack = (): Pick<ReadRecord, 'awaits'> => {
    const hash = packOf(leaf);
    return hash === null ? {} : { awaits: { kind: 'pack', hash } };
  };
  if (sealedPart(entry) === null) return { ...nothing, defect: null };
  if (opened === undefined) return { ...nothing, defect: 'pack-missing', ...inPack() };
  const { text, via, defect } = opened;
  if (defect === 'body-damaged') return { ...nothing, defect, ...inPack() };
  if (defect === 'elsewhere' || defect === 'object-missing') {
    const [hash] = objects.objects ?? [];
    return {
      ...nothing,
      defect: 'object-missing',
      ...(hash === undefined ? {} : { awaits: { kind: 'object', hash } }),
    };
  }
  if (defect !== null) return { ...nothing, defect };
  if (type === 'access') return accessOf(nothing, opened);
  const view = text === null ? null : viewOf(text);
  return view === null || text === null
    ? { ...nothing, defect: 'no-view' }
    : { ...head, view, viewText: text, via, defect: null };
}

/** What a reader did. One whose spool was in doubt holds an earlier record whole: its own beginning or end says nothing here. */
function accessOf(nothing: Omit<ReadRecord, 'defect'>, { text, inner }: OpenedText): ReadRecord {
  const act = inner === undefined ? actOf(text) : actOf(inner);
  if (act !== null) return { ...nothing, act, defect: null };
  return { ...nothing, defect: inner === null ? null : 'no-view' };
}

function actOf(text: string | null): Act | null {
  try {
    return text === null ? null : asAct(JSON.parse(text));
  } catch {
    return null;
  }
}

function viewOf(text: string): View | null {
  try {
    return asView(JSON.parse(text));
  } catch {
    return null;
  }
}
