// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';
import { Failure } from '../../base/failure.ts';
import { parseEntry, sealedPart } from '../../record/entry.ts';
import type { BytesRef, Hex256 } from '../../record/entry-types.ts';
import { FormatError } from '../../record/format-error.ts';
import { leafHashHex } from '../../record/hash.ts';
import { leafOfKey, mediaKey, segmentPrefix } from '../../record/layout.ts';
import type { ObjectKey } from '../../record/message.ts';
import { MAX_SEGMENT_BYTES, parseSegment, type Segment } from '../../record/segment.ts';
import { CHUNK_BYTES, ObjectError, openObject, SEALED_CHUNK_BYTES } from '../../seal/object.ts';
import { listed, readWhole, ReaderTrouble, stateOf, streamed } from '../../verify/reader.ts';
import { streamedFrom, type RangedReader } from './ranged-reader.ts';

/** A record of the log that names a sealed file. */
export interface FileRecord {
  readonly leaf: number;
  readonly id: Hex256;
  readonly object: ObjectKey;
}

/** Why a file that the log names cannot be given. */
export type FileDefect = 'missing' | 'corrupt';

/** The bytes of the file are not what the log says. */
export class FileError extends Error {
  override readonly name = 'FileError';
  readonly defect: FileDefect;

  constructor(defect: FileDefect) {
    super(`file: ${defect}`);
    this.defect = defect;
  }
}

const SEGMENTS_KEPT = 4;

interface Place {
  readonly first: number;
  readonly key: string;
  readonly size: number;
  readonly version: string;
}

/** Files of an archive, opened with the keys that their records hold. */
export class ArchiveFiles {
  readonly #reader: RangedReader;
  readonly #origin: string;
  #places: readonly Place[] = [];
  #isListed = false;
  readonly #segments = new Map<string, Segment>();

  constructor(reader: RangedReader, origin: string) {
    this.#reader = reader;
    this.#origin = origin;
  }

  /**
   * The plaintext of a file, piece by piece. Only at its end is it known to be whole: throws {@link FileError} if it is not, or not
   * there; `export/archive-unread` if the store does not give what it lists.
   */
  async *open(record: FileRecord): AsyncGenerator<Buffer> {
    const { object } = record;
    const { key, version } = await this.#found(record);
    const hash = createHash('sha256');
    let left = object.size;
    try {
      for await (const chunk of openObject(keyOf(object), streamed(this.#reader, key, version))) {
        const part = chunk.subarray(0, left);
        left -= part.length;
        hash.update(part);
        // What stands behind the file's end is padding.
        if (part.length > 0) yield part;
      }
    } catch (error) {
      throw defectOf(error);
    }
    if (left !== 0 || hash.digest('hex') !== object.sha256) throw new FileError('corrupt');
  }

  /**
   * A part of the plaintext, from byte `from` to byte `to`, both included and both of the file. Each piece is proven to be this file's and
   * in its place, by the file's own key; that the rest is whole as well, only {@link open} tells. Throws as that does.
   */
  async *openRange(record: FileRecord, from: number, to: number): AsyncGenerator<Buffer> {
    const { key, version } = await this.#found(record);
    const first = Math.floor(from / CHUNK_BYTES);
    const sealed = streamedFrom(this.#reader, key, version, first * SEALED_CHUNK_BYTES);
    let at = first * CHUNK_BYTES;
    try {
      for await (const chunk of openObject(keyOf(record.object), sealed, first)) {
        const part = chunk.subarray(Math.max(0, from - at), to + 1 - at);
        at += chunk.length;
        if (part.length > 0) yield part;
        if (at > to) return;
      }
    } catch (error) {
      throw defectOf(error);
    }
    throw new FileError('corrupt');
  }

  /** Where the sealed bytes of a file lie. */
  async #found({ leaf, id }: FileRecord): Promise<{ readonly key: string; readonly version: string }> {
    const key = mediaKey((await this.#sealed(leaf, id)).h);
    const state = await this.#asked(key, () => stateOf(this.#reader, key, ''));
    if (state === null) throw new FileError('missing');
    return { key, version: state.version };
  }

  /** The object that a record's header names: of a record whose body is an object itself, the one behind that. */
  async #sealed(leaf: number, id: Hex256): Promise<BytesRef> {
    let segment = await this.#segmentOf(leaf);
    // The log has grown since it was listed.
    if (leaf - segment.head.first >= segment.entries.length) {
      this.#isListed = false;
      segment = await this.#segmentOf(leaf);
    }
    const line = segment.entries[leaf - segment.head.first];
    if (line === undefined || leafHashHex(line) !== id) throw new FileError('corrupt');
    const entry = parseEntry(line.toString('latin1'));
    const objects = sealedPart(entry) !== null && 'obj' in entry ? (entry.obj ?? []) : [];
    const found = objects.at(-1);
    if (found === undefined) throw new FileError('missing');
    return found;
  }

  async #segmentOf(leaf: number): Promise<Segment> {
    if (!this.#isListed) await this.#list();
    const place = this.#places.findLast(({ first }) => first <= leaf);
    if (place === undefined) throw new FileError('missing');
    const known = this.#segments.get(place.key);
    if (known !== undefined) return known;
    const { key, version, size } = place;
    const bytes = await this.#asked(key, () =>
      readWhole(this.#reader, key, version, Math.min(size, MAX_SEGMENT_BYTES)),
    );
    const segment = parsed(bytes, key);
    const [oldest] = this.#segments.keys();
    if (this.#segments.size >= SEGMENTS_KEPT && oldest !== undefined) this.#segments.delete(oldest);
    this.#segments.set(key, segment);
    return segment;
  }

  async #list(): Promise<void> {
    const places = new Map<string, Place>();
    await this.#asked(segmentPrefix(this.#origin), async () => {
      // Newest first within a key: the last one is the object.
      for await (const { key, size, version, deleteMarker } of listed(this.#reader, segmentPrefix(this.#origin))) {
        if (!deleteMarker) places.set(key, { first: leafOfKey(key), key, size, version });
      }
    });
    this.#places = [...places.values()];
    this.#isListed = true;
  }

  async #asked<T>(key: string, ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      if (error instanceof ReaderTrouble) throw unread(error);
      throw error instanceof Failure ? error : unread(new ReaderTrouble(key, 'an error of the store', error));
    }
  }
}

/** What is told of what went wrong while a file was read. */
function defectOf(error: unknown): unknown {
  if (error instanceof ObjectError) return new FileError('corrupt');
  return error instanceof ReaderTrouble ? unread(error) : error;
}

function keyOf({ key }: ObjectKey): Buffer {
  const bytes = Buffer.from(key, 'hex');
  if (bytes.length !== 32) throw new FileError('corrupt');
  return bytes;
}

function parsed(bytes: Buffer, key: string): Segment {
  try {
    return parseSegment(bytes);
  } catch (cause) {
    if (!(cause instanceof FormatError)) throw cause;
    throw new Failure('search/log-broken', {
      expected: 'a segment of the log',
      got: cause.code,
      where: key,
      fix: 'stop; keep everything as it is; run `holdfast verify`',
      cause,
    });
  }
}

export function unread(cause: ReaderTrouble): Failure {
  return new Failure('export/archive-unread', {
    expected: 'what the archive listed',
    got: cause.got,
    where: cause.key,
    fix: 'run the same command again: it goes on where it ended. If it stays, look at the store and at what this role may read',
    cause,
  });
}
