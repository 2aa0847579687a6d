// SPDX-License-Identifier: Apache-2.0
import type { Approval, DispositionEntry, HoldEntry } from '../record/entry-types.ts';
import { sha256Hex } from '../record/hash.ts';
import { approvalText, approverOf, type ApprovedEntry } from '../record/hold.ts';
import { verifyBytes } from '../record/key.ts';
import type { Findings } from './findings.ts';
import type { KeyBook } from './keys.ts';

const HASHES = /(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])/g;

/** What officers of the manifest in force sign; holds and dispositions name a document in their segment besides. */
export class OfficerBook {
  readonly #findings: Findings;
  readonly #keys: KeyBook;
  /** Hashes of what officers signed so far. */
  readonly #signed = new Set<string>();
  /** Packs and objects that an approved disposition names. */
  readonly #disposed = new Set<string>();

  constructor(findings: Findings, keys: KeyBook) {
    this.#findings = findings;
    this.#keys = keys;
  }

  isDisposed(hash: string): boolean {
    return this.#disposed.has(hash);
  }

  apply(entry: HoldEntry | DispositionEntry, leaf: number, documents: ReadonlyMap<string, string>): void {
    const document = documents.get(entry.objects.h);
    const hasDocument = document !== undefined && Buffer.byteLength(document) === entry.objects.n;
    if (!hasDocument) {
      const expected = `a document of ${entry.objects.n} bytes with hash ${entry.objects.h}`;
      this.#findings.add('verify/approval-document', { leaf }, expected, 'none');
    }
    const isApproved = this.isApproved(entry, leaf);
    if (entry.t !== 'disposition' || !isApproved || document === undefined) return;
    for (const [hash] of document.matchAll(HASHES)) this.#disposed.add(hash);
  }

  /** True if all its signatures are by keys that may approve it and hold, and it is none from before. */
  isApproved(entry: ApprovedEntry, leaf: number): boolean {
    const text = approvalText(entry);
    const hash = sha256Hex(text);
    const isFirst = !this.#signed.has(hash);
    this.#signed.add(hash);
    if (!isFirst) this.#findings.add('verify/approval-replayed', { leaf }, 'an entry of its own', 'one from before');
    const wrong = entry.by.filter((approval) => !this.#isSigned(approval, text, approverOf(entry), leaf));
    return isFirst && wrong.length === 0;
  }

  #isSigned({ key, sig }: Approval, text: string, role: 'auditor' | 'officer', leaf: number): boolean {
    const approver = role === 'auditor' ? this.#keys.auditor(key) : this.#keys.officer(key);
    if (approver === undefined) {
      this.#findings.add('verify/approval-signer', { leaf }, `an ${role} of the manifest in force`, `key ${key}`);
      return false;
    }
    const isSigned = verifyBytes(approver, text, Buffer.from(sig, 'base64'));
    if (!isSigned)
      this.#findings.add('verify/approval-signature', { leaf }, `a signature by ${key}`, 'one that does not verify');
    return isSigned;
  }
}
