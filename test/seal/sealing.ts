// SPDX-License-Identifier: AGPL-3.0-or-later
import type { ContentEntry } from '../../src/record/entry-types.ts';
import type { Epoch } from '../../src/seal/epoch.ts';
import { associatedData, renderHeader, type Bodiless } from '../../src/seal/header.ts';
import { Opener } from '../../src/seal/open.ts';
import type { Parts } from '../../src/seal/plaintext.ts';
import { Ratchet } from '../../src/seal/ratchet.ts';
import { prepareParts, sealBody, sealedFields, type Prepared } from '../../src/seal/seal.ts';
import { AT, hexOf, READER, STREAM, type RecipientPair } from '../vectors/keys.ts';
import { EPOCH_ID, EPOCH_SECRET, EPOCH_TEXT } from '../vectors/seal-vectors.ts';

export type Unsealed = Omit<Bodiless<ContentEntry>, 'epoch' | 'i' | 'com'>;

export const HEADER: Unsealed = {
  v: 1,
  at: AT,
  stream: STREAM,
  seq: 7,
  prev: hexOf('prev'),
  t: 'content',
  ret: 'GRS-6.1-011',
  tag: hexOf('tag', 32),
};

export const PARTS: Parts = {
  cap: Buffer.from('{"atMs":1}'),
  view: Buffer.from('what was understood, in words: Grüße'),
  raw: Buffer.from('what came'),
};

/** The epoch of the vectors, from its first key on. */
export function knownEpoch(): Epoch {
  return { id: EPOCH_ID.toString('hex'), text: EPOCH_TEXT, ratchet: new Ratchet(Buffer.from(EPOCH_SECRET), EPOCH_ID) };
}

export interface SealedRecord {
  readonly line: string;
  readonly body: Buffer;
  readonly associated: string;
}

/** The steps of a sealer, in their order, on something prepared. */
export function sealPrepared(epoch: Epoch, prepared: Prepared, unsealed: Unsealed = HEADER): SealedRecord {
  const header: Bodiless<ContentEntry> = { ...unsealed, ...sealedFields(epoch, prepared) };
  const associated = associatedData(header);
  const { bytes, ref } = sealBody(epoch, header.i, prepared.padded, associated);
  return { line: renderHeader(header, ref), body: bytes, associated };
}

export function sealRecord(epoch: Epoch, parts: Parts = PARTS, unsealed: Unsealed = HEADER): SealedRecord {
  return sealPrepared(epoch, prepareParts(parts), unsealed);
}

export function openerFor({ privateKey, recipient }: RecipientPair = READER, ...epochs: readonly string[]): Opener {
  const opener = new Opener(privateKey, recipient.kid);
  for (const epoch of epochs.length === 0 ? [EPOCH_TEXT] : epochs) opener.addEpoch(epoch);
  return opener;
}

/** Name and code of what a promise was rejected with, or null if it was not. */
export async function rejection(act: () => Promise<unknown>): Promise<string | null> {
  try {
    await act();
    return null;
  } catch (error) {
    const { name, code } = error as { name?: string; code?: string };
    return `${name ?? typeof error} ${code ?? ''}`;
  }
}
