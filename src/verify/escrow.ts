// SPDX-License-Identifier: Apache-2.0
import type { EscrowEntry } from '../record/entry-types.ts';
import type { Findings } from './findings.ts';
import type { KeyBook } from './keys.ts';

/** A ceremony with the shares of a decryption key, as the log tells it. */
export interface CeremonyReport extends Pick<EscrowEntry, 'act' | 'ceremony' | 'key' | 'split' | 'need' | 'of'> {
  readonly leaf: number;
  /** When it was announced. */
  readonly at: string;
  /** How it ended, and when; null as long as the log does not say. */
  readonly outcome: { readonly state: 'done' | 'failed'; readonly at: string } | null;
}

/** A ceremony takes a day; nobody hears of it for this long only if something went wrong, or is kept quiet. */
const OPEN_MS = 7 * 86_400_000;

/** Ceremonies: each is announced before it runs, works on shares that an announced one made, and ends once. */
export class EscrowBook {
  readonly #findings: Findings;
  readonly #keys: KeyBook;
  readonly #ceremonies = new Map<string, CeremonyReport>();

  constructor(findings: Findings, keys: KeyBook) {
    this.#findings = findings;
    this.#keys = keys;
  }

  get ceremonies(): readonly CeremonyReport[] {
    return [...this.#ceremonies.values()];
  }

  /** What officers did not approve announces nothing. `isPartial`: what must stand before may lie in leaves that were not read. */
  apply(entry: EscrowEntry, leaf: number, isApproved: boolean, isPartial: boolean): void {
    const isRecipient = this.#keys.manifests.some(({ manifest }) =>
      manifest.recipients.some(({ kid }) => kid === entry.key),
    );
    if (!isRecipient) this.#findings.add('verify/escrow-key', { leaf }, 'a recipient of a manifest', entry.key);
    const { act, ceremony, key, split, need, of, state, at } = entry;
    const own = this.#ceremonies.get(ceremony);
    const expected = this.#missing(entry, own);
    if (expected !== null && !(isPartial && own === undefined)) {
      this.#findings.add('verify/escrow-order', { leaf }, expected, `${state} of ${ceremony}`);
      return;
    }
    if (!isApproved) return;
    if (state !== 'announced') {
      if (own !== undefined) this.#ceremonies.set(ceremony, { ...own, outcome: { state, at } });
    } else this.#ceremonies.set(ceremony, { act, ceremony, key, split, need, of, leaf, at, outcome: null });
  }

  /** What must stand before the entry and does not; null if nothing is missing. */
  #missing(entry: EscrowEntry, own: CeremonyReport | undefined): string | null {
    if (entry.state !== 'announced') {
      const isOpen = own !== undefined && own.act === entry.act && own.outcome === null && isAbout(entry, own);
      return isOpen ? null : 'the announcement of this ceremony, without an outcome yet';
    }
    if (own !== undefined) return 'a ceremony that was not announced before';
    if (entry.act === 'split') return null;
    const split = this.#ceremonies.get(entry.split);
    return split?.act === 'split' && isAbout(entry, split)
      ? null
      : 'the announcement of the split that made the shares';
  }

  /** `at`: time of the newest segment. */
  finish(at: string): void {
    for (const { outcome, at: since, leaf, ceremony } of this.#ceremonies.values()) {
      if (outcome !== null || Date.parse(at) - Date.parse(since) < OPEN_MS) continue;
      this.#findings.add('verify/escrow-open', { leaf }, 'how the ceremony ended', `nothing of ${ceremony}`);
    }
  }
}

function isAbout(entry: EscrowEntry, { key, split, need, of }: CeremonyReport): boolean {
  return entry.key === key && entry.split === split && entry.need === need && entry.of === of;
}
