// SPDX-License-Identifier: AGPL-3.0-or-later
import * as asn1js from 'asn1js';
import type { X509Certificate } from 'node:crypto';
import { Certificate, ContentInfo, IssuerAndSerialNumber, SignedData, TSTInfo, type SignerInfo } from 'pkijs';
import { digest, hashNamed, isSignedBy } from './algorithms.ts';
import { openCertificate, serialOf } from './chain.ts';
import { Refusal } from './refusal.ts';

const SIGNED_DATA = '1.2.840.113549.1.7.2';
const TST_INFO = '1.2.840.113549.1.9.16.1.4';
const CONTENT_TYPE = '1.2.840.113549.1.9.3';
const MESSAGE_DIGEST = '1.2.840.113549.1.9.4';
const SIGNING_CERTIFICATE = '1.2.840.113549.1.9.16.2.12';
const SIGNING_CERTIFICATE_V2 = '1.2.840.113549.1.9.16.2.47';
const EXTENDED_KEY_USAGE = '2.5.29.37';
const TIME_STAMPING = '1.3.6.1.5.5.7.3.8';

/** What a token says, once its signature was found to be by the certificate it names. */
export interface OpenedToken {
  readonly atMs: number;
  readonly info: TSTInfo;
  readonly signer: X509Certificate;
  /** Certificates that came along. */
  readonly certificates: readonly X509Certificate[];
}

interface Candidate {
  readonly parsed: Certificate;
  readonly der: Buffer;
}

/** Opens a token. Throws a `Refusal`, or whatever the ASN.1 library throws at bytes that are none. */
export function openToken(der: Uint8Array, more: readonly Uint8Array[]): OpenedToken {
  const signed = signedDataOf(der);
  const content = contentOf(signed);
  const [signerInfo, ...others] = signed.signerInfos;
  if (signerInfo === undefined || others.length > 0)
    throw new Refusal('form', 'one signer', `${signed.signerInfos.length}`);
  const candidates = [...embedded(signed), ...more.map((bytes) => candidateOf(bytes))];
  const { parsed, der: signerDer } = signerOf(signerInfo, candidates);
  const signer = openCertificate(signerDer);
  judgeAttributes(signerInfo, content, signerDer);
  judgeSignature(signerInfo, signer);
  judgeUsage(parsed);
  const info = TSTInfo.fromBER(Uint8Array.from(content).buffer);
  return {
    atMs: info.genTime.getTime(),
    info,
    signer,
    certificates: candidates.map((one) => openCertificate(one.der)),
  };
}

function signedDataOf(der: Uint8Array): SignedData {
  const parsed = asn1js.fromBER(Uint8Array.from(der));
  if (parsed.offset !== der.length) throw new Refusal('form', 'one DER value', 'other bytes');
  const info = new ContentInfo({ schema: parsed.result });
  if (info.contentType !== SIGNED_DATA) throw new Refusal('form', 'signed data', 'another content');
  return new SignedData({ schema: info.content });
}

function contentOf({ encapContentInfo }: SignedData): Buffer {
  const { eContent, eContentType } = encapContentInfo;
  if (eContentType !== TST_INFO || eContent === undefined) throw new Refusal('form', 'a time stamp', 'another content');
  return Buffer.from(eContent.getValue());
}

function embedded({ certificates }: SignedData): Candidate[] {
  return (certificates ?? []).flatMap((parsed) => {
    if (!(parsed instanceof Certificate)) return [];
    return { parsed, der: Buffer.from(parsed.toSchema(false).toBER(false)) };
  });
}

function candidateOf(bytes: Uint8Array): Candidate {
  return { parsed: Certificate.fromBER(Uint8Array.from(bytes).buffer), der: Buffer.from(bytes) };
}

function signerOf({ sid }: SignerInfo, candidates: readonly Candidate[]): Candidate {
  if (!(sid instanceof IssuerAndSerialNumber))
    throw new Refusal('form', 'issuer and serial number', 'another name of the signer');
  const found = candidates.find(
    ({ parsed }) => serialOf(parsed.serialNumber) === serialOf(sid.serialNumber) && parsed.issuer.isEqual(sid.issuer),
  );
  if (found === undefined) throw new Refusal('form', 'the certificate of the signer', 'none');
  return found;
}

function attribute({ signedAttrs }: SignerInfo, type: string): asn1js.BaseBlock | null {
  const found = (signedAttrs?.attributes ?? []).filter((one) => one.type === type);
  const [value, ...rest] = found[0]?.values ?? [];
  return found.length === 1 && rest.length === 0 ? ((value as asn1js.BaseBlock | undefined) ?? null) : null;
}

/** What the signature covers must be this content and this very certificate (ESSCertID): not another one of the same key and name. */
function judgeAttributes(signerInfo: SignerInfo, content: Buffer, signerDer: Buffer): void {
  const type = attribute(signerInfo, CONTENT_TYPE);
  if (!(type instanceof asn1js.ObjectIdentifier) || type.getValue() !== TST_INFO) {
    throw new Refusal('form', 'a signature over a time stamp', 'over another content');
  }
  const hash = hashNamed(signerInfo.digestAlgorithm.algorithmId, 'the content');
  const stated = attribute(signerInfo, MESSAGE_DIGEST);
  if (!(stated instanceof asn1js.OctetString) || !Buffer.from(stated.getValue()).equals(digest(hash, content))) {
    throw new Refusal('signature', 'the digest of the content', 'another digest');
  }
  const [named, nameHash] = certificateHash(signerInfo);
  if (!named.equals(digest(nameHash, signerDer))) {
    throw new Refusal('signer', 'the certificate that the signature names', 'another certificate');
  }
}

/** SigningCertificateV2, or the first one, which has SHA-1: enough to tell certificates apart, with the signature above it. */
function certificateHash(signerInfo: SignerInfo): [Buffer, string] {
  const v2 = attribute(signerInfo, SIGNING_CERTIFICATE_V2);
  const essCertId = firstOf(firstOf(v2 ?? attribute(signerInfo, SIGNING_CERTIFICATE)));
  const parts = childrenOf(essCertId);
  const hash = parts.find((part) => part instanceof asn1js.OctetString);
  if (hash === undefined) throw new Refusal('signer', 'the hash of the signer’s certificate', 'none');
  const algorithm = v2 === null ? null : childrenOf(parts.find((part) => part instanceof asn1js.Sequence) ?? null)[0];
  // Named only where it is not SHA-256; behind the hash comes a sequence of another kind.
  const isNamed = algorithm instanceof asn1js.ObjectIdentifier && parts[0] instanceof asn1js.Sequence;
  const name = v2 === null ? 'sha1' : isNamed ? hashNamed(algorithm.getValue(), 'the certificate') : 'sha256';
  return [Buffer.from(hash.getValue()), name];
}

function childrenOf(block: asn1js.BaseBlock | null | undefined): asn1js.BaseBlock[] {
  return block instanceof asn1js.Sequence ? block.valueBlock.value : [];
}

function firstOf(block: asn1js.BaseBlock | null | undefined): asn1js.BaseBlock | null {
  return childrenOf(block)[0] ?? null;
}

function judgeSignature(
  { signedAttrs, signature, signatureAlgorithm, digestAlgorithm }: SignerInfo,
  signer: X509Certificate,
): void {
  const algorithm = { oid: signatureAlgorithm.algorithmId, digestOid: digestAlgorithm.algorithmId };
  const bytes = new Uint8Array(signedAttrs?.encodedValue ?? new ArrayBuffer(0));
  if (bytes.length > 0 && isSignedBy(signer.publicKey, bytes, new Uint8Array(signature.getValue()), algorithm)) return;
  throw new Refusal('signature', 'a signature by the certificate', 'one that does not verify');
}

/** RFC 3161 section 2.3: the key is for time stamps and nothing else, and whoever does not know that must refuse it. */
function judgeUsage({ extensions }: Certificate): void {
  const found = extensions?.find(({ extnID }) => extnID === EXTENDED_KEY_USAGE);
  const purposes = (found?.parsedValue as { readonly keyPurposes?: readonly string[] } | undefined)?.keyPurposes ?? [];
  if (found?.critical === true && purposes.length === 1 && purposes[0] === TIME_STAMPING) return;
  throw new Refusal(
    'usage',
    'a certificate for time stamps only, critically',
    found === undefined ? 'no usage' : 'another usage',
  );
}
