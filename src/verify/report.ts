// SPDX-License-Identifier: Apache-2.0
import type { EnforcedManifest } from '../record/enforcement.ts';
import type { EntryType } from '../record/entry-types.ts';
import { parseSigningKeyText, type KeyId } from '../record/key.ts';
import type { RecipientRole, SignerRole } from '../record/manifest.ts';
import type { AccountCoverage } from './coverage.ts';
import type { CeremonyReport } from './escrow.ts';
import type { FoundCode } from './findings.ts';
import type { BeforeReport } from './line.ts';
import type { ScrubReport } from './scrubs.ts';
import type { TimeReport } from './time-stamps.ts';
import type { WitnessReport } from './witnesses.ts';

/**
 * `verified`: everything was checked and holds. `integrity`: everything holds that can be seen from here, but not locks and versions.
 * `findings`: something is held against the archive. `unchecked`: nothing is, but not everything could be judged.
 */
export type Verdict = 'verified' | 'integrity' | 'findings' | 'unchecked';

export interface Report {
  readonly verdict: Verdict;
  /** The verdict in words, for the first line. */
  readonly headline: string;
  /** 0 verified, 1 findings, 2 could not check. */
  readonly exitCode: 0 | 1 | 2;
  readonly origin: string;
  /** Leaves that were read: from the first one to the size of the log. Those before it are covered by the root alone. */
  readonly from: number;
  readonly size: number;
  /** Root of the log at that size, hex. */
  readonly root: string;
  /** Time of the newest segment. */
  readonly at: string;
  readonly store: StoreReport;
  /** Who vouches that everybody sees this log, and how far. */
  readonly witnesses: WitnessReport;
  /** Since when it has been as it is, by the word of time-stamping authorities. */
  readonly time: TimeReport;
  /** The C2SP tiles: for how many leaves they are published, and how many of them were compared with the log. */
  readonly tiles: { readonly size: number; readonly compared: number };
  /** Where this log stands among those that follow one another: a new log key begins a new log. */
  readonly line: {
    /** 0 for the first one. */
    readonly number: number;
    readonly before: BeforeReport | null;
    /** Origin of the log that this one, by its own last word, goes on in. */
    readonly after: string | null;
  };
  /** True where one machine made all keys: nobody can tell then who else has them. */
  readonly evaluation: boolean;
  /** False where packs and objects were checked by listing alone. */
  readonly payloads: boolean;
  readonly counts: Counts;
  readonly coverage: readonly AccountCoverage[];
  /** Whose keys counted, from when; the manifest in force last. */
  readonly manifests: readonly ManifestReport[];
  /** What was done with the shares of decryption keys. */
  readonly ceremonies: readonly CeremonyReport[];
  /** When auditors read again all that is stored, and what they found; the newest last. */
  readonly scrubs: readonly ScrubReport[];
  readonly findings: readonly FoundCode[];
  readonly unchecked: readonly FoundCode[];
  readonly notes: readonly FoundCode[];
}

export interface ManifestReport {
  readonly n: number;
  /** Time of the entry that put it in force. */
  readonly since: string;
  readonly evaluation: boolean;
  /** Holders of decryption keys. */
  readonly recipients: readonly { readonly role: RecipientRole; readonly id: KeyId }[];
  readonly signers: readonly { readonly role: SignerRole; readonly name: string; readonly id: KeyId }[];
}

export interface StoreReport {
  /** What the log says it is written to; null if it does not say. */
  readonly kind: 'directory' | 's3' | null;
  /** True where locks were compared with what the log promises. */
  readonly locksChecked: boolean;
  readonly versionsChecked: boolean;
  readonly words: string;
}

export interface Counts {
  readonly segments: number;
  readonly entries: Readonly<Partial<Record<EntryType, number>>>;
  /** Records of streams. */
  readonly records: number;
  readonly streams: number;
  readonly accounts: number;
  /** Packs and objects that the log names, and their bytes as stored. */
  readonly payloads: number;
  readonly payloadBytes: number;
  readonly segmentBytes: number;
}

export interface Judgement {
  readonly findings: number;
  readonly unchecked: readonly FoundCode[];
  readonly integrityOnly: boolean;
}

export function judge({
  findings,
  unchecked,
  integrityOnly,
}: Judgement): Pick<Report, 'verdict' | 'headline' | 'exitCode'> {
  if (findings > 0) {
    const rest = unchecked.length > 0 ? '; parts could not be checked' : '';
    return {
      verdict: 'findings',
      headline: `${findings} ${findings === 1 ? 'finding' : 'findings'}${rest}`,
      exitCode: 1,
    };
  }
  if (unchecked.length === 0) return { verdict: 'verified', headline: 'verified', exitCode: 0 };
  if (unchecked.every(({ code }) => code === 'verify/locks-unseen')) {
    const headline = 'integrity verified; locks and versions not checked';
    return { verdict: 'integrity', headline, exitCode: integrityOnly ? 0 : 2 };
  }
  const isCut = unchecked.every(({ code }) => code === 'verify/end-unproven');
  const headline = isCut ? 'could not check whether the end of the log is there' : 'could not check';
  return { verdict: 'unchecked', headline, exitCode: 2 };
}

export function describeStore(kind: StoreReport['kind'], locksChecked: boolean, versionsChecked: boolean): StoreReport {
  return { kind, locksChecked, versionsChecked, words: wordsFor(kind, locksChecked, versionsChecked) };
}

function wordsFor(kind: StoreReport['kind'], locksChecked: boolean, versionsChecked: boolean): string {
  switch (kind) {
    case null:
      return 'the log does not say what it is written to';
    case 'directory':
      return 'not WORM: kept in a directory, where whoever owns the machine may change or delete it';
    case 's3':
      return locksChecked && versionsChecked
        ? 'WORM: object locks and versions checked'
        : 'written under object locks; locks and versions cannot be seen from here';
  }
}

export function reportManifest({ manifest, since }: EnforcedManifest): ManifestReport {
  const { n, evaluation, recipients, signers } = manifest;
  return {
    n,
    since,
    evaluation,
    recipients: recipients.map(({ role, kid }) => ({ role, id: kid })),
    signers: signers.map(({ role, name, pub }) => ({ role, name, id: parseSigningKeyText(pub).id })),
  };
}
