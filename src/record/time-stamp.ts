// SPDX-License-Identifier: Apache-2.0
import { canonicalize, parseCanonical, type Json } from './canonical.ts';
import { FormatError } from './format-error.ts';

const CONTEXT = 'holdfast time stamp v1';

/** A time stamp as it is kept: with everything that is needed to check it when its authority is long gone. */
export interface StoredTimeStamp {
  /** The signed checkpoint, as the log signed it: what was stamped is its bytes. */
  readonly checkpoint: string;
  /** RFC 3161 TimeStampToken, DER. */
  readonly token: Buffer;
  /** The authority's chain, DER, beside what the token itself carries. */
  readonly certificates: readonly Buffer[];
  /** Its revocation lists at that time, DER. */
  readonly crls: readonly Buffer[];
}

/** Which of the checks of a token failed. */
export type TimeStampCheck =
  | 'form'
  | 'imprint'
  | 'signature'
  | 'signer'
  | 'usage'
  | 'validity'
  | 'untrusted'
  | 'revoked';

export type TimeStampVerdict =
  | {
      readonly ok: true;
      /** Time of the token, ms since 1970. */
      readonly atMs: number;
      /** SHA-256 of the signer's certificate, hex. */
      readonly signer: string;
      /** Whether a revocation list of that time was there for every certificate below the root. */
      readonly revocationChecked: boolean;
    }
  | { readonly ok: false; readonly check: TimeStampCheck; readonly expected: string; readonly got: string };

/** Judges a token. Never throws for what the token holds. */
export type TimeStampJudge = (stamp: StoredTimeStamp) => Promise<TimeStampVerdict>;

export function encodeTimeStamp({ checkpoint, token, certificates, crls }: StoredTimeStamp): string {
  return canonicalize({
    ctx: CONTEXT,
    checkpoint,
    token: token.toString('base64'),
    certificates: certificates.map((der) => der.toString('base64')),
    crls: crls.map((der) => der.toString('base64')),
  });
}

/** Throws `format/time-stamp`, `format/not-canonical`, `format/not-json` or `format/too-large`. */
export function parseTimeStamp(text: string): StoredTimeStamp {
  const value = parseCanonical(text);
  const { ctx, checkpoint, token, certificates, crls } = (value ?? {}) as Readonly<Record<string, Json>>;
  if (ctx !== CONTEXT || typeof checkpoint !== 'string') throw malformed('a time stamp of a checkpoint');
  const stamp = { checkpoint, token: derOf(token), certificates: dersOf(certificates), crls: dersOf(crls) };
  if (encodeTimeStamp(stamp) !== text) throw malformed('no other members');
  return stamp;
}

function dersOf(value: Json | undefined): Buffer[] {
  if (!Array.isArray(value)) throw malformed('a list of base64');
  return value.map((item: Json) => derOf(item));
}

function derOf(value: Json | undefined): Buffer {
  if (typeof value !== 'string') throw malformed('base64');
  const bytes = Buffer.from(value, 'base64');
  if (bytes.toString('base64') !== value) throw malformed('standard base64');
  return bytes;
}

function malformed(expected: string): FormatError {
  return new FormatError('format/time-stamp', expected, 'another value');
}
