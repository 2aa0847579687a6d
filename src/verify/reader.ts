// SPDX-License-Identifier: Apache-2.0

/** One version or delete marker, as a listing shows it. */
export interface StoredVersion {
  readonly key: string;
  /** Empty where the store has no versions. */
  readonly version: string;
  readonly size: number;
  readonly deleteMarker: boolean;
}

/** What the store itself says of one version. */
export interface VersionState {
  readonly version: string;
  readonly size: number;
  readonly lock: { readonly mode: 'COMPLIANCE' | 'GOVERNANCE'; readonly until: string } | null;
  readonly legalHold: boolean;
  /** Lower-case hex, where the store keeps one. */
  readonly sha256: string | null;
}

/**
 * What verification needs of a store: an archive in a bucket, in a directory, or a copy of either. It only reads.
 *
 * Every method MUST throw where it cannot tell, and MUST NOT answer from what it remembers: a throw becomes "could not check".
 * Callers read an object only after a listing showed it.
 */
export interface ArchiveReader {
  readonly abilities: {
    /** True where listings show every version and delete marker; else later versions cannot be judged. */
    readonly versions: boolean;
    /** True where {@link state} tells the lock of a version as the store enforces it. */
    readonly locks: boolean;
  };

  /**
   * All versions and delete markers of keys under `prefix`, keys in ascending order of bytes, versions newest first within a key: the
   * last one that is no delete marker is the object. `after`: keys greater than it only.
   */
  listVersions(prefix: string, after?: string): AsyncIterable<StoredVersion>;

  /**
   * The bytes of one version; of the one that was first when `version` is empty. MUST NOT end early without throwing. Every chunk
   * belongs to the caller: it MUST NOT be used again for another one.
   */
  readStream(key: string, version: string): Promise<AsyncIterable<Uint8Array>>;

  /** The state of one version, or of the one that was first when `version` is empty; null if there is none. */
  state(key: string, version: string): Promise<VersionState | null>;
}

/** What is read whole into memory; more than any writer makes of what must be read whole. */
export const MAX_WHOLE_BYTES = 256 * 1024 * 1024;

/** The store did not give what it listed: nothing is known about the object then. */
export class ReaderTrouble extends Error {
  override readonly name = 'ReaderTrouble';
  readonly key: string;
  readonly got: string;

  constructor(key: string, got: string, cause?: unknown) {
    super(`reading failed: ${got}`, { cause });
    this.key = key;
    this.got = got;
  }
}

/** Names a foreign error by its code or class, never by its text, which may hold anything. */
export function causeOf(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: unknown };
  if (typeof code === 'string' && /^[\w/-]{1,60}$/.test(code)) return code;
  return typeof name === 'string' && /^\w{1,60}$/.test(name) ? name : 'an unknown error';
}

/** Reads a version of known size whole. Throws {@link ReaderTrouble}. */
export async function readWhole(reader: ArchiveReader, key: string, version: string, size: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let got = 0;
  for await (const chunk of streamed(reader, key, version)) {
    got += chunk.length;
    if (got > size) break;
    chunks.push(chunk);
  }
  if (got !== size) throw new ReaderTrouble(key, `${got > size ? 'more than' : got} of ${size} bytes`);
  const [only] = chunks;
  if (chunks.length === 1 && only !== undefined) return Buffer.from(only.buffer, only.byteOffset, only.byteLength);
  return Buffer.concat(chunks, size);
}

/** The bytes of a version; every failure is a {@link ReaderTrouble}. */
export async function* streamed(reader: ArchiveReader, key: string, version: string): AsyncGenerator<Uint8Array> {
  try {
    yield* await reader.readStream(key, version);
  } catch (error) {
    throw error instanceof ReaderTrouble ? error : new ReaderTrouble(key, causeOf(error), error);
  }
}

/** A listing; every failure is a {@link ReaderTrouble}. */
export async function* listed(reader: ArchiveReader, prefix: string): AsyncGenerator<StoredVersion> {
  try {
    yield* reader.listVersions(prefix);
  } catch (error) {
    throw new ReaderTrouble(prefix, causeOf(error), error);
  }
}

export async function stateOf(reader: ArchiveReader, key: string, version: string): Promise<VersionState | null> {
  try {
    return await reader.state(key, version);
  } catch (error) {
    throw new ReaderTrouble(key, causeOf(error), error);
  }
}
