// SPDX-License-Identifier: Apache-2.0

/**
 * What a verdict is made of. `finding`: held against the archive. `note`: worth knowing, proves nothing against it. `unchecked`:
 * could not be judged from here, so the verdict cannot be "verified".
 */
export type Severity = 'finding' | 'note' | 'unchecked';

/** Every code, once, with its severity and what it means. A retired code stays as a comment: it is never used again. */
export const CATALOGUE = {
  'verify/reader-failed': ['unchecked', 'the store did not answer, or not with what it had listed'],
  'verify/too-large': ['unchecked', 'an object is larger than a verifier reads whole'],
  'verify/worker-failed': ['unchecked', 'a thread that checks ended before its work was done'],
  'verify/origin-malformed': ['unchecked', 'the origin in the trust file is not one'],
  'verify/log-absent': ['unchecked', 'there is no log of the trusted origin'],
  'verify/locks-unseen': ['unchecked', 'the log was written under locks and versions that cannot be seen from here'],
  'verify/end-unproven': [
    'unchecked',
    'no checkpoint is published and stored packs are named by nothing: the last segments may have been taken away',
  ],
  'verify/since-malformed': ['unchecked', 'the given checkpoint is not one that the trusted log key signed'],

  'verify/checkpoint-missing': ['note', 'no checkpoint is published; it follows from the segments'],
  'verify/checkpoint-behind': ['note', 'the published checkpoint does not cover the last leaves yet'],
  'verify/checkpoint-unsigned': ['finding', 'the published checkpoint is not one that the log key signed'],
  'verify/checkpoint-ahead': ['finding', 'the log key signed more leaves than there are'],
  'verify/checkpoint-root': ['finding', 'the published checkpoint has another root than the entries'],
  'verify/tile-checkpoint-unsigned': ['finding', 'the checkpoint beside the tiles is not one that the log key signed'],
  'verify/tile-other': ['finding', 'a published tile holds something else than the segments give'],
  'verify/tile-ahead': ['finding', 'tiles are published for leaves that are not there'],
  'verify/tile-missing': ['note', 'a tile is not there; it follows from the segments'],
  'verify/policy-other-log': ['unchecked', 'the policy is not for the log of the trust file'],
  'verify/witness-malformed': ['finding', 'a cosigned checkpoint was changed, or is none that the log key signed'],
  'verify/witness-signature': ['finding', 'a witness’s cosignature does not verify'],
  'verify/witness-rollback': ['finding', 'a witness has cosigned more leaves than there are'],
  'verify/witness-fork': ['finding', 'a witness has cosigned another log of that size'],
  'verify/witness-unknown': ['note', 'cosigned by nobody whom a manifest or the policy names'],
  'verify/witness-none': ['note', 'the manifest names witnesses, and no checkpoint is cosigned'],
  'verify/quorum-missing': ['finding', 'no checkpoint has the cosignatures that the policy asks for'],
  'verify/quorum-stale': [
    'finding',
    'the log went on for over a day without the cosignatures that the policy asks for',
  ],
  'verify/quorum-behind': ['note', 'the newest leaves are not cosigned yet'],
  'verify/time-malformed': ['finding', 'a time stamp was changed, or is none of a checkpoint that the log key signed'],
  'verify/time-imprint': ['finding', 'a time stamp is over something else than its checkpoint'],
  'verify/time-signature': ['finding', 'the signature of a time stamp does not verify'],
  'verify/time-signer': ['finding', 'a time stamp is signed by another certificate than it names'],
  'verify/time-usage': ['finding', 'a time stamp is by a key that is not for time stamps alone'],
  'verify/time-validity': ['finding', 'a certificate of a time stamp was not valid at its time'],
  'verify/time-untrusted': ['finding', 'a time stamp is by no authority that is trusted'],
  'verify/time-revoked': ['finding', 'a certificate of a time stamp had been revoked'],
  'verify/time-before': ['finding', 'a time stamp is older than the segment that it covers says it is'],
  'verify/time-rollback': ['finding', 'more leaves were stamped than there are'],
  'verify/time-fork': ['finding', 'another log of that size was stamped'],
  'verify/time-unjudged': ['note', 'a time stamp that was not judged: no authorities to trust were given'],
  'verify/time-no-revocation': ['note', 'a time stamp without the revocation lists of its time'],
  'verify/since-rollback': ['finding', 'the log is shorter than the checkpoint seen earlier'],
  'verify/since-fork': ['finding', 'the log has another root at the size of the checkpoint seen earlier'],

  'verify/segment-missing': ['finding', 'leaves are in no segment'],
  'verify/segment-overlap': ['finding', 'a segment begins inside another'],
  'verify/segment-malformed': ['finding', 'an object is no segment, or its bytes were changed'],
  'verify/segment-place': ['finding', 'a segment of another log or another place than its key says'],
  'verify/segment-edge': ['finding', 'a segment states another log before it than the entries give'],
  'verify/segment-root': ['finding', 'a segment states another root than its entries give'],
  'verify/segment-signer': ['finding', 'a segment is by an archiver that the manifest in force does not name'],
  'verify/segment-signature': ['finding', 'the archiver’s signature of a segment does not verify'],
  'verify/segment-checkpoint-unsigned': [
    'finding',
    'the checkpoint that a segment carries is not signed by the log key',
  ],
  'verify/segment-checkpoint-root': [
    'finding',
    'the checkpoint that a segment carries is of another log than the entries',
  ],
  'verify/segment-unused-document': ['note', 'a document that nothing in its segment names'],

  'verify/entry-too-large': ['finding', 'an entry is over the limit'],
  'verify/entry-unknown-type': ['finding', 'an entry of an unknown type'],
  'verify/entry-malformed': ['finding', 'an entry breaks the grammar or is not canonical'],
  'verify/entry-rule': ['finding', 'an entry breaks a rule of its type'],
  'verify/entry-origin': ['finding', 'an entry of the log’s own names another log'],
  'verify/entry-order': ['finding', 'an entry of the log’s own stands among the records of batches'],

  'verify/manifest-none': [
    'finding',
    'the log does not begin with a manifest, or records come before it: nobody may have signed them',
  ],
  'verify/manifest-document-missing': ['finding', 'a key entry’s document is not in its segment'],
  'verify/manifest-malformed': ['finding', 'a key entry’s document is no manifest of this log'],
  'verify/manifest-signature': ['finding', 'a manifest is not signed by the trusted root'],
  'verify/manifest-order': ['finding', 'a manifest is not the next one, or names another before it'],

  'verify/link-missing': [
    'finding',
    'the log does not begin with a link to the one that the trust file says came before it',
  ],
  'verify/link-malformed': ['finding', 'a link to the log before or behind is none of this log, or not in its place'],
  'verify/link-signature': ['finding', 'a link between logs is not signed by the root and the log keys that must'],
  'verify/log-continued': ['finding', 'the log goes on behind its end'],
  'verify/predecessor-end': ['finding', 'the log before ends elsewhere, or otherwise, than this one says'],
  'verify/predecessor-absent': ['unchecked', 'the log before this one is not here'],
  'verify/predecessor-unread': ['note', 'the log before this one was not looked at, as was asked'],
  'verify/predecessor-abandoned': ['note', 'the log before was ended without its own key: the root alone says where'],

  'verify/batch-malformed': ['finding', 'a batch statement is none'],
  'verify/batch-origin': ['finding', 'a batch was signed for another log'],
  'verify/batch-signature': ['finding', 'the signature of a batch does not verify'],
  'verify/batch-signer': ['finding', 'a batch is by a key that no manifest so far names as connector or reader'],
  'verify/batch-retired-signer': [
    'finding',
    'a batch is by a key of an earlier manifest that the one in force there no longer names',
  ],
  'verify/batch-role': ['finding', 'a batch holds a record that its signer’s role may not sign'],
  'verify/batch-stream-key': ['finding', 'a batch is by another key than its stream was opened for'],
  'verify/batch-generation': ['finding', 'a batch states another generation than its stream was opened with'],
  'verify/batch-foreign-record': ['finding', 'a batch covers a record of another stream'],
  'verify/batch-first': ['finding', 'a batch states another first record than the one it covers'],
  'verify/batch-last': ['finding', 'a batch states another last record than the one it covers'],
  'verify/batch-hole': ['finding', 'a hole is not the last entry of its batch: no signature covers it'],
  'verify/batch-overrun': ['finding', 'batches cover more entries than the segment has'],
  'verify/batch-uncovered': ['finding', 'records that no batch covers: nobody signed them'],

  'verify/stream-unopened': ['finding', 'records of a stream that was not opened'],
  'verify/stream-generation': ['finding', 'a stream’s generation is not above those of the account’s earlier streams'],
  'verify/stream-generation-far': [
    'finding',
    'a stream’s generation is far ahead of its time and of the account’s last',
  ],
  'verify/stream-sequence': ['finding', 'sequence numbers of a stream leave a gap or go back'],
  'verify/stream-chain': ['finding', 'a record names another record before it than the one that is there'],
  'verify/stream-closed': ['finding', 'records of a stream after it was closed'],
  'verify/stream-parallel': ['finding', 'two streams of one account go on side by side under different keys'],
  'verify/stream-no-last': ['note', 'a stream was opened without naming where the account’s earlier one ended'],
  'verify/stream-last-account': ['finding', 'a record names another account’s stream as the earlier one'],
  'verify/stream-tail-missing': ['finding', 'the tail of an earlier stream is not in the log'],
  'verify/stream-tail-other': ['finding', 'an earlier stream ends with another record than its successor knew'],
  'verify/stream-hole': ['note', 'records that were admitted lost'],

  'verify/epoch-document-missing': ['finding', 'an epoch’s document is not in the segment of its records'],
  'verify/epoch-malformed': ['finding', 'an epoch’s document is no wrapped secret'],
  'verify/epoch-recipients': ['finding', 'an epoch is wrapped to other recipients than a manifest names'],
  'verify/epoch-recipients-retired': [
    'finding',
    'a record is sealed to recipients of an earlier manifest more than a day after the next one came into force',
  ],
  'verify/epoch-index-reused': ['finding', 'two records were sealed under one key'],
  'verify/epoch-index-order': ['finding', 'a record was sealed under an older key than the record before it'],
  'verify/epoch-late': ['note', 'an epoch was used again long after; its earlier indices are no longer at hand'],

  'verify/pack-range': ['finding', 'a pack claims leaves that are no records of its segment'],
  'verify/pack-length': ['finding', 'a pack is not as long as the bodies it claims'],
  'verify/pack-body-twice': ['finding', 'a body lies in two packs'],
  'verify/pack-body-uncovered': ['finding', 'a body lies in no pack'],
  'verify/pack-missing': ['finding', 'a pack that the log names is not there'],
  'verify/pack-disposed': ['note', 'a pack is gone, as an approved disposition says'],
  'verify/pack-size': ['finding', 'a stored pack has another size than its entry says'],
  'verify/pack-hash': ['finding', 'a stored pack has other bytes than its name says'],
  'verify/pack-body': ['finding', 'a pack holds other bytes than the records commit to'],
  'verify/pack-short': ['finding', 'a pack is promised for less than its class’s schedule'],
  'verify/pack-over-max': ['finding', 'a pack is promised for longer than its class allows'],
  'verify/pack-provisional': ['note', 'a pack of a class that has no schedule'],
  'verify/pack-orphan': ['note', 'a stored pack that no entry names'],
  'verify/repack-source': ['finding', 'a pack takes over from one that the log does not name'],

  'verify/object-missing': ['finding', 'an object that a record names is not there'],
  'verify/object-disposed': ['note', 'an object is gone, as an approved disposition says'],
  'verify/object-size': ['finding', 'a stored object has another size than its record says'],
  'verify/object-hash': ['finding', 'a stored object has other bytes than its name says'],
  'verify/object-orphan': ['note', 'a stored object that no record names'],

  'verify/version-delete-marker': ['finding', 'a delete marker hides an object'],
  'verify/version-other-bytes': ['finding', 'a later version of an object has other bytes'],
  'verify/version-identical': ['note', 'a later version of an object has the same bytes'],
  'verify/version-losing-segment': [
    'note',
    'a later version of a segment is that of an archiver which came second for this place',
  ],
  'verify/version-unknown-key': ['finding', 'an object under a name that nothing here has'],

  'verify/lock-missing': ['finding', 'an object that must be locked is not'],
  'verify/lock-mode': ['finding', 'a lock is weaker than the schedule says'],
  'verify/lock-short': ['finding', 'a lock ends before what it must protect'],

  'verify/heads-missing': ['finding', 'a heads object that the log names is not there'],
  'verify/heads-malformed': ['finding', 'a heads object has other bytes than its entry says, or no form'],
  'verify/heads-place': ['finding', 'a heads object is of another log or another place'],
  'verify/heads-root': ['finding', 'a heads entry states another root or count than the streams have'],
  'verify/heads-streams': ['finding', 'a heads object says something else of a stream than the log'],
  'verify/heads-rules': ['finding', 'a heads object has other manifests or rules than the log'],
  'verify/heads-orphan': ['note', 'a heads object that no entry names'],

  'verify/beat-parts': ['finding', 'a beat is not whole'],
  'verify/beat-foreign-stream': ['note', 'a beat lists a stream of another key; it proves nothing about that stream'],
  'verify/beat-head-other': ['finding', 'a beat names another record than the log has there'],
  'verify/beat-records-missing': ['finding', 'a beat names records that the log lacks, and a later beat is there'],
  'verify/beat-ahead': ['note', 'the last beat of a process names records that are not in the log yet'],
  'verify/claim-uncompared': ['note', 'what a record says of another one falls into leaves that could not be read'],
  'verify/silence-process': ['finding', 'a process wrote no beat for too long, and no gap says why'],
  'verify/silence-stream': ['finding', 'no beat listed an open stream for too long, and no gap says why'],
  'verify/gap-reference': ['note', 'a gap ends another one that the log does not have'],

  'verify/retention-shortened': ['finding', 'a schedule is shorter than the one before it'],
  'verify/retention-weakened': ['finding', 'a schedule has a weaker lock mode than the one before it'],
  'verify/approval-signer': ['finding', 'an approval is by a key that may not give it, by the manifest in force'],
  'verify/approval-signature': ['finding', 'an approval’s signature does not verify'],
  'verify/approval-replayed': ['finding', 'an approved entry stands in the log twice'],
  'verify/approval-document': ['finding', 'the document of a hold or disposition is not in its segment'],
  'verify/escrow-key': ['finding', 'a ceremony is about a key that no manifest so far names as a recipient'],
  'verify/escrow-order': ['finding', 'a ceremony without the one that must stand in the log before it'],
  'verify/escrow-open': ['note', 'a ceremony was announced, and the log does not say how it ended'],
  'verify/store-unstated': ['finding', 'the log does not say what kind of store it is written to'],
  'verify/store-unlocked': ['finding', 'the log is written to a bucket without locks'],
  'verify/store-changed': ['finding', 'the log went on in a store of another kind, or without locks'],

  'verify/clock-back': ['note', 'time goes back'],
  'verify/clock-ahead': ['note', 'a record is dated after the segment that holds it'],
  // Retired: verify/key-kind-unchecked, verify/segment-time.
} as const satisfies Record<string, readonly [Severity, string]>;

export type FindingCode = keyof typeof CATALOGUE;

/** Where in the archive. Members are present where they say something. */
export interface Where {
  /** Origin, where it is not the log that was asked about but one before it. */
  readonly log?: string;
  readonly leaf?: number;
  readonly stream?: string;
  readonly seq?: number;
  /** Object key. */
  readonly key?: string;
}

export interface Finding {
  readonly code: FindingCode;
  readonly severity: Severity;
  readonly where: Where;
  readonly expected: string;
  readonly got: string;
}

/** One code with all its places: the first of them in full, the others counted. */
export interface FoundCode {
  readonly code: FindingCode;
  readonly severity: Severity;
  readonly meaning: string;
  readonly count: number;
  readonly first: readonly Finding[];
}

/** Of one code, this many places are kept; a broken archive may have millions. */
const MOST_KEPT = 100;

export function severityOf(code: FindingCode): Severity {
  return CATALOGUE[code][0];
}

/** Collects in bounded memory. Every finding counts, whether its place is kept or not. */
export class Findings {
  readonly #byCode = new Map<FindingCode, { count: number; kept: Finding[] }>();
  readonly #onFinding: (finding: Finding) => void;

  /** `onFinding` hears of each one at once. */
  constructor(onFinding: (finding: Finding) => void = () => undefined) {
    this.#onFinding = onFinding;
  }

  add(code: FindingCode, where: Where, expected: string, got: string): void {
    const found = this.#of(code);
    found.count += 1;
    const finding: Finding = { code, severity: severityOf(code), where, expected, got };
    if (found.kept.length < MOST_KEPT) found.kept.push(finding);
    this.#onFinding(finding);
  }

  /** Takes over what another collector found, in another thread perhaps. */
  addAll(others: readonly Pick<FoundCode, 'code' | 'count' | 'first'>[]): void {
    for (const { code, count, first } of others) {
      const found = this.#of(code);
      found.count += count;
      found.kept.push(...first.slice(0, MOST_KEPT - found.kept.length));
      for (const finding of first) this.#onFinding(finding);
    }
  }

  #of(code: FindingCode): { count: number; kept: Finding[] } {
    const found = this.#byCode.get(code) ?? { count: 0, kept: [] };
    this.#byCode.set(code, found);
    return found;
  }

  count(severity: Severity): number {
    return this.list(severity).reduce((sum, { count }) => sum + count, 0);
  }

  /** In the order of the catalogue; places in the order of leaves. */
  list(severity?: Severity): FoundCode[] {
    const codes = Object.keys(CATALOGUE) as FindingCode[];
    return codes.flatMap((code) => {
      const found = this.#byCode.get(code);
      const [own, meaning] = CATALOGUE[code];
      if (found === undefined || (severity !== undefined && own !== severity)) return [];
      const first = found.kept.toSorted((a, b) => (a.where.leaf ?? 0) - (b.where.leaf ?? 0));
      return [{ code, severity: own, meaning, count: found.count, first }];
    });
  }
}
