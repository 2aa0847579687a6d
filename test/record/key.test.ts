// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { createHash, generateKeyPairSync, verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import * as keys from '../../src/record/key.ts';
import { accepted, refusal } from './refusal.ts';
import { CONNECTOR, ROOT } from '../vectors/keys.ts';
import { sharedJson } from '../vectors/shared.ts';

interface Wycheproof {
  readonly testGroups: readonly {
    readonly publicKey: { readonly pk: string };
    readonly tests: readonly {
      readonly tcId: number;
      readonly msg: string;
      readonly sig: string;
      readonly result: string;
    }[];
  }[];
}
interface Cctv {
  readonly number: number;
  readonly key: string;
  readonly sig: string;
  readonly msg: string;
  readonly flags: readonly string[] | null;
}

const wycheproof = sharedJson<Wycheproof>('wycheproof/ed25519_test.json.gz', { testGroups: [] });
const cctv = sharedJson<readonly Cctv[]>('ed25519/cctv-ed25519vectors.json.gz', []);
const hex = (text: string): Buffer => Buffer.from(text, 'hex');

/** RFC 8032 section 7.1, tests 1 to 3. */
const RFC_8032 = [
  {
    key: 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    msg: '',
    sig: 'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  },
  {
    key: '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    msg: '72',
    sig: '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  },
  {
    key: 'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    msg: 'af82',
    sig: '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
  },
];

const PRIME = 2n ** 255n - 19n;
const GROUP_ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const littleEndian = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse();

/** The eight points of small order, in all encodings a sloppy decoder takes (both signs, not reduced). */
const SMALL_ORDER = [
  '0100000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000080',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0000000000000000000000000000000000000000000000000000000000000080',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
];

describe('a signing key', () => {
  it.each(SMALL_ORDER)('of small order is refused: %s', (key) => {
    expect(refusal(() => keys.parseSigningKey(hex(key)))).toBe('format/key');
  });

  it('that is not reduced is refused, whatever its sign', () => {
    for (let above = 0n; above <= 18n; above += 1n) {
      for (const sign of [0n, 2n ** 255n]) {
        expect(refusal(() => keys.parseSigningKey(littleEndian(PRIME + above + sign)))).toBe('format/key');
      }
    }
  });

  it('of another length is refused', () => {
    for (const length of [0, 1, 31, 33, 44, 64])
      expect(refusal(() => keys.parseSigningKey(Buffer.alloc(length, 9)))).toBe('format/key');
  });

  it('has the start of the SHA-256 of its SubjectPublicKeyInfo as id', () => {
    const spki = Buffer.concat([hex('302a300506032b6570032100'), ROOT.key.raw]);
    expect(ROOT.key.id).toBe(createHash('sha256').update(spki).digest('hex').slice(0, 32));
    expect(keys.keyIdOf(spki)).toBe(ROOT.key.id);
    expect(spki).toEqual(ROOT.key.key.export({ format: 'der', type: 'spki' }));
  });

  it('is the same from its text, its bytes and its private half, and keeps no view of the caller’s bytes', () => {
    const raw = Buffer.from(ROOT.key.raw);
    const parsed = keys.parseSigningKey(raw);
    raw.fill(0);
    expect(parsed.raw).toEqual(ROOT.key.raw);
    expect(keys.parseSigningKeyText(ROOT.key.raw.toString('base64')).id).toBe(ROOT.key.id);
    expect(keys.signingKeyOf(ROOT.privateKey).id).toBe(ROOT.key.id);
  });

  it('is no key of another algorithm', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    let refused: unknown;
    try {
      keys.signingKeyOf(privateKey);
    } catch (error) {
      refused = error;
    }
    expect(refused).toMatchObject({ code: 'format/key', expected: 'an Ed25519 key', got: 'ec' });
  });

  it('has one text', () => {
    const text = ROOT.key.raw.toString('base64');
    for (const other of [
      ` ${text}`,
      `${text}\n`,
      text.slice(0, -1),
      text.replaceAll('+', '-').replaceAll('/', '_').slice(0, -1),
      `${text}=`,
    ]) {
      expect(refusal(() => keys.parseSigningKeyText(other))).toBe('format/key');
    }
  });
});

describe('a signature', () => {
  it.each(RFC_8032)('verifies as in RFC 8032 ($msg)', ({ key, msg, sig }) => {
    expect(keys.verifyBytes(keys.parseSigningKey(hex(key)), hex(msg), hex(sig))).toBe(true);
    expect(keys.verifyBytes(keys.parseSigningKey(hex(key)), hex(`${msg}00`), hex(sig))).toBe(false);
  });

  it('verifies as Wycheproof says', () => {
    let count = 0;
    for (const { publicKey, tests } of wycheproof.testGroups) {
      const key = keys.parseSigningKey(hex(publicKey.pk));
      for (const { tcId, msg, sig, result } of tests) {
        expect(keys.verifyBytes(key, hex(msg), hex(sig)), `${tcId}`).toBe(result === 'valid');
        count += 1;
      }
    }
    expect([0, 151]).toContain(count);
  });

  it('of the edge cases of C2SP verifies strictly: nothing of small order, nothing that is not reduced, no cofactor', () => {
    let taken = 0;
    for (const { number, key: raw, sig, msg, flags } of cctv) {
      const key = accepted(() => keys.parseSigningKey(hex(raw)));
      // Refusing these keys is a rule of ours; without it node:crypto takes some of them.
      expect(key === undefined, `${number}`).toBe(
        (flags ?? []).some((flag) => flag === 'low_order_A' || flag === 'non_canonical_A'),
      );
      if (key === undefined) continue;
      const verdict = keys.verifyBytes(key, Buffer.from(msg), hex(sig));
      // What another verifier (cofactored, or one that decodes R) may take and node:crypto does not.
      const strict = !(flags ?? []).some((flag) =>
        ['low_order_residue', 'low_order_R', 'non_canonical_R'].includes(flag),
      );
      expect(verdict, `${number} ${String(flags)}`).toBe(strict);
      taken += verdict ? 1 : 0;
    }
    expect(taken > 0).toBe(cctv.length > 0);
  });

  it('is 64 bytes, and its S is below the order of the group', () => {
    const signature = keys.signBytes(ROOT.privateKey, 'x');
    expect(keys.verifyBytes(ROOT.key, 'x', signature)).toBe(true);
    for (const other of [signature.subarray(1), Buffer.concat([signature, Buffer.of(0)]), Buffer.alloc(0)]) {
      expect(keys.verifyBytes(ROOT.key, 'x', other)).toBe(false);
    }
    const s = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString('hex')}`);
    const twin = Buffer.concat([signature.subarray(0, 32), littleEndian(s + GROUP_ORDER)]);
    expect(keys.verifyBytes(ROOT.key, 'x', twin)).toBe(false);
  });

  it('is deterministic, of text as UTF-8, and by one key', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const signature = keys.signBytes(CONNECTOR.privateKey, text);
        expect(keys.signBytes(CONNECTOR.privateKey, Buffer.from(text))).toEqual(signature);
        expect(verify(null, Buffer.from(text), CONNECTOR.key.key, signature)).toBe(true);
        expect(keys.verifyBytes(ROOT.key, text, signature)).toBe(false);
        expect(keys.verifyBytes(CONNECTOR.key, `${text} `, signature)).toBe(false);
      }),
      { numRuns: 50 },
    );
  });
});

describe('base64', () => {
  it('has one text for its bytes', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.base64String(),
          fc.string(),
          fc.uint8Array().map((bytes) => Buffer.from(bytes).toString('base64')),
        ),
        (text) => {
          const bytes = accepted(() => keys.decodeBase64('format/proof', text));
          if (bytes !== undefined) expect(bytes.toString('base64')).toBe(text);
        },
      ),
      { numRuns: 1000 },
    );
    for (const text of ['AA', 'AA=', 'AB==', 'AAA', 'A', ' AA==', 'AA==\n', '_w==', 'AA==AA==', '=', 'é']) {
      expect(
        refusal(() => keys.decodeBase64('format/proof', text)),
        text,
      ).toBe('format/proof');
    }
    expect(keys.decodeBase64('format/proof', '')).toEqual(Buffer.alloc(0));
  });
});
