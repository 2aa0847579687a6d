// SPDX-License-Identifier: AGPL-3.0-or-later
import { Failure, type FailureCode } from '../base/failure.ts';
import { entryId, parseEntry } from '../record/entry.ts';
import type { EscrowEntry } from '../record/entry-types.ts';
import { FormatError } from '../record/format-error.ts';
import { isApproved } from '../record/hold.ts';
import { signersOf, type Manifest } from '../record/manifest.ts';
import { encodeVerifierKey } from '../record/note.ts';
import { fromSeconds } from '../record/period.ts';
import { parsePolicy, type Policy } from '../record/policy.ts';
import { encodeTlogProof, parseTlogProof, verifyTlogProof, type TlogProof } from '../record/tlog-proof.ts';
import type { Trust } from '../record/trust.ts';

/** An announcement lets a ceremony run for this long: a proof from the drawer must not open anything again next year. */
const GOOD_FOR_MS = 7 * 86_400_000;
/** Clocks of machines that stand in a vault are set by hand. */
const MOST_AHEAD_MS = 86_400_000;

/** What a machine without a network is given to believe: the trust file, manifests by its root, and a policy if there is one. */
export interface CeremonyTrust {
  readonly trust: Trust;
  /** The one in force last; earlier ones where the key is one of theirs. */
  readonly manifests: readonly Manifest[];
  readonly policy: Policy | null;
  readonly nowMs: number;
}

/** A C2SP proof that the ceremony's entry stands in the log; the entry itself is its `extra`. */
export function encodeCeremonyProof(line: string, proof: TlogProof): string {
  return encodeTlogProof({ ...proof, extra: Buffer.from(line, 'latin1') });
}

/**
 * The announcement that a proof proves to stand in the log, approved by officers, about a recipient's key, and a week old at most. Throws
 * `escrow/unrecorded`, `escrow/unapproved`, `escrow/other-key`, `escrow/stale`, `escrow/other-ceremony`.
 */
export function openCeremonyProof(text: string, act: EscrowEntry['act'], given: CeremonyTrust): EscrowEntry {
  const { trust, manifests, nowMs } = given;
  const entry = provenEntry(text, given);
  if (entry.act !== act || entry.state !== 'announced') {
    throw refused('escrow/other-ceremony', `the announcement of a ${act}`, `${entry.act}, ${entry.state}`);
  }
  const inForce = manifests.toSorted((a, b) => b.n - a.n)[0];
  if (inForce === undefined || !isApproved(entry, signersOf(inForce, 'officer'))) {
    throw refused('escrow/unapproved', 'signatures of officers whom the manifest names', 'others');
  }
  if (!manifests.some(({ recipients }) => recipients.some(({ kid }) => kid === entry.key))) {
    const fix = 'give the manifest that named the key, besides the one in force';
    throw refused('escrow/other-key', 'a recipient of a manifest', `key ${entry.key}`, fix);
  }
  if (entry.log !== trust.origin) throw refused('escrow/other-log', trust.origin, 'another log');
  const ageMs = nowMs - fromSeconds(entry.at);
  if (ageMs > GOOD_FOR_MS || ageMs < -MOST_AHEAD_MS) {
    const fix = 'announce the ceremony anew; on a machine without a network, look at its clock first';
    throw refused('escrow/stale', 'an announcement of the last seven days', `one of ${entry.at}`, fix);
  }
  return entry;
}

function provenEntry(text: string, { trust, policy }: CeremonyTrust): EscrowEntry {
  const logAlone = `log ${encodeVerifierKey(trust.log)}\nquorum none\n`;
  try {
    const proof = parseTlogProof(text);
    const line = (proof.extra ?? Buffer.alloc(0)).toString('latin1');
    const entry = parseEntry(line);
    if (entry.t !== 'escrow') throw new FormatError('format/entry-type', 'a ceremony', `an entry of type ${entry.t}`);
    verifyTlogProof(proof, entryId(line), policy ?? parsePolicy(logAlone));
    return entry;
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new Failure('escrow/unrecorded', {
      expected: 'proof that the ceremony stands in the log of the trust file',
      got: `${error.code}: expected ${error.expected}, got ${error.got}`,
      fix: 'nothing was done. Get it with `holdfast escrow proof`, once the log has the announcement',
      cause: error,
    });
  }
}

function refused(code: FailureCode, expected: string, got: string, fix?: string): Failure {
  return new Failure(code, { expected, got, ...(fix === undefined ? {} : { fix }) });
}
