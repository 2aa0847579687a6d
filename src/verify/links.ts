// SPDX-License-Identifier: Apache-2.0
import { canonicalize, type Json } from '../record/canonical.ts';
import { parseEntry } from '../record/entry.ts';
import type { KeyEntry } from '../record/entry-types.ts';
import { FormatError } from '../record/format-error.ts';
import { openLink, openPredecessor, type LogLink, type Predecessor } from '../record/link.ts';
import { isSameKey } from '../record/note.ts';
import type { Trust } from '../record/trust.ts';
import type { Findings } from './findings.ts';

/** Behind the manifest, which comes first. */
export const PREDECESSOR_LEAF = 1;
const UNSIGNED: ReadonlySet<string> = new Set(['format/link-signature', 'format/note-signature', 'format/key']);

/** Which log this one follows, and which follows it, by the words of the root and of both log keys. */
export class LinkBook {
  readonly #trust: Trust;
  readonly #findings: Findings;
  /** What names the log before, as it was written. */
  #named: { readonly entry: KeyEntry; readonly document: string } | null = null;
  predecessor: Predecessor | null = null;
  /** The link by which this log ended, as it was signed. */
  successor: { readonly link: LogLink; readonly document: string } | null = null;
  /** True once the log has said that it ends. */
  #hasEnded = false;

  constructor(trust: Trust, findings: Findings) {
    this.#trust = trust;
    this.#findings = findings;
  }

  /** Number of this log in its line. */
  get number(): number {
    return this.predecessor?.link.n ?? 0;
  }

  /** What heads must hold beside the manifests and their entries. */
  get documents(): readonly string[] {
    return this.#named === null ? [] : [this.#named.document];
  }

  lines(): string[] {
    return this.#named === null ? [] : [canonicalize(this.#named.entry as unknown as Json)];
  }

  /** Takes over what a heads object says. */
  restore(documents: readonly string[], rules: readonly string[]): void {
    const entry = rules.map(parseEntry).find((rule) => rule.t === 'key' && rule.kind === 'predecessor');
    const document = documents.at(-1);
    if (entry?.t !== 'key' || document === undefined) return;
    this.#open(entry, document);
  }

  /** What comes behind the segment that ended the log is held against it. */
  judgeSegment(first: number): void {
    if (this.#hasEnded)
      this.#findings.add('verify/log-continued', { leaf: first }, 'nothing behind the end', 'a segment');
  }

  apply(entry: KeyEntry, leaf: number, documents: ReadonlyMap<string, string>): void {
    const document = documents.get(entry.doc);
    if (document === undefined) return this.#malformed(leaf, `a document with hash ${entry.doc}`, 'none');
    try {
      if (entry.kind === 'predecessor') this.#applyPredecessor(entry, leaf, document);
      else this.#applySuccessor(entry, leaf, document);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      const code = UNSIGNED.has(error.code) ? 'verify/link-signature' : 'verify/link-malformed';
      this.#findings.add(code, { leaf }, error.expected, error.got);
    }
  }

  #applyPredecessor(entry: KeyEntry, leaf: number, document: string): void {
    if (leaf !== PREDECESSOR_LEAF) return this.#malformed(leaf, `leaf ${PREDECESSOR_LEAF}`, `leaf ${leaf}`);
    const { link } = this.#open(entry, document);
    if (isSameKey(link.to, this.#trust.log) && entry.n === link.n) return;
    this.predecessor = null;
    this.#malformed(leaf, `a link to ${this.#trust.origin} of number ${link.n}`, 'one to another log or number');
  }

  #open(entry: KeyEntry, document: string): Predecessor {
    // Heads hold it whatever it is.
    this.#named = { entry, document };
    this.predecessor = openPredecessor(document, this.#trust.root);
    return this.predecessor;
  }

  #applySuccessor(entry: KeyEntry, leaf: number, document: string): void {
    this.#hasEnded = true;
    const link = openLink(document, this.#trust.root);
    const isOurs = isSameKey(link.from, this.#trust.log) && link.cause === 'exchanged';
    const isNext = entry.n === link.n && link.n === this.number + 1;
    if (isOurs && isNext) this.successor = { link, document };
    else this.#malformed(leaf, `a link from ${this.#trust.origin} of number ${this.number + 1}`, 'another one');
  }

  #malformed(leaf: number, expected: string, got: string): void {
    this.#findings.add('verify/link-malformed', { leaf }, expected, got);
  }

  /** The trust file may say which log this one must name. `isWhole`: the beginning was read. */
  finish(isWhole: boolean): void {
    const { before, number, origin } = this.#trust;
    const named = this.predecessor?.link.from;
    if (before === undefined || (named === undefined && !isWhole)) return;
    if (named !== undefined && isSameKey(named, before) && this.number === number) return;
    this.#findings.add(
      'verify/link-missing',
      { leaf: PREDECESSOR_LEAF },
      `a link from ${before.name} to ${origin}`,
      named?.name ?? 'none',
    );
  }
}
