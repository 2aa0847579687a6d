// SPDX-License-Identifier: Apache-2.0
import { canonicalize, type Json } from '../record/canonical.ts';
import { sealedUntilMs, type BatchRole, type EnforcedManifest } from '../record/enforcement.ts';
import { parseEntry } from '../record/entry.ts';
import type { KeyEntry } from '../record/entry-types.ts';
import { FormatError } from '../record/format-error.ts';
import type { KeyId, SigningKey } from '../record/key.ts';
import { manifestHash, openManifest, signersOf, type Manifest } from '../record/manifest.ts';
import type { Findings } from './findings.ts';

/** Who may sign what, and to whom epochs may be wrapped, as far as the log has been read. Only the root's word counts. */
export class KeyBook {
  readonly #origin: string;
  readonly #root: SigningKey;
  readonly #findings: Findings;
  readonly #onBatchKeys: (keys: readonly Uint8Array[]) => void;
  readonly #documents: string[] = [];
  readonly #entries: KeyEntry[] = [];
  readonly #manifests: EnforcedManifest[] = [];
  #isEvaluation = false;
  readonly #batchKeys = new Map<KeyId, SigningKey>();
  #batchRoles: ReadonlyMap<KeyId, BatchRole> = new Map();
  readonly #readerKeys = new Set<KeyId>();
  #archivers: ReadonlyMap<KeyId, SigningKey> = new Map();
  readonly #allArchivers = new Map<KeyId, SigningKey>();
  #officers: ReadonlyMap<KeyId, SigningKey> = new Map();
  #auditors: ReadonlyMap<KeyId, SigningKey> = new Map();

  /** `onBatchKeys` hears of every key that may sign batches from then on. */
  constructor(
    { origin, root }: { origin: string; root: SigningKey },
    findings: Findings,
    onBatchKeys: (keys: readonly Uint8Array[]) => void,
  ) {
    this.#origin = origin;
    this.#root = root;
    this.#findings = findings;
    this.#onBatchKeys = onBatchKeys;
  }

  get manifest(): Manifest | null {
    return this.#manifests.at(-1)?.manifest ?? null;
  }

  /** What the manifests so far say, each with the time from which it counts; the one in force last. */
  get manifests(): readonly EnforcedManifest[] {
    return this.#manifests;
  }

  /** Signed manifests so far, the one in force last. */
  get documents(): readonly string[] {
    return this.#documents;
  }

  /** The `key` entries that put them in force, as the log holds them. */
  lines(): string[] {
    return this.#entries.map((entry) => canonicalize(entry as unknown as Json));
  }

  /** True if one machine made all keys of any manifest so far. */
  get isEvaluation(): boolean {
    return this.#isEvaluation;
  }

  batchKey(id: KeyId): SigningKey | undefined {
    return this.#batchKeys.get(id);
  }

  /** As what the manifest in force lets the key sign batches; undefined if it does not. */
  batchRole(id: KeyId): BatchRole | undefined {
    return this.#batchRoles.get(id);
  }

  isReader(id: KeyId): boolean {
    return this.#readerKeys.has(id);
  }

  archiver(id: KeyId): SigningKey | undefined {
    return this.#archivers.get(id);
  }

  /** Of any manifest so far. */
  anyArchiver(id: KeyId): SigningKey | undefined {
    return this.#allArchivers.get(id);
  }

  officer(id: KeyId): SigningKey | undefined {
    return this.#officers.get(id);
  }

  auditor(id: KeyId): SigningKey | undefined {
    return this.#auditors.get(id);
  }

  /** See {@link sealedUntilMs}, as of the manifests so far. */
  sealedUntilMs(kids: readonly KeyId[]): number {
    return sealedUntilMs(kids, this.#manifests);
  }

  /** Puts a key entry's manifest into force, or says why not; the one before then stays. */
  apply(entry: KeyEntry, leaf: number, documents: ReadonlyMap<string, string>): void {
    const document = documents.get(entry.doc);
    if (document === undefined) {
      this.#findings.add('verify/manifest-document-missing', { leaf }, `a document with hash ${entry.doc}`, 'none');
      return;
    }
    const manifest = this.#open(document, leaf);
    if (manifest === null) return;
    const before = this.#documents.at(-1);
    const previous = before === undefined ? null : manifestHash(before);
    const n = this.manifest === null ? 0 : this.manifest.n + 1;
    if (manifest.n !== n || entry.n !== n || manifest.previous !== previous) {
      const expected = `manifest ${n} behind ${previous ?? 'none'}`;
      this.#findings.add(
        'verify/manifest-order',
        { leaf },
        expected,
        `${manifest.n} behind ${manifest.previous ?? 'none'}`,
      );
    }
    this.#use(manifest, document, entry);
  }

  /** Takes over the manifests of a heads object and their entries. False if one of them is not by the root. */
  restore(documents: readonly string[], rules: readonly string[]): boolean {
    const entries = rules
      .map(parseEntry)
      .filter((entry) => entry.t === 'key' && entry.kind === 'manifest') as KeyEntry[];
    // Behind the manifests there may be the document that names the log before.
    const manifests = documents.slice(0, entries.length).map((document) => this.#open(document, 0));
    if (manifests.length === 0 || manifests.includes(null) || entries.length !== manifests.length) return false;
    if (!entries.every(({ doc }, index) => doc === manifestHash(documents[index] as string))) return false;
    manifests.forEach((manifest, index) =>
      this.#use(manifest as Manifest, documents[index] as string, entries[index] as KeyEntry),
    );
    return true;
  }

  #open(document: string, leaf: number): Manifest | null {
    try {
      return openManifest(document, this.#root, this.#origin);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      const isForged = error.code === 'format/manifest-signature';
      const code = isForged ? 'verify/manifest-signature' : 'verify/manifest-malformed';
      this.#findings.add(code, { leaf }, error.expected, error.got);
      return null;
    }
  }

  #use(manifest: Manifest, document: string, entry: KeyEntry): void {
    this.#documents.push(document);
    this.#entries.push(entry);
    this.#manifests.push({ manifest, since: entry.at });
    this.#isEvaluation ||= manifest.evaluation;
    this.#archivers = signersOf(manifest, 'archiver');
    for (const [id, key] of this.#archivers) this.#allArchivers.set(id, key);
    this.#officers = signersOf(manifest, 'officer');
    this.#auditors = signersOf(manifest, 'auditor');
    const readers = signersOf(manifest, 'reader');
    const connectors = signersOf(manifest, 'connector');
    const signers = new Map([...connectors, ...readers]);
    for (const id of readers.keys()) this.#readerKeys.add(id);
    const added = [...signers].filter(([id]) => !this.#batchKeys.has(id));
    for (const [id, key] of added) this.#batchKeys.set(id, key);
    this.#batchRoles = new Map<KeyId, BatchRole>([
      ...[...connectors.keys()].map((id): [KeyId, BatchRole] => [id, 'connector']),
      ...[...readers.keys()].map((id): [KeyId, BatchRole] => [id, 'reader']),
    ]);
    this.#onBatchKeys(added.map(([, key]) => key.raw));
  }
}
