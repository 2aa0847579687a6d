// SPDX-License-Identifier: AGPL-3.0-or-later
import * as asn1js from 'asn1js';
import { AlgorithmIdentifier, MessageImprint, TimeStampReq, TimeStampResp, type TSTInfo } from 'pkijs';
import { digest } from './algorithms.ts';
import { plain, serialOf } from './chain.ts';
import { Refusal } from './refusal.ts';

const SHA256 = '2.16.840.1.101.3.4.2.1';
const GRANTED = 0;
const GRANTED_WITH_MODS = 1;

/** An RFC 3161 request for these bytes by SHA-256, with the signer's certificate asked for. */
export function timeStampRequest(bytes: Uint8Array, nonce: Uint8Array): Buffer {
  const hashedMessage = new asn1js.OctetString({ valueHex: Uint8Array.from(digest('sha256', bytes)).buffer });
  const hashAlgorithm = new AlgorithmIdentifier({ algorithmId: SHA256, algorithmParams: new asn1js.Null() });
  const request = new TimeStampReq({
    version: 1,
    messageImprint: new MessageImprint({ hashAlgorithm, hashedMessage }),
    // A leading zero bit keeps it a positive number.
    nonce: new asn1js.Integer({ valueHex: Uint8Array.from([1, ...nonce]).buffer }),
    certReq: true,
  });
  return Buffer.from(request.toSchema().toBER(false));
}

/** The token of an answer, DER. Throws a `Refusal` where the authority granted none. Says nothing about the token. */
export function tokenOf(response: Uint8Array): Buffer {
  const parsed = asn1js.fromBER(Uint8Array.from(response));
  if (parsed.offset !== response.length)
    throw new Refusal('form', 'an answer of a time-stamping authority', 'other bytes');
  const { status, timeStampToken } = new TimeStampResp({ schema: parsed.result });
  if ((status.status !== GRANTED && status.status !== GRANTED_WITH_MODS) || timeStampToken === undefined) {
    throw new Refusal('form', 'a granted time stamp', `status ${status.status}`);
  }
  // As it was received: what is encoded again may differ, and the signature would not.
  const token = (parsed.result as asn1js.Sequence).valueBlock.value[1];
  return Buffer.from((token as asn1js.BaseBlock).valueBeforeDecodeView);
}

/** Whether a token answers the request with this nonce, and not an older one. */
export function isAnswerTo(info: TSTInfo, nonce: Uint8Array): boolean {
  const got = info.nonce;
  return got !== undefined && serialOf(got) === plain(Buffer.from([1, ...nonce]).toString('hex'));
}
