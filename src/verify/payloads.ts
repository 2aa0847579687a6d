// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import type { PackEntry, RepackEntry } from '../record/entry-types.ts';
import { headsKey, mediaKey, packKey, segmentKey } from '../record/layout.ts';
import type { Findings, FindingCode } from './findings.ts';
import type { StoredObject } from './inventory.ts';
import type { Jobs } from './jobs.ts';
import { judgeLock } from './lock.ts';
import { MissingList } from './missing.ts';
import type { OfficerBook } from './officers.ts';
import { judgePackStream } from './pack-bytes.ts';
import type { TaskPool } from './pool.ts';
import type { Progress } from './progress.ts';
import { readWhole, stateOf, streamed, type ArchiveReader } from './reader.ts';
import type { NeededLock } from './rules.ts';
import type { ObjectUse, PackBodies } from './summary.ts';
import type { Stored } from './survey.ts';
import { bufferOf } from './tasks.ts';

/** Objects over this are hashed as they come instead of being read whole. */
const WHOLE_BYTES = 64 * 1024 * 1024;

interface Parts {
  readonly reader: ArchiveReader;
  readonly origin: string;
  readonly stored: Stored;
  readonly findings: Findings;
  readonly pool: TaskPool;
  readonly jobs: Jobs;
  readonly progress: Progress;
  /** False: existence and size by the listing, no bytes. */
  readonly withBytes: boolean;
  /** Takes over what is to be read: neither its lock nor its bytes are looked at here then. */
  readonly onNamed?: ((named: NamedObject) => void) | undefined;
}

/** A pack or object that the log names and the listing has, in the right size: where it is, and what it must be. */
export interface NamedObject {
  readonly kind: 'pack' | 'object';
  readonly key: string;
  readonly version: string;
  readonly hash: string;
  readonly size: number;
  readonly leaf: number;
  /** Null where no lock is promised, or none is seen from here. */
  readonly lock: NeededLock | null;
}

interface Named {
  readonly kind: 'pack' | 'object';
  readonly key: string;
  readonly hash: string;
  readonly size: number;
  readonly where: { readonly leaf: number; readonly key: string; readonly stream?: string; readonly seq?: number };
}

const MISSING = { pack: 'verify/pack-missing', object: 'verify/object-missing' } as const satisfies Record<
  string,
  FindingCode
>;
const DISPOSED = { pack: 'verify/pack-disposed', object: 'verify/object-disposed' } as const satisfies Record<
  string,
  FindingCode
>;
const SIZE = { pack: 'verify/pack-size', object: 'verify/object-size' } as const satisfies Record<string, FindingCode>;
const HASH = { pack: 'verify/pack-hash', object: 'verify/object-hash' } as const satisfies Record<string, FindingCode>;

/** Packs and objects that the log names: there, of the right size, of the right bytes, and locked for as long as promised. */
export class PayloadCheck {
  readonly #p: Parts;
  /** Judged at the end, because a later disposition may say why they are gone. */
  readonly #missing = new MissingList();
  /** Packs that others take over from, with the leaf that says so. */
  readonly #sources = new Map<string, number>();
  /** True where the log says that its store locks, and the reader sees it. */
  seesLocks = false;
  objects = 0;
  bytes = 0;

  constructor(parts: Parts) {
    this.#p = parts;
  }

  async pack(entry: PackEntry, bodies: PackBodies, firstLeaf: number, lock: NeededLock): Promise<void> {
    const named = this.#packNamed(entry, bodies.leaf);
    await this.#check(named, lock, () => this.#packBytes(named, bodies, firstLeaf));
  }

  /** The bodies of a repack were judged where their records are; here it counts as a whole. */
  async repack(entry: RepackEntry, leaf: number, lock: NeededLock): Promise<void> {
    const named = this.#packNamed(entry, leaf);
    this.#sources.set(entry.from, leaf);
    await this.#check(named, lock, () => this.#bytes(named));
  }

  async object({ h: hash, n: size, leaf, stream, seq }: ObjectUse, lock: NeededLock): Promise<void> {
    const key = mediaKey(hash);
    const named: Named = { kind: 'object', key, hash, size, where: { leaf, stream, seq, key } };
    await this.#check(named, lock, () => this.#bytes(named));
  }

  #packNamed({ h: hash, n: size }: PackEntry | RepackEntry, leaf: number): Named {
    const key = packKey(this.#p.origin, hash);
    return { kind: 'pack', key, hash, size, where: { leaf, key } };
  }

  async #check(named: Named, lock: NeededLock, readBytes: () => Promise<void>): Promise<void> {
    const { kind, hash, size, where, key } = named;
    const stored = this.#find(named);
    this.objects += 1;
    if (stored === null) {
      this.#missing.add(kind, hash, where.leaf);
      return;
    }
    const { onNamed } = this.#p;
    if (onNamed === undefined) await this.lock(key, stored, lock, where.leaf);
    if (stored.size !== size) {
      this.#p.findings.add(SIZE[kind], where, `${size} bytes`, `${stored.size}`);
      return;
    }
    this.bytes += size;
    const needed = this.seesLocks ? lock : null;
    if (onNamed !== undefined)
      onNamed({ kind, key, version: stored.version, hash, size, leaf: where.leaf, lock: needed });
    else if (this.#p.withBytes) await this.#p.jobs.start(Math.min(size, WHOLE_BYTES), readBytes);
  }

  #find({ kind, hash }: Named): StoredObject | null {
    return kind === 'pack' ? this.#p.stored.packs.find(hash) : this.#p.stored.media.find(hash);
  }

  async #packBytes(named: Named, { bodies, whole }: PackBodies, firstLeaf: number): Promise<void> {
    if (!whole) return this.#bytes(named);
    const verdict =
      named.size > WHOLE_BYTES
        ? await judgePackStream(this.#stream(named), bufferOf(bodies))
        : await this.#p.pool.run({ kind: 'pack', bytes: await this.#readWhole(named), hash: named.hash, bodies });
    this.#judgeHash(named, verdict.hash);
    if (verdict.wrongBodies === null || verdict.hash !== named.hash) return;
    const { index, count } = verdict.wrongBodies;
    const where = { leaf: firstLeaf + index, key: named.key };
    this.#p.findings.add('verify/pack-body', where, 'the body that the record commits to', `${count} others`);
  }

  async #bytes(named: Named): Promise<void> {
    if (named.size <= WHOLE_BYTES) {
      const bytes = await this.#readWhole(named);
      return this.#judgeHash(named, await this.#p.pool.run({ kind: 'hash', bytes }));
    }
    const hash = createHash('sha256');
    for await (const chunk of this.#stream(named)) hash.update(chunk);
    this.#judgeHash(named, hash.digest('hex'));
  }

  async *#stream(named: Named): AsyncGenerator<Uint8Array> {
    for await (const chunk of streamed(this.#p.reader, named.key, this.#find(named)?.version ?? '')) {
      this.#p.progress.addBytes(chunk.length);
      yield chunk;
    }
  }

  async #readWhole(named: Named): Promise<Buffer> {
    const bytes = await readWhole(this.#p.reader, named.key, this.#find(named)?.version ?? '', named.size);
    this.#p.progress.addBytes(bytes.length);
    return bytes;
  }

  #judgeHash({ kind, hash, where }: Named, found: string): void {
    if (found !== hash) this.#p.findings.add(HASH[kind], where, hash, found);
  }

  async segmentLock(firstLeaf: number, lock: NeededLock): Promise<void> {
    const name = String(firstLeaf).padStart(16, '0');
    const stored = this.#p.stored.segments.find(name);
    if (stored !== null) await this.lock(segmentKey(this.#p.origin, firstLeaf), stored, lock, firstLeaf);
  }

  async headsLock(leaves: number, stored: StoredObject, lock: NeededLock): Promise<void> {
    await this.lock(headsKey(this.#p.origin, leaves), stored, lock, leaves);
  }

  async lock(key: string, { version }: StoredObject, needed: NeededLock, leaf: number): Promise<void> {
    if (!this.seesLocks) return;
    await this.#p.jobs.start(0, async () => {
      const state = await stateOf(this.#p.reader, key, version);
      judgeLock(state?.lock ?? null, needed, { leaf, key }, this.#p.findings);
    });
  }

  /** `isPartial`: entries that name stored things may lie in leaves that were not read. `isLast`: no log that is read after this one may name objects. */
  finish(officers: OfficerBook, isPartial: boolean, isLast: boolean): void {
    for (const { kind, hash, leaf } of this.#missing.all()) {
      const code = officers.isDisposed(hash) ? DISPOSED[kind] : MISSING[kind];
      const key = kind === 'pack' ? packKey(this.#p.origin, hash) : mediaKey(hash);
      this.#p.findings.add(code, { leaf, key }, 'a stored object', 'none');
      this.#sources.delete(hash);
    }
    if (isPartial) return;
    for (const [hash, leaf] of this.#sources) {
      if (this.#p.stored.packs.wasAskedFor(hash)) continue;
      this.#p.findings.add('verify/repack-source', { leaf }, 'a pack that the log names', hash);
    }
    const { packs, media, heads } = this.#p.stored;
    this.#orphans('verify/pack-orphan', packs.unasked());
    if (isLast) this.#orphans('verify/object-orphan', media.unasked());
    this.#orphans('verify/heads-orphan', heads.unasked());
  }

  #orphans(code: FindingCode, count: number): void {
    if (count > 0) this.#p.findings.add(code, {}, 'objects that the log names', `${count} others`);
  }
}
