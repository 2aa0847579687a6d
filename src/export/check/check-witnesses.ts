// SPDX-License-Identifier: AGPL-3.0-or-later
import { FormatError } from '../../record/format-error.ts';
import { encodeVerifierKey } from '../../record/note.ts';
import { parsePolicy, type Policy } from '../../record/policy.ts';
import { openWitnesses, readWitnesses, WITNESSES_FILE } from '../stamps/witnesses.ts';
import type { Proven } from './check-proof.ts';
import type { ExportFindings } from './findings.ts';

export interface CheckedWitnesses {
  /** Leaves of the cosigned checkpoint, which the records' own is the beginning of. */
  readonly size: number;
  /** By witnesses of the policy; without a policy nobody's signature is known. */
  readonly cosignatures: number;
}

/** Null where nothing was cosigned, which is a finding only if a policy asks for it. */
export async function checkWitnesses(
  folder: string,
  { checkpoint, trust }: Proven,
  { policy, findings }: { readonly policy: Policy | null; readonly findings: ExportFindings },
): Promise<CheckedWitnesses | null> {
  const refused = (expected: string, got: string): null => {
    findings.add('exported/witnesses', WITNESSES_FILE, expected, got);
    return null;
  };
  try {
    const found = await readWitnesses(folder);
    if (found === null) return policy?.quorum == null ? null : refused('a checkpoint that witnesses cosigned', 'none');
    const judge = policy ?? parsePolicy(`log ${encodeVerifierKey(trust.log)}\nquorum none\n`);
    const witnessed = openWitnesses(found, checkpoint, judge);
    return { size: witnessed.checkpoint.size, cosignatures: witnessed.cosignatures.length };
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return refused(error.expected, error.got);
  }
}
