// SPDX-License-Identifier: AGPL-3.0-or-later
import { createPrivateKey, type JsonWebKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { parseEntry } from '../../src/record/entry.ts';
import { associatedData, type Bodiless } from '../../src/seal/header.ts';
import type { SealedEntry } from '../../src/record/entry-types.ts';
import { EpochError, openEpoch } from '../../src/seal/epoch.ts';
import { Opener } from '../../src/seal/open.ts';
import * as primitives from '../vectors/primitives.ts';
import { ownVectors } from '../vectors/shared.ts';

interface Holder {
  readonly role: string;
  readonly kid: string;
  readonly jwk: JsonWebKey;
}
interface EpochVectors {
  readonly holders: readonly Holder[];
  readonly stranger: Holder;
  readonly secret: string;
  readonly text: string;
  readonly id: string;
  readonly recordKeys: readonly { readonly i: number; readonly key: string }[];
  readonly refused: readonly { readonly name: string; readonly text: string }[];
}
interface RecordVectors {
  readonly epoch: string;
  readonly records: readonly {
    readonly i: number;
    readonly key: string;
    readonly nonce: string;
    readonly salts: readonly string[];
    readonly parts: { readonly cap: string; readonly view: string; readonly raw: string };
    readonly padded: string;
    readonly associated: string;
    readonly line: string;
    readonly body: string;
  }[];
}

const epoch = ownVectors<EpochVectors>('epoch');
const sealed = ownVectors<RecordVectors>('sealed-record');
const hex = (text: string): Buffer => Buffer.from(text, 'hex');
const privateKeyOf = ({ jwk }: Holder): ReturnType<typeof createPrivateKey> =>
  createPrivateKey({ key: jwk, format: 'jwk' });

describe('the stored epoch', () => {
  it.each(epoch.holders)('opens with the key of the $role alone', async (holder) => {
    const ratchet = await openEpoch(epoch.text, privateKeyOf(holder), holder.kid);
    for (const { i, key } of epoch.recordKeys) {
      ratchet.skipTo(i);
      expect(ratchet.next().toString('hex')).toBe(key);
    }
  });

  it('does not open with a third key', async () => {
    await expect(openEpoch(epoch.text, privateKeyOf(epoch.stranger), epoch.stranger.kid)).rejects.toThrow(EpochError);
  });

  it.each(epoch.refused)('is refused with $name', async ({ text }) => {
    const holder = epoch.holders[0] as Holder;
    await expect(openEpoch(text, privateKeyOf(holder), holder.kid)).rejects.toThrow(EpochError);
  });
});

describe.each(sealed.records)(
  'the sealed record under key $i',
  ({ i, key, nonce, salts, parts, padded, associated, line, body }) => {
    it.each(epoch.holders)('opens with the key of the $role', async (holder) => {
      const opener = new Opener(privateKeyOf(holder), holder.kid);
      opener.addEpoch(sealed.epoch);
      const opened = await opener.open(line, hex(body));
      expect([opened.parts.cap, opened.parts.view, opened.parts.raw].map(String)).toEqual([
        parts.cap,
        parts.view,
        parts.raw,
      ]);
      expect([opened.salts.cap, opened.salts.view, opened.salts.raw].map((salt) => salt.toString('hex'))).toEqual(
        salts,
      );
    });

    it('follows from its secret, nonce, header and padded plaintext', () => {
      expect(primitives.recordKey(hex(epoch.secret), hex(epoch.id), i).toString('hex')).toBe(key);
      expect(primitives.body(hex(key), hex(nonce), associated, hex(padded)).toString('hex')).toBe(body);
      const { body: _body, ...header } = parseEntry(line) as SealedEntry;
      expect(associatedData(header as Bodiless<SealedEntry>)).toBe(associated);
    });
  },
);
