// SPDX-License-Identifier: AGPL-3.0-or-later
import * as asn1js from 'asn1js';
import { X509Certificate } from 'node:crypto';
import { CertificateRevocationList } from 'pkijs';
import { isSignedBy } from './algorithms.ts';
import { Refusal } from './refusal.ts';

/** A certificate that may stand below a root; more is no chain of a time-stamping authority. */
const MOST_LINKS = 6;

export function openCertificate(der: Uint8Array): X509Certificate {
  try {
    return new X509Certificate(der);
  } catch {
    throw new Refusal('form', 'a certificate', 'other bytes');
  }
}

/** From the signer to one of `roots`, all valid at that time. Throws `untrusted` or `validity`. */
export function chainTo(
  signer: X509Certificate,
  others: readonly X509Certificate[],
  roots: readonly X509Certificate[],
  atMs: number,
): X509Certificate[] {
  const chain = climb(signer, others, roots);
  if (chain === null) throw new Refusal('untrusted', 'a chain to a root that is trusted', 'none');
  for (const certificate of chain) {
    const { validFromDate, validToDate } = certificate;
    if (validFromDate.getTime() > atMs || validToDate.getTime() < atMs) {
      const span = `${validFromDate.toISOString()} to ${validToDate.toISOString()}`;
      throw new Refusal('validity', `a time within ${span}`, new Date(atMs).toISOString());
    }
  }
  return chain;
}

/** The shortest way up. Each certificate is gone on from once, so that many that issue one another cost no more than their pairs. */
function climb(
  signer: X509Certificate,
  others: readonly X509Certificate[],
  roots: readonly X509Certificate[],
): X509Certificate[] | null {
  const reached = new Set([signer.fingerprint256]);
  let paths = [[signer]];
  for (let links = 0; links <= MOST_LINKS && paths.length > 0; links += 1) {
    for (const path of paths) {
      const last = path.at(-1) as X509Certificate;
      if (roots.some((root) => root.fingerprint256 === last.fingerprint256)) return path;
      const root = roots.find((candidate) => isIssuer(candidate, last));
      if (root !== undefined) return [...path, root];
    }
    paths = paths.flatMap((path) => {
      const last = path.at(-1) as X509Certificate;
      return others.flatMap((candidate) => {
        if (reached.has(candidate.fingerprint256) || !isIssuer(candidate, last)) return [];
        reached.add(candidate.fingerprint256);
        return [[...path, candidate]];
      });
    });
  }
  return null;
}

function isIssuer(issuer: X509Certificate, subject: X509Certificate): boolean {
  return issuer.ca && subject.checkIssued(issuer) && subject.verify(issuer.publicKey);
}

export function openCrl(der: Uint8Array): CertificateRevocationList {
  const parsed = asn1js.fromBER(Uint8Array.from(der));
  if (parsed.offset !== der.length) throw new Refusal('form', 'a revocation list', 'other bytes');
  try {
    return new CertificateRevocationList({ schema: parsed.result });
  } catch {
    throw new Refusal('form', 'a revocation list', 'another structure');
  }
}

/**
 * Throws `revoked` where a list by a certificate's issuer names it as of that time or before. True if there was a list, in force then, for
 * every certificate below the root.
 */
export function judgeRevocation(
  chain: readonly X509Certificate[],
  lists: readonly CertificateRevocationList[],
  atMs: number,
): boolean {
  let isComplete = true;
  for (const [index, certificate] of chain.slice(0, -1).entries()) {
    const issuer = chain[index + 1] as X509Certificate;
    const own = lists.filter((list) => isListOf(list, issuer));
    for (const list of own) {
      const entry = list.revokedCertificates?.find(
        ({ userCertificate }) => serialOf(userCertificate) === plain(certificate.serialNumber),
      );
      if (entry !== undefined && entry.revocationDate.value.getTime() <= atMs) {
        throw new Refusal(
          'revoked',
          'a certificate that was not revoked then',
          entry.revocationDate.value.toISOString(),
        );
      }
    }
    isComplete &&= own.some(({ nextUpdate }) => nextUpdate === undefined || nextUpdate.value.getTime() >= atMs);
  }
  return isComplete;
}

function isListOf(list: CertificateRevocationList, issuer: X509Certificate): boolean {
  const { algorithmId: oid } = list.signatureAlgorithm;
  const signature = list.signatureValue.valueBlock.valueHexView;
  return isSignedBy(issuer.publicKey, list.tbsView, signature, { oid, digestOid: null });
}

export function serialOf(serial: asn1js.Integer): string {
  return plain(Buffer.from(serial.valueBlock.valueHexView).toString('hex'));
}

/** Hex digits without what encodings differ in. */
export function plain(hex: string): string {
  return hex.toLowerCase().replace(/^0+(?=.)/, '');
}
