// SPDX-License-Identifier: AGPL-3.0-or-later
import { parseStatement, verifyStatement } from '../record/batch.ts';
import { parseCanonical, type Json } from '../record/canonical.ts';
import { openCheckpoint } from '../record/checkpoint.ts';
import { commitRecord, PARTS, readPart, type PartName } from '../record/commitment.ts';
import { maySign } from '../record/enforcement.ts';
import { entryId, isStreamRecord, parseEntry, sealedPart } from '../record/entry.ts';
import type { StreamRecord } from '../record/entry-types.ts';
import { FormatError } from '../record/format-error.ts';
import { HASH_BYTES, leafHash, sha256 } from '../record/hash.ts';
import type { SigningKey } from '../record/key.ts';
import { openManifest, signersOf, type Manifest } from '../record/manifest.ts';
import { verifyInclusion } from '../record/merkle.ts';
import { encodeVerifierKey } from '../record/note.ts';
import { parsePolicy, type Policy, type Witnessed } from '../record/policy.ts';
import { parseTimeStamp } from '../record/time-stamp.ts';
import { parseTlogProof, verifyTlogProof } from '../record/tlog-proof.ts';
import { parseTrust, type Trust } from '../record/trust.ts';
import { derive } from './derive.ts';
import { CORE, CORE_NAMES, fileOf, linesOf, linkedTo, partFile, REQUIRED, STAMPS, type Files } from './files.ts';
import { BUNDLE_CATALOGUE, type BundleCode, type BundleFinding } from './findings.ts';

/** What the verifier has from elsewhere, and so need not take from the bundle. */
export interface CheckOptions {
  readonly trust?: Trust;
  readonly policy?: Policy;
}

export interface BundleReport {
  readonly findings: readonly BundleFinding[];
  /** Leaf, log and size that the record's proof leads to; null where it does not hold. */
  readonly proven: {
    readonly leaf: number;
    readonly origin: string;
    readonly size: number;
    readonly cosignatures: number;
  } | null;
  /** False: trust came with the bundle, and must be compared by its fingerprints. */
  readonly trustGiven: boolean;
  readonly disclosed: readonly PartName[];
}

/** Checks a bundle with nothing but itself and what the verifier trusts. Whatever the files hold, it gives a report and throws nothing. */
export function checkBundle(files: Files, options: CheckOptions = {}): BundleReport {
  return new BundleCheck(files, options).run();
}

class BundleCheck {
  readonly #files: Files;
  readonly #options: CheckOptions;
  readonly #findings: BundleFinding[] = [];
  readonly #disclosed: PartName[] = [];

  constructor(files: Files, options: CheckOptions) {
    this.#files = files;
    this.#options = options;
  }

  run(): BundleReport {
    const names = [...this.#files.keys()];
    for (const name of REQUIRED.filter((each) => !this.#files.has(each)))
      this.#found('proof/file-missing', name, 'a file', 'none');
    const proven = this.#findings.length > 0 ? null : this.#checkCore();
    if (this.#findings.length === 0) this.#checkDerived(names);
    const trustGiven = this.#options.trust !== undefined;
    return { findings: this.#findings, proven, trustGiven, disclosed: this.#disclosed };
  }

  #found(code: BundleCode, file: string, expected: string, got: string): void {
    this.#findings.push({ code, meaning: BUNDLE_CATALOGUE[code], file, expected, got });
  }

  /** What `work` gives; null, with a finding, where the file's form does not hold. */
  #try<T>(code: BundleCode, file: string, work: () => T): T | null {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof FormatError) && !(error instanceof RangeError)) throw error;
      const [expected, got] = error instanceof FormatError ? [error.expected, error.got] : ['a part', 'other bytes'];
      this.#found(code, file, expected, got);
      return null;
    }
  }

  #text(name: string): string {
    return fileOf(this.#files, name).toString('utf8');
  }

  #checkCore(): BundleReport['proven'] {
    const trust = this.#try('proof/file-malformed', CORE.trust, () => parseTrust(this.#text(CORE.trust)));
    const policy = this.#try('proof/file-malformed', CORE.policy, () => parsePolicy(fileOf(this.#files, CORE.policy)));
    const record = this.#record(CORE.record);
    if (trust === null || policy === null || record === null) return null;
    this.#checkTrust(trust, policy);
    const judge = this.#options.policy ?? policy;
    const witnessed = this.#proof(CORE.record, CORE.proof, 'proof/record-proof', judge);
    // Where the record's own place is not proven, nothing else is held against it twice.
    const leaf = witnessed === null ? null : this.#indexOf(CORE.proof);
    const manifest = this.#try('proof/manifest', CORE.manifest, () =>
      openManifest(this.#text(CORE.manifest), this.#options.trust?.root ?? trust.root, trust.origin),
    );
    if (manifest !== null) this.#checkBatch(record, manifest, trust.origin);
    this.#checkNeighbours(record, leaf, judge);
    this.#checkSeal(record, leaf, judge, trust.origin);
    this.#checkStamps(leaf, this.#options.trust ?? trust);
    this.#checkContent(record);
    if (witnessed === null || leaf === null) return null;
    const { origin, size } = witnessed.checkpoint;
    return { leaf, origin, size, cosignatures: witnessed.cosignatures.length };
  }

  #checkTrust(trust: Trust, policy: Policy): void {
    const given = this.#options.trust;
    const isSame =
      given === undefined ||
      (given.origin === trust.origin && given.root.id === trust.root.id && given.log.key.id === trust.log.key.id);
    if (!isSame) this.#found('proof/trust-other', CORE.trust, 'the trust file that was given', 'another');
    const own = encodeVerifierKey(trust.log);
    for (const each of [policy, this.#options.policy ?? policy]) {
      if (each.logs.some((log) => encodeVerifierKey(log) === own)) continue;
      this.#found('proof/trust-other', CORE.policy, 'a policy that names the log of the trust file', 'another');
      return;
    }
  }

  #record(name: string): StreamRecord | null {
    return this.#try('proof/file-malformed', name, () => {
      const entry = parseEntry(fileOf(this.#files, name).toString('latin1'));
      if (!isStreamRecord(entry)) throw new FormatError('format/entry', 'a record of a stream', 'another entry');
      return entry;
    });
  }

  #indexOf(name: string): number {
    try {
      return parseTlogProof(this.#text(name)).index;
    } catch (error) {
      if (error instanceof FormatError) return -1;
      throw error;
    }
  }

  #proof(name: string, proofName: string, code: BundleCode, policy: Policy): Witnessed | null {
    return this.#try(code, proofName, () => {
      const proof = parseTlogProof(this.#text(proofName));
      return verifyTlogProof(proof, leafHash(fileOf(this.#files, name)), policy);
    });
  }

  #checkBatch(record: StreamRecord, manifest: Manifest, origin: string): void {
    const statement = this.#try('proof/file-malformed', CORE.batch, () => parseStatement(this.#text(CORE.batch)));
    if (statement === null) return;
    const key = signerOf(manifest, statement.key, record);
    if (key === null) {
      this.#found(
        'proof/batch-signature',
        CORE.batch,
        'a key that the manifest lets sign such a record',
        `key ${statement.key}`,
      );
    } else {
      this.#try('proof/batch-signature', CORE.batch, () => verifyStatement(statement, key));
    }
    const lines = linesOf(fileOf(this.#files, CORE.after));
    const { stream, first, count, last } = statement;
    const covers =
      statement.origin === origin && stream === record.stream && lines.length === first + count - 1 - record.seq;
    if (
      !covers ||
      record.seq < first ||
      chainEnd(fileOf(this.#files, CORE.record).toString('latin1'), lines) !== last
    ) {
      this.#found('proof/batch-record', CORE.after, 'links from the record to the last one that is signed', 'others');
    }
  }

  #checkNeighbours(record: StreamRecord, leaf: number | null, policy: Policy): void {
    const id = entryId(this.#text(CORE.record)).toString('hex');
    const rows = [
      [CORE.previous, CORE.previousProof, (entry: StreamRecord, own: string) => follows(entry, own, record), -1],
      [CORE.next, CORE.nextProof, (entry: StreamRecord) => follows(record, id, entry), 1],
    ] as const;
    for (const [name, proofName, isNeighbour, side] of rows) {
      if (!this.#both(name, proofName)) continue;
      const entry = this.#record(name);
      if (entry === null) continue;
      if (!isNeighbour(entry, entryId(this.#text(name)).toString('hex'))) {
        this.#found('proof/neighbour-link', name, 'the record next to it in its stream', 'another');
      }
      this.#proof(name, proofName, 'proof/neighbour-proof', policy);
      if (leaf !== null && Math.sign(this.#indexOf(proofName) - leaf) !== side) {
        this.#found(
          'proof/neighbour-proof',
          proofName,
          side < 0 ? 'a leaf before it' : 'a leaf behind it',
          'another place',
        );
      }
    }
  }

  /** True if both files are there; half of a pair is a finding. */
  #both(...names: readonly string[]): boolean {
    const there = names.filter((name) => this.#files.has(name));
    if (there.length > 0 && there.length < names.length) {
      for (const name of names) if (!this.#files.has(name)) this.#found('proof/file-missing', name, 'a file', 'none');
    }
    return there.length === names.length;
  }

  #checkSeal(record: StreamRecord, leaf: number | null, policy: Policy, origin: string): void {
    if (!this.#both(CORE.seal, CORE.sealProof, CORE.sealStream)) return;
    this.#proof(CORE.seal, CORE.sealProof, 'proof/seal', policy);
    this.#try('proof/seal', CORE.sealStream, () => {
      const entry = parseEntry(this.#text(CORE.seal));
      const { hashes, id, index, seq, size, stream } = parseLine(this.#text(CORE.sealStream));
      const isOne = entry.t === 'heads' && entry.log === origin && stream === record.stream && entry.streams === size;
      const numbers = [index, seq, size].every((value) => Number.isSafeInteger(value));
      if (!isOne || !numbers || !Array.isArray(hashes) || typeof id !== 'string' || hashes.length > 64) {
        throw new FormatError('format/entry', 'a heads entry, and where the stream stands', 'others');
      }
      const proof = hashes.map((hash) => Buffer.from(String(hash), 'base64'));
      if (proof.some((hash) => hash.length !== HASH_BYTES))
        throw new FormatError('format/proof', 'hashes', 'other bytes');
      const line = leafHash(Buffer.from(`${record.stream} ${seq as number} ${id}\n`));
      verifyInclusion(line, index as number, size as number, proof, Buffer.from(entry.root, 'hex'));
      const own = entryId(this.#text(CORE.record)).toString('hex');
      const isPast = (seq as number) > record.seq || (seq === record.seq && (id === own || record.t === 'hole'));
      if (!isPast || this.#indexOf(CORE.sealProof) < (leaf ?? 0))
        throw new FormatError('format/entry', 'heads behind the record', 'others');
    });
  }

  /** That what was stamped is a checkpoint that the record is in; who stamped it is judged by `judgeStamps`. */
  #checkStamps(leaf: number | null, trust: Trust): void {
    const names = STAMPS.filter((name) => this.#files.has(name));
    if (names.length === 0 && !this.#files.has(CORE.stampProof)) return;
    if (!this.#both(CORE.stampProof, names[0] ?? (STAMPS[0] as string))) return;
    const checkpoint = this.#try('proof/stamp', CORE.stampProof, () => {
      const proof = parseTlogProof(this.#text(CORE.stampProof));
      const { size, root } = openCheckpoint(proof.checkpoint, trust.log);
      verifyInclusion(leafHash(fileOf(this.#files, CORE.record)), proof.index, size, proof.hashes, root);
      if (leaf !== null && proof.index !== leaf) throw new FormatError('format/proof', `leaf ${leaf}`, 'another leaf');
      return proof.checkpoint;
    });
    for (const name of names) {
      this.#try('proof/stamp', name, () => {
        const stamp = parseTimeStamp(this.#text(name));
        if (checkpoint !== null && stamp.checkpoint !== checkpoint)
          throw new FormatError('format/time-stamp', `a stamp of the checkpoint in ${CORE.stampProof}`, 'of another');
      });
    }
  }

  #checkContent(record: StreamRecord): void {
    const parts = PARTS.filter((name) => this.#files.has(partFile(name)));
    if (!this.#files.has(CORE.commitments)) {
      for (const name of parts) this.#found('proof/file-missing', CORE.commitments, `commitments for ${name}`, 'none');
      return;
    }
    const bytes = fileOf(this.#files, CORE.commitments);
    const hashes = PARTS.map((_, index) => bytes.subarray(1 + index * HASH_BYTES, 1 + (index + 1) * HASH_BYTES));
    const [cap, view, raw] = hashes as [Buffer, Buffer, Buffer];
    const whole = bytes.length === 1 + PARTS.length * HASH_BYTES && bytes[0] === 5;
    if (!whole || sealedPart(record)?.com !== commitRecord({ cap, view, raw }).toString('hex')) {
      this.#found('proof/content', CORE.commitments, `the commitments that ${CORE.record} names`, 'others');
    }
    for (const name of parts) {
      const file = partFile(name);
      const part = fileOf(this.#files, file);
      const read = this.#try('proof/content', file, () => readPart(part, 0, name));
      if (read === null) continue;
      if (read.end !== part.length || !sha256(part).equals(hashes[PARTS.indexOf(name)] as Buffer)) {
        this.#found('proof/content', file, 'the part that its commitment hashes', 'another');
      } else {
        this.#disclosed.push(name);
      }
    }
  }

  /** What is made from other files must be what they make: nobody reads a page that says more than the proof. */
  #checkDerived(names: readonly string[]): void {
    const core = new Map([...this.#files].filter(([name]) => CORE_NAMES.has(name)));
    const derived = derive(core);
    for (const [name, bytes] of derived) {
      const found = this.#files.get(name);
      if (found === undefined) this.#found('proof/file-missing', name, 'a file', 'none');
      else if (!found.equals(bytes)) this.#found('proof/file-derived', name, 'what the others make', 'other bytes');
    }
    for (const name of names) {
      if (!CORE_NAMES.has(name) && !derived.has(name)) this.#found('proof/file-unknown', name, 'no such file', 'one');
    }
  }
}

function parseLine(text: string): Readonly<Record<string, Json>> {
  const value = parseCanonical(text.replace(/\n$/, ''));
  if (!text.endsWith('\n') || typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new FormatError('format/not-canonical', 'one object, and a newline', 'another text');
  }
  return value as Readonly<Record<string, Json>>;
}

function signerOf(manifest: Manifest, key: string, { t }: StreamRecord): SigningKey | null {
  for (const role of ['connector', 'reader'] as const) {
    const found = signersOf(manifest, role).get(key);
    if (found !== undefined && maySign(role, t)) return found;
  }
  return null;
}

/** The id that a chain of lines ends with: each names the one before it. */
function chainEnd(record: string, lines: readonly string[]): string {
  let id = entryId(record).toString('hex');
  for (const line of lines) id = entryId(linkedTo(id, line)).toString('hex');
  return id;
}

function follows(before: StreamRecord, id: string, after: StreamRecord): boolean {
  const [seq, link] = before.t === 'hole' ? [before.seq + before.count, before.last] : [before.seq + 1, id];
  return after.stream === before.stream && after.seq === seq && after.prev === link;
}
