// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Config } from '../base/config.ts';
import { Failure } from '../base/failure.ts';
import { ceremonyLine } from '../escrow/ceremony.ts';
import { encodeCeremonyProof, openCeremonyProof } from '../escrow/ceremony-proof.ts';
import { ArchiveSource } from '../prove/archive-source.ts';
import { entryIdHex } from '../record/entry.ts';
import type { EscrowEntry } from '../record/entry-types.ts';
import { recipientsOf } from '../record/epoch-document.ts';
import type { Policy } from '../record/policy.ts';
import { openReader } from './readers.ts';
import { readTrusted } from './trusted.ts';

export interface CarriedProof {
  readonly leaf: number;
  /** What the machine of the ceremony is given. */
  readonly proof: string;
  /** The newest epoch before the announcement that is sealed to the ceremony's key; null if none was found. */
  readonly epoch: string | null;
}

/** Epochs are hourly at least, segments come every few seconds. */
const MOST_SEGMENTS_LOOKED_AT = 2000;

/** Gathers what a ceremony needs from the archive, checked as the ceremony's machine will. Throws `escrow/unrecorded` and what that throws. */
export async function ceremonyProof(config: Config, entry: EscrowEntry, policy: Policy | null): Promise<CarriedProof> {
  const { trust, manifest } = readTrusted(config);
  await using opened = await openReader(config.archive.url, config.archive.s3 ?? null);
  const source = new ArchiveSource(opened.reader, trust, policy);
  const line = ceremonyLine(entry);
  const leaf = await source.leafOf(entryIdHex(line));
  if (leaf === null) {
    throw new Failure('escrow/unrecorded', {
      expected: `the announcement of ceremony ${entry.ceremony} in the log`,
      got: 'none yet',
      fix: 'submit it, and wait until the archiver has written it; a refusal is a line `batch.refused` of its log',
    });
  }
  const proof = encodeCeremonyProof(line, await source.proof(leaf));
  openCeremonyProof(proof, entry.act, { trust, manifests: [manifest], policy, nowMs: Date.now() });
  return { leaf, proof, epoch: await epochBefore(source, leaf, entry.key) };
}

async function epochBefore(source: ArchiveSource, leaf: number, key: string): Promise<string | null> {
  let at = leaf;
  for (let looked = 0; at >= 0 && looked < MOST_SEGMENTS_LOOKED_AT; looked += 1) {
    const placed = await source.segmentOf(at);
    if (placed === null) return null;
    const found = placed.segment.docs.map(String).findLast((doc) => recipientsOf(doc)?.includes(key) === true);
    if (found !== undefined) return found;
    at = placed.first - 1;
  }
  return null;
}
