// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';

// RFC 6962 section 2.1, word for word and recursive: slow, and too short to hide a mistake.

const sha256 = (...parts: Uint8Array[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest();

export const referenceLeaf = (bytes: Uint8Array): Buffer => sha256(Buffer.of(0), bytes);

/** MTH over leaf hashes. */
export function referenceRoot(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 0) return sha256();
  if (leaves.length === 1) return leaves[0] as Buffer;
  const k = largestPowerBelow(leaves.length);
  return sha256(Buffer.of(1), referenceRoot(leaves.slice(0, k)), referenceRoot(leaves.slice(k)));
}

/** PATH(m, D[n]). */
export function referencePath(m: number, leaves: readonly Buffer[]): Buffer[] {
  if (leaves.length <= 1) return [];
  const k = largestPowerBelow(leaves.length);
  return m < k
    ? [...referencePath(m, leaves.slice(0, k)), referenceRoot(leaves.slice(k))]
    : [...referencePath(m - k, leaves.slice(k)), referenceRoot(leaves.slice(0, k))];
}

/** PROOF(m, D[n]) for 0 < m <= n. */
export function referenceProof(m: number, leaves: readonly Buffer[]): Buffer[] {
  return subProof(m, leaves, true);
}

function subProof(m: number, leaves: readonly Buffer[], known: boolean): Buffer[] {
  if (m === leaves.length) return known ? [] : [referenceRoot(leaves)];
  const k = largestPowerBelow(leaves.length);
  return m <= k
    ? [...subProof(m, leaves.slice(0, k), known), referenceRoot(leaves.slice(k))]
    : [...subProof(m - k, leaves.slice(k), false), referenceRoot(leaves.slice(0, k))];
}

function largestPowerBelow(n: number): number {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}

/** Leaf hashes that differ and are the same every time. */
export function someLeaves(count: number): Buffer[] {
  return Array.from({ length: count }, (_, index) => referenceLeaf(Buffer.from(`leaf ${index}`)));
}
