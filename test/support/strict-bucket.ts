// SPDX-License-Identifier: AGPL-3.0-or-later
import { Failure } from '../../src/base/failure.ts';
import { objectClass } from '../../src/archive/store-key.ts';
import { covers, joined, untilDate } from '../../src/archive/store-lock.ts';
import type { Created, Lock, ObjectDigest, ObjectVersion } from '../../src/archive/store.ts';
import { sha256Hex } from '../../src/record/hash.ts';
import { hashOfKey } from '../../src/record/layout.ts';

export interface StoredVersion {
  readonly version: string;
  readonly bytes: Buffer;
  readonly isMarker: boolean;
  lock: Lock | null;
  legalHold: boolean;
}

const DAY_MS = 86_400_000;

/**
 * What survives processes: a bucket with versions and locks, in memory, that holds writers to their rules. What breaks one is
 * refused and stays in {@link violations}: a writer that catches the error does not get away with it.
 */
export class StrictBucket {
  nowMs = Date.parse('2026-11-22T15:02:03.250Z');
  maxRetainDays = 30 * 366;
  readonly violations: string[] = [];
  /** Every derived object that any process tried to write, stored or not. */
  readonly sent: { readonly key: string; readonly text: string }[] = [];
  readonly grants = new Map<string, { readonly digest: ObjectDigest; readonly lock: Lock }>();
  /** Versions of a key, the first one first. */
  readonly #versions = new Map<string, StoredVersion[]>();
  /** Who wrote what first under a locked name. */
  readonly #authors = new Map<string, WeakMap<object, string>>();
  #count = 0;

  keys(prefix = ''): string[] {
    return [...this.#versions.keys()].filter((key) => key.startsWith(prefix)).toSorted((a, b) => (a < b ? -1 : 1));
  }

  versions(key: string): readonly StoredVersion[] {
    return this.#versions.get(key) ?? [];
  }

  /** The first version; of a derived object, the current one. */
  winner(key: string): StoredVersion | null {
    const versions = this.versions(key).filter(({ isMarker }) => !isMarker);
    return (objectClass(key) === 'derived' ? versions.at(-1) : versions[0]) ?? null;
  }

  version(key: string, version: string): StoredVersion | null {
    return this.versions(key).find((one) => one.version === version) ?? null;
  }

  bytes(key: string): Buffer {
    const winner = this.winner(key);
    if (winner === null) throw new Error(`no object at ${key}`);
    return winner.bytes;
  }

  create(key: string, bytes: Buffer, lock: Lock, decides: 'listing' | 'precondition', author: object): Created {
    this.#demand(objectClass(key) === 'locked', `create of a derived name: ${key}`);
    this.#demand(isTrueName(key, bytes), `a name that is not the hash of its bytes: ${key}`);
    this.assertInRange(lock, key);
    this.#demandOneAuthorship(key, bytes, author);
    const winner = this.winner(key);
    if (winner === null || decides === 'listing') this.add(key, bytes, lock);
    const first = this.winner(key) as StoredVersion;
    if (winner === null) return { won: true, version: first.version };
    const won = winner.bytes.equals(bytes);
    if (won && !covers(winner.lock, lock)) winner.lock = joined(winner.lock, lock);
    return { won, version: first.version };
  }

  /** One process writes one thing under one name, however often it tries. */
  #demandOneAuthorship(key: string, bytes: Buffer, author: object): void {
    const authors = this.#authors.get(key) ?? new WeakMap<object, string>();
    this.#authors.set(key, authors);
    const hash = sha256Hex(bytes);
    this.#demand((authors.get(author) ?? hash) === hash, `overwrite by the same writer: ${key}`);
    authors.set(author, hash);
  }

  putDerived(key: string, bytes: Buffer): void {
    this.#demand(objectClass(key) === 'derived', `unlocked write under a locked name: ${key}`);
    this.add(key, bytes, null);
  }

  /** As anybody with the right to write could. */
  add(key: string, bytes: Buffer, lock: Lock | null): void {
    this.#push(key, { version: `v${this.#count}`, bytes: Buffer.from(bytes), isMarker: false, lock, legalHold: false });
  }

  addDeleteMarker(key: string): void {
    this.#push(key, {
      version: `v${this.#count}`,
      bytes: Buffer.alloc(0),
      isMarker: true,
      lock: null,
      legalHold: false,
    });
  }

  /** As an uploader with a grant. */
  upload(key: string, bytes: Buffer): void {
    const grant = this.grants.get(key);
    if (grant === undefined) throw new Error(`no grant for ${key}`);
    if (this.winner(key) === null) this.add(key, bytes, grant.lock);
  }

  /** What no bucket with locks lets anybody do: it stands for a lost disk or a lying server. */
  lose(key: string): void {
    this.#versions.delete(key);
  }

  damage(key: string, change: (bytes: Buffer) => Buffer): void {
    const versions = this.#versions.get(key) ?? [];
    const at = versions.findIndex(({ isMarker }) => !isMarker);
    const winner = versions[at];
    if (winner !== undefined) versions[at] = { ...winner, bytes: change(Buffer.from(winner.bytes)) };
  }

  list(prefix: string, after: string): ObjectVersion[] {
    return this.keys(prefix)
      .filter((key) => key > after)
      .flatMap((key) =>
        this.versions(key)
          .toReversed()
          .map(({ version, bytes, isMarker }, index) => ({
            key,
            version,
            size: bytes.length,
            deleteMarker: isMarker,
            latest: index === 0,
          })),
      );
  }

  assertInRange(lock: Lock, key: string): void {
    const until = untilDate(lock, key).getTime();
    this.#demand(until > this.nowMs, `a lock that is over: ${key}`);
    if (until <= this.nowMs + this.maxRetainDays * DAY_MS) return;
    throw new Failure('store/lock-over-cap', {
      expected: `at most ${this.maxRetainDays} days`,
      got: 'more',
      where: key,
    });
  }

  #push(key: string, version: StoredVersion): void {
    this.#count += 1;
    this.#versions.set(key, [...this.versions(key), version]);
  }

  #demand(holds: boolean, broken: string): void {
    if (holds) return;
    this.violations.push(broken);
    throw new Failure('store/bad-key', { expected: 'a writer that keeps the rules', got: broken });
  }
}

function isTrueName(key: string, bytes: Buffer): boolean {
  if (!/(?:^|\/)(?:pack|media)\//.test(key)) return true;
  return hashOfKey(key) === sha256Hex(bytes);
}
