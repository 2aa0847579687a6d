// SPDX-License-Identifier: AGPL-3.0-or-later

/** How long an object version must stay, and by which means. Times are whole seconds, RFC 3339 in UTC (`…Z`). */
export interface Lock {
  readonly mode: 'COMPLIANCE' | 'GOVERNANCE';
  /** Retain-until, e.g. `2033-11-22T15:02:03Z`. */
  readonly until: string;
}

/** What a store can do. Measured at start, never assumed; logged as a `store` entry so that verifiers know it too. */
export interface StoreAbilities {
  readonly kind: 'directory' | 's3';
  /**
   * How create-once is decided: `link` (atomic link of the directory's file system), `if-none-match` (the server honours the
   * precondition), `first-listed` (the version that is last in the order of ListObjectVersions wins).
   */
  readonly create: 'link' | 'if-none-match' | 'first-listed';
  /** True where versions carry an enforced retention period. A directory has none and does not imitate it. */
  readonly locks: boolean;
  readonly legalHold: boolean;
  readonly versions: boolean;
  /**
   * True where the store keeps the SHA-256 of what it received; otherwise `content-md5` binds the body and reading back proves
   * it.
   */
  readonly checksumSha256: boolean;
  /** True where a grant is honoured as given and refused in any other form. */
  readonly grants: boolean;
}

/** `read` holds an object in memory; larger ones are streamed. */
export const MAX_READ_BYTES = 256 * 1024 * 1024;

/** One version of one object, as a listing shows it. */
export interface ObjectVersion {
  readonly key: string;
  /** Empty where the store has no versions. */
  readonly version: string;
  readonly size: number;
  readonly deleteMarker: boolean;
  readonly latest: boolean;
}

/** A version's state as the server reports it. */
export interface ObjectState {
  readonly key: string;
  readonly version: string;
  readonly size: number;
  readonly lock: Lock | null;
  readonly legalHold: boolean;
  /** Lower-case hex, where the server keeps one. */
  readonly sha256: string | null;
}

/**
 * A permission to upload exactly one object: these bytes, this lock, before `expires`. Whoever holds the URL may use it: it
 * MUST NOT be logged. An answer of 412 means that the object is there already: that is success. For `file:` the uploader writes
 * a new file `<path>.<random>.part` beside the path, syncs it and renames it to the path.
 */
export interface UploadGrant {
  readonly key: string;
  readonly sha256: string;
  readonly size: number;
  /** `https:`/`http:` for PUT; `file:` where the archive is a directory on the same machine. */
  readonly url: string;
  /** Sent exactly as given: they are part of the signature. */
  readonly headers: Readonly<Record<string, string>>;
  readonly expires: string;
}

/** The body of an object to be granted. MD5 binds it where the server does not check SHA-256, and is not used elsewhere. */
export interface ObjectDigest {
  readonly sha256: string;
  /** Base64, as in the `content-md5` header. */
  readonly md5: string;
  readonly size: number;
}

/** Stores that give an object from somewhere in the middle on. */
export interface RangedStore {
  /** As {@link ArchiveStore.readStream}, from byte `from` on, which MUST be one of the version's. */
  readFrom(key: string, version: string, from: number): Promise<AsyncIterable<Uint8Array>>;
}

/**
 * Where the archive lives. Written once, read by version.
 *
 * Every method MUST be durable when it resolves, MUST throw a `Failure` and nothing else, and MUST NOT repeat on its own a
 * write whose outcome is unknown, extensions excepted. Callers MUST treat a rejection of `create` as "may have happened" unless
 * its kind is `refuse`.
 *
 * A key's form says what its object is (`objectClass`): `checkpoint` and `tile/…` are derived, the current one counts, a lost
 * or late write does no harm. All others are locked, and the winning version is the one that was first. A method without the
 * ability it needs throws `store/no-ability`.
 */
export interface ArchiveStore extends AsyncDisposable {
  readonly abilities: StoreAbilities;

  /**
   * Creates `key` under `lock`, at most once among all racing writers.
   *
   * MUST write nothing unlocked where `abilities.locks`: lock mode and date go with the PUT and are read back before this
   * resolves. Resolves with `won: true` if these bytes are the object's first version, with `won: false` if other bytes were
   * first (nothing of the winner is changed). `version` is the winner's either way. The same bytes again succeed, and the
   * winner's lock is lengthened where `lock` goes further: a retry after a crash is the normal path. A loser's version may stay
   * behind the winner, locked too. MUST throw `store/lock-ignored` if the server accepted the lock and did not keep it.
   */
  create(key: string, bytes: Uint8Array, lock: Lock): Promise<Created>;

  /** Writes or replaces a derived object. MUST refuse (`store/bad-key`) every key that is not one. */
  putDerived(key: string, bytes: Uint8Array): Promise<void>;

  /**
   * The winning version's bytes, or null if there is none. A delete marker does not hide it. Of a derived object, the current
   * one. Throws `store/too-large` above `MAX_READ_BYTES`.
   */
  read(key: string): Promise<StoredObject | null>;

  /**
   * Streams one version (the winning one when `version` is empty) in bounded memory. Throws `store/not-found`, at the call or
   * with the first chunk. A stream that ends early throws, also under a reader that pauses for long; one that nobody reads
   * holds no connection and no file.
   */
  readStream(key: string, version: string): Promise<AsyncIterable<Uint8Array>>;

  /**
   * All versions and delete markers under `prefix`, keys ascending, versions newest first within a key: the last one that is no
   * delete marker is the winner. Delete markers stand among them by their date. `after`: keys greater than it only.
   */
  listVersions(prefix: string, after?: string): AsyncIterable<ObjectVersion>;

  /**
   * The state of one version (the winning one when `version` is empty), or null if there is none. A directory first takes in an
   * upload of `key` that was granted and has arrived.
   */
  state(key: string, version: string): Promise<ObjectState | null>;

  /**
   * Lengthens the retention of a version (the winning one when `version` is empty), read back before it resolves. MUST refuse
   * (`store/lock-shortened`) a date before the present one and GOVERNANCE after COMPLIANCE. Harmless to repeat.
   */
  extend(key: string, version: string, lock: Lock): Promise<void>;

  /** Sets or lifts the legal hold of a version. Throws `store/no-ability` where there is none. */
  setLegalHold(key: string, version: string, on: boolean): Promise<void>;

  /** A grant for exactly these bytes under this lock. The upload counts only after `confirmUpload` (`store-confirm.ts`). */
  grant(key: string, digest: ObjectDigest, lock: Lock): Promise<UploadGrant>;

  /**
   * The server's own time in ms since 1970, from a fresh or recent `Date` header; retention is computed from it, never from
   * ours.
   */
  serverTimeMs(): Promise<number>;
}

export interface Created {
  readonly won: boolean;
  readonly version: string;
}

export interface StoredObject {
  readonly bytes: Uint8Array;
  readonly version: string;
}
