// SPDX-License-Identifier: AGPL-3.0-or-later
import { join } from 'node:path';
import type { HoldScope } from '../access/act.ts';
import { Failure } from '../base/failure.ts';
import type { Approval as Signature, HoldEntry } from '../record/entry-types.ts';
import { APPROVAL_GOOD_FOR_MS, isApproved } from '../record/hold.ts';
import type { KeyId, SigningKey } from '../record/key.ts';
import { fromSeconds } from '../record/period.ts';
import type { HoldInLog, KeptObjects } from '../search/acts-db.ts';
import { ApprovalFolder, approvalId } from './approval-folder.ts';
import { ApprovedBox } from './approved-box.ts';
import { holdEntries, type Approval } from './hold-entry.ts';
import { extensionOf, placeHold, releaseOf, type PlacedHold } from './holds.ts';

/** An entry that officers are asked to sign, or have signed. */
export interface Proposal {
  /** SHA-256 of what they sign. */
  readonly id: string;
  readonly approval: Approval;
  /** Officers whose word it needs. */
  readonly needed: number;
  readonly expiresMs: number;
  /** `approved`: on its way to the log, as often as it takes. `expired`: the archiver would refuse it; it is proposed anew. */
  readonly state: 'open' | 'approved' | 'expired';
}

export interface HoldDeskParts {
  /** The reader's spool: proposals and what waits for the log are folders in it. */
  readonly spool: string;
  readonly origin: string;
  /** Keys of the officers, as the manifest in force names them. */
  readonly officers: () => ReadonlyMap<KeyId, SigningKey>;
  readonly clock: () => number;
}

/**
 * Holds between those who ask for them and the officers who decide: proposals wait as files; an officer signs where the own key is,
 * never here; with enough signatures an entry goes to the {@link ApprovedBox}. What is killed in between is proposed and approved at
 * once for a moment, and then counts as approved.
 */
export class HoldDesk {
  readonly #parts: HoldDeskParts;
  readonly #proposed: ApprovalFolder;
  readonly #approved: ApprovedBox;

  constructor(parts: HoldDeskParts) {
    this.#parts = parts;
    this.#proposed = new ApprovalFolder(join(parts.spool, 'proposed'));
    this.#approved = new ApprovedBox(parts.spool);
  }

  place(kept: KeptObjects, asked: { matter: string; scope: HoldScope; reference: string }): PlacedHold {
    return placeHold(kept, { origin: this.#parts.origin, nowMs: this.#parts.clock(), ...asked });
  }

  /** A hold that was asked for and that the log does not have: as {@link place} would have proposed it. */
  again(hold: string, kept: KeptObjects, reference: string): readonly Approval[] {
    const { origin, clock } = this.#parts;
    return holdEntries({ origin, hold, reference, state: 'placed', nowMs: clock() }, kept);
  }

  /** What is to be added to a hold; empty if nothing is. */
  extend(logged: HoldInLog, kept: KeptObjects): readonly Approval[] {
    return extensionOf(logged, kept, { origin: this.#parts.origin, nowMs: this.#parts.clock() }) ?? [];
  }

  /** Throws `matters/approval` for a hold that is released. */
  release(logged: HoldInLog): Approval {
    if (logged.state === 'released')
      throw new Failure('matters/approval', { expected: 'a hold that is in force', got: 'one that is released' });
    return releaseOf(logged, this.#parts.origin, this.#parts.clock());
  }

  /** Puts entries before the officers, in the place of what was proposed to the same end and is not signed through. */
  propose(approvals: readonly Approval[]): string[] {
    const [first] = approvals;
    for (const id of this.#proposed.ids()) {
      const { entry } = this.#proposed.get(id) ?? {};
      const isSame = entry?.hold === first?.entry.hold && isRelease(entry) === isRelease(first?.entry);
      if (isSame) this.#proposed.remove(id);
    }
    for (const approval of approvals) this.#proposed.put(approval);
    return approvals.map(approvalId);
  }

  /** Those that wait for officers, then those that wait for the log. `holds`: as the log has them now. */
  proposals(holds: readonly HoldInLog[]): Proposal[] {
    const logged = new Set(holds.flatMap(({ entries }) => entries.map(({ signed }) => signed)));
    const approved = this.#approved.approvals().filter((one) => !logged.has(approvalId(one)));
    const done = new Set([...logged, ...approved.map(approvalId)]);
    for (const id of this.#proposed.ids()) if (done.has(id)) this.#proposed.remove(id);
    const open = this.#proposed.ids().flatMap((id) => this.#proposed.get(id) ?? []);
    return [...open.map((one) => this.#told(one, 'open')), ...approved.map((one) => this.#told(one, 'approved'))];
  }

  /** Throws `matters/not-found`. */
  proposal(id: string): Proposal {
    const found = this.#proposed.get(id);
    if (found !== null) return this.#told(found, 'open');
    throw new Failure('matters/not-found', {
      expected: 'the id of an entry that waits for officers',
      got: 'another one',
      fix: 'see /api/v1/approvals; one that is signed through, replaced or withdrawn is no longer there',
    });
  }

  /** Adds what officers signed. Throws `matters/not-found`; `matters/approval` for a signature that is none of theirs over this. */
  approve(id: string, signatures: readonly Signature[]): Proposal {
    const { approval, state, needed } = this.proposal(id);
    if (state === 'expired') throw wrongApproval('one that is older than a week', 'propose it anew');
    const own = new Map([...approval.entry.by, ...signatures].map((one) => [one.key, one]));
    const by = [...own.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1));
    const entry: HoldEntry = { ...approval.entry, by };
    if (!isApproved(entry, this.#parts.officers()))
      throw wrongApproval('another one', 'sign the very text that the proposal names, with a key of the manifest');
    const signed = { entry, document: approval.document };
    if (by.length < needed) {
      this.#proposed.put(signed);
      return this.#told(signed, 'open');
    }
    this.#approved.put(signed);
    this.#proposed.remove(id);
    return this.#told(signed, 'approved');
  }

  /** Throws `matters/not-found`. */
  withdraw(id: string): void {
    this.proposal(id);
    this.#proposed.remove(id);
  }

  #told(approval: Approval, state: 'open' | 'approved'): Proposal {
    const expiresMs = fromSeconds(approval.entry.at) + APPROVAL_GOOD_FOR_MS;
    const needed = isRelease(approval.entry) ? 2 : 1;
    const isLate = expiresMs < this.#parts.clock();
    return { id: approvalId(approval), approval, needed, expiresMs, state: isLate ? 'expired' : state };
  }
}

function isRelease(entry: HoldEntry | undefined): boolean {
  return entry?.state === 'released';
}

function wrongApproval(got: string, fix: string): Failure {
  return new Failure('matters/approval', { expected: 'the approval of an officer of the manifest', got, fix });
}
