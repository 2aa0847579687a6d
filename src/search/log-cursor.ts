// SPDX-License-Identifier: AGPL-3.0-or-later
import { Failure } from '../base/failure.ts';
import { openCheckpoint, type Checkpoint } from '../record/checkpoint.ts';
import { parseEntry } from '../record/entry.ts';
import type { Entry, Hex256 } from '../record/entry-types.ts';
import { FormatError } from '../record/format-error.ts';
import { leafHash, sha256Hex } from '../record/hash.ts';
import { segmentKey } from '../record/layout.ts';
import { openManifest, signersOf, type Manifest } from '../record/manifest.ts';
import { RangeBuilder, rangeLevels, rootOf } from '../record/merkle.ts';
import { verifyTail, type Segment } from '../record/segment.ts';
import type { Trust } from '../record/trust.ts';

/** Where a reader stands in the log, and all it must remember to check that what follows is the same log, only longer. */
export interface LogPosition {
  readonly origin: string;
  /** Leaves read so far, and the subtree hashes over them, hex. */
  readonly size: number;
  readonly edge: readonly string[];
  /** Signed manifests so far, the one in force last. */
  readonly manifests: readonly string[];
  /** Time of the last segment: the store's own clock. */
  readonly at: string;
}

export interface VerifiedEntry {
  readonly leaf: number;
  readonly id: Hex256;
  readonly line: string;
  readonly entry: Entry;
}

/** A segment whose entries are known to be the log's. */
export interface VerifiedSegment {
  readonly first: number;
  readonly end: number;
  readonly at: string;
  readonly docs: readonly string[];
  readonly entries: readonly VerifiedEntry[];
}

export function startOf(origin: string): LogPosition {
  return { origin, size: 0, edge: [], manifests: [], at: '' };
}

/**
 * Follows a log from segment to segment: leaf hashes, edge, root, the archiver's signature, the signed checkpoint each segment
 * carries. What spans streams (statements, chains, generations, locks) is `holdfast verify`'s: the log key signed nothing that the
 * archiver had not judged, and a reader that keeps up with messages must not hold the state of the whole log.
 */
export class LogCursor {
  readonly #trust: Trust;
  #position: LogPosition;

  constructor(trust: Trust, position: LogPosition) {
    this.#trust = trust;
    this.#position = position;
  }

  get position(): LogPosition {
    return this.#position;
  }

  get root(): string {
    return rootOf(this.#tree().range()).toString('hex');
  }

  manifests(): Manifest[] {
    return this.#position.manifests.map((document) => openManifest(document, this.#trust.root, this.#trust.origin));
  }

  /** The checkpoint in a note, if the log key signed it. Throws `search/foreign-archive`. */
  openNote(note: string, where: string): Checkpoint {
    try {
      return openCheckpoint(note, this.#trust.log);
    } catch (cause) {
      if (!(cause instanceof FormatError)) throw cause;
      throw new Failure('search/foreign-archive', {
        expected: `a checkpoint of ${this.#trust.origin} signed by the log key of the trust file`,
        got: cause.got,
        where,
        fix: 'use the trust file of this archive, got by a way of its own',
        cause,
      });
    }
  }

  /** Holds a signed checkpoint of exactly the leaves read so far against them. */
  assertRoot({ size, root }: Checkpoint, where: string): void {
    if (size !== this.#position.size) return;
    if (root.toString('hex') !== this.root) throw broken(where, `root ${this.root}`, root.toString('hex'));
  }

  /** Takes in the next segment. Throws `search/log-broken`, and then stands where it stood. */
  take(segment: Segment): VerifiedSegment {
    const { head, tail } = segment;
    const { size, edge, origin } = this.#position;
    const where = segmentKey(origin, head.first);
    if (head.origin !== origin) throw broken(where, `a segment of ${origin}`, 'one of another log');
    if (head.first !== size) throw broken(where, `leaf ${size}`, `leaf ${head.first}`);
    const carried = head.edge.hashes.map((hash) => hash.toString('hex'));
    if (carried.join() !== edge.join()) throw broken(where, 'the subtree hashes of the entries before', 'others');
    if (size > 0) {
      const checkpoint = this.openNote(head.checkpoint, where);
      if (checkpoint.size !== size) throw broken(where, `a checkpoint of ${size} leaves`, `of ${checkpoint.size}`);
      this.assertRoot(checkpoint, where);
    }
    const tree = this.#tree();
    const entries = segment.entries.map((bytes, index) => readEntry(bytes, head.first + index, tree, where));
    const root = rootOf(tree.range());
    if (!root.equals(tail.root)) throw broken(where, tail.root.toString('hex'), root.toString('hex'));
    const docs = segment.docs.map(String);
    const manifests = this.#manifestsBehind(entries, docs, where);
    this.#assertSigner(segment, manifests, where);
    this.#position = {
      origin,
      size: tree.end,
      edge: tree.range().hashes.map((hash) => hash.toString('hex')),
      manifests,
      at: tail.at,
    };
    return { first: head.first, end: tree.end, at: tail.at, docs, entries };
  }

  #tree(): RangeBuilder {
    const { size, edge } = this.#position;
    const hashes = edge.slice(0, rangeLevels(0, size).length).map((hash) => Buffer.from(hash, 'hex'));
    return new RangeBuilder({ begin: 0, end: size, hashes });
  }

  #manifestsBehind(entries: readonly VerifiedEntry[], docs: readonly string[], where: string): string[] {
    const manifests = [...this.#position.manifests];
    for (const { entry } of entries) {
      if (entry.t !== 'key' || entry.kind !== 'manifest') continue;
      const document = docs.find((doc) => sha256Hex(doc) === entry.doc);
      if (document === undefined) throw broken(where, 'the manifest that a key entry names', 'none');
      this.#openManifest(document, where);
      manifests.push(document);
    }
    return manifests;
  }

  #openManifest(document: string, where: string): Manifest {
    try {
      return openManifest(document, this.#trust.root, this.#trust.origin);
    } catch (cause) {
      if (!(cause instanceof FormatError)) throw cause;
      throw broken(where, cause.expected, cause.got);
    }
  }

  #assertSigner(segment: Segment, manifests: readonly string[], where: string): void {
    const last = manifests.at(-1);
    const archivers = last === undefined ? null : signersOf(this.#openManifest(last, where), 'archiver');
    const key = archivers?.get(segment.tail.key);
    if (key === undefined) throw broken(where, 'an archiver of the manifest in force', `key ${segment.tail.key}`);
    try {
      verifyTail(segment, key);
    } catch (cause) {
      if (!(cause instanceof FormatError)) throw cause;
      throw broken(where, cause.expected, cause.got);
    }
  }
}

function readEntry(bytes: Buffer, leaf: number, tree: RangeBuilder, where: string): VerifiedEntry {
  const hash = leafHash(bytes);
  tree.appendLeaf(hash);
  const line = bytes.toString('latin1');
  try {
    return { leaf, id: hash.toString('hex'), line, entry: parseEntry(line) };
  } catch (cause) {
    if (!(cause instanceof FormatError)) throw cause;
    throw broken(`${where}, leaf ${leaf}`, cause.expected, cause.got);
  }
}

export function broken(where: string, expected: string, got: string): Failure {
  return new Failure('search/log-broken', {
    expected,
    got,
    where,
    fix: 'nothing of it was indexed; run `holdfast verify` on the archive, and keep this index as it is',
  });
}
