// SPDX-License-Identifier: AGPL-3.0-or-later
import type { X509Certificate } from 'node:crypto';
import type { StoredTimeStamp, TimeStampJudge, TimeStampVerdict } from '../record/time-stamp.ts';
import { digest, hashNamed } from './algorithms.ts';
import { chainTo, judgeRevocation, openCertificate, openCrl } from './chain.ts';
import { Refusal } from './refusal.ts';
import { openToken, type OpenedToken } from './token.ts';

/** Checks tokens against authorities that whoever checks trusts: they come by a way of their own, never from the archive. */
export function timeStampJudge(roots: readonly X509Certificate[]): TimeStampJudge {
  return async (stamp) => {
    try {
      return judged(stamp, roots);
    } catch (error) {
      if (error instanceof Refusal) return { ok: false, check: error.check, expected: error.expected, got: error.got };
      // The ASN.1 library throws plain errors at bytes that are no token: whatever it was, this is none.
      return { ok: false, check: 'form', expected: 'an RFC 3161 token', got: 'other bytes' };
    }
  };
}

/** More than any authority's chain and its lists; each is checked against each. */
const MOST_PARTS = 64;

function judged(stamp: StoredTimeStamp, roots: readonly X509Certificate[]): TimeStampVerdict {
  if (stamp.certificates.length > MOST_PARTS || stamp.crls.length > MOST_PARTS) throw tooMany();
  const token = openToken(stamp.token, stamp.certificates);
  if (token.certificates.length > MOST_PARTS) throw tooMany();
  judgeImprint(token, stamp);
  const chain = chainTo(token.signer, token.certificates, roots, token.atMs);
  const revocationChecked = judgeRevocation(chain, stamp.crls.map(openCrl), token.atMs);
  const signer = token.signer.fingerprint256.replaceAll(':', '').toLowerCase();
  return { ok: true, atMs: token.atMs, signer, revocationChecked };
}

function tooMany(): Refusal {
  return new Refusal('form', `at most ${MOST_PARTS} certificates and as many lists`, 'more');
}

function judgeImprint({ info }: OpenedToken, { checkpoint }: StoredTimeStamp): void {
  const { hashAlgorithm, hashedMessage } = info.messageImprint;
  const expected = digest(hashNamed(hashAlgorithm.algorithmId, 'what was stamped'), Buffer.from(checkpoint));
  if (expected.equals(Buffer.from(hashedMessage.valueBlock.valueHexView))) return;
  throw new Refusal('imprint', 'the hash of the checkpoint', 'of something else');
}

/** Certificates of a PEM file, in order. Throws a `Refusal` where one is none. */
export function certificatesOf(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => openCertificate(Buffer.from(block)));
}
