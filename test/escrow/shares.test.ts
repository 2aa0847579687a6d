// SPDX-License-Identifier: AGPL-3.0-or-later
import { combine } from 'shamir-secret-sharing';
import { beforeAll, describe, expect, it } from 'vitest';
import { encodeShare, parseShare, printOf, type Share } from '../../src/escrow/share.ts';
import { combineShares, recipientIdOf, splitKey } from '../../src/escrow/shares.ts';
import type { EscrowEntry } from '../../src/record/entry-types.ts';
import { ESCROW, ORIGIN, READER } from '../vectors/keys.ts';
import { announced, codeOfRefusal, named, splitOf } from './kit.ts';

let ceremony: EscrowEntry;
let shares: Share[];
beforeAll(async () => {
  ceremony = announced();
  shares = await splitOf(ceremony);
});

function subsets<T>(of: readonly T[], size: number): T[][] {
  if (size === 0) return [[]];
  return of.flatMap((first, at) => subsets(of.slice(at + 1), size - 1).map((rest) => [first, ...rest]));
}

const refusalOf = (some: readonly Share[], of: EscrowEntry = ceremony): Promise<string> =>
  codeOfRefusal(() => combineShares(named(some), of));

describe('the shares of a key', () => {
  it('give it in any set that is large enough, in any order', async () => {
    for (const size of [3, 4, 5]) {
      for (const some of subsets(shares, size)) {
        const key = await combineShares(named(some.toReversed()), ceremony);
        expect(recipientIdOf(key)).toBe(ESCROW.recipient.kid);
        expect(key.export({ format: 'jwk' })).toEqual(ESCROW.privateKey.export({ format: 'jwk' }));
      }
    }
  });

  it('are refused in every set that is too small, and would not give it', async () => {
    const scalar = Buffer.from(String(ESCROW.privateKey.export({ format: 'jwk' }).d), 'base64url');
    for (const some of subsets(shares, 2)) {
      expect(await refusalOf(some)).toBe('escrow/too-few');
      const forced = Buffer.from(await combine(some.map(({ bytes }) => new Uint8Array(bytes))));
      expect(forced.equals(scalar)).toBe(false);
    }
  });

  it('are others each time, and none of them is in the clear', async () => {
    const again = await splitOf(ceremony);
    const texts = [...shares, ...again].map(({ bytes }) => bytes.toString('hex'));
    expect(new Set(texts).size).toBe(10);
    const scalar = Buffer.from(String(ESCROW.privateKey.export({ format: 'jwk' }).d), 'base64url').toString('hex');
    for (const text of texts) expect(text).not.toContain(scalar.slice(0, 16));
  });

  it('are made of no other key than the one announced', async () => {
    expect(await codeOfRefusal(() => splitKey(READER.privateKey, ceremony, ''))).toBe('escrow/wrong-key');
  });

  it('are refused twice, of another log, key, split, or another run of the split: each with its reason', async () => {
    const [one, two, three] = shares as [Share, Share, Share];
    expect(await refusalOf([one, two, two])).toBe('escrow/share-twice');
    expect(await refusalOf([one, two, three], { ...ceremony, log: 'other.example/log' })).toBe('escrow/other-log');
    expect(await refusalOf([one, two, three], { ...ceremony, key: '0'.repeat(32) })).toBe('escrow/other-key');
    expect(await refusalOf([one, two, three], { ...ceremony, split: '0'.repeat(32) })).toBe('escrow/other-split');
    expect(await refusalOf([one, two], { ...ceremony, need: 2 })).toBe('escrow/other-split');
    const [, , third] = (await splitOf(ceremony)) as [Share, Share, Share];
    const error: unknown = await combineShares(named([one, two, third]), ceremony).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'escrow/other-run', detail: { where: 'share 3' } });
  });

  it('name the one that somebody made to fit, whatever its own check says', async () => {
    const [one, two, three] = shares as [Share, Share, Share];
    const bytes = Buffer.from(three.bytes);
    bytes.writeUInt8(bytes.readUInt8(0) ^ 1, 0);
    expect(await refusalOf([one, two, { ...three, bytes }]).catch((error: unknown) => error)).toBe(
      'escrow/share-damaged',
    );
    const prints = three.prints.map((print, at) => (at === 2 ? printOf(three, 3, bytes) : print));
    const error: unknown = await combineShares(named([one, two, { ...three, bytes, prints }]), ceremony).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ code: 'escrow/other-run', detail: { where: 'share 3' } });
  });

  it('that all lie alike give no key that was not announced', async () => {
    const forged = shares.map((share) => ({ ...share, bytes: Buffer.from(share.bytes.map((byte) => byte ^ 0x55)) }));
    for (const share of forged) share.bytes.writeUInt8(shares[share.share - 1]?.bytes.at(-1) ?? 0, 48);
    const prints = forged.map((share) => printOf(share, share.share, share.bytes));
    expect(await refusalOf(forged.map((share) => ({ ...share, prints })).slice(0, 3))).toBe('escrow/wrong-key');
  });
});

describe('the file of a share', () => {
  const textOf = (at: number): string => encodeShare(shares[at] as Share);

  it('is read back as it was written, also when it was typed from paper', () => {
    for (const share of shares) {
      const text = encodeShare(share);
      expect(text).toMatch(/^[\n -~]+$/);
      expect(parseShare(text, 'a file')).toEqual(share);
      expect(parseShare(text.toUpperCase().replaceAll(' ', '  ').replaceAll('\n', '\r\n\r\n'), 'a file')).toEqual(
        share,
      );
    }
  });

  it('tells of every change to what counts, and repeats nothing of it', async () => {
    const text = textOf(1);
    const from = text.indexOf('\nlog ');
    let tried = 0;
    for (let at = from + 1; at < text.length; at += 1) {
      const character = text.charAt(at);
      if (!/[0-9a-f]/.test(character)) continue;
      tried += 1;
      const changed = `${text.slice(0, at)}${character === '0' ? '1' : '0'}${text.slice(at + 1)}`;
      const error: unknown = await Promise.resolve()
        .then(() => parseShare(changed, 'a file'))
        .catch((thrown: unknown) => thrown);
      expect(error, changed.slice(at - 20, at + 5)).toMatchObject({ code: expect.stringMatching(/^escrow\/share-/) });
      expect(String(error)).not.toContain(changed.slice(at, at + 12));
    }
    expect(tried).toBeGreaterThan(300);
  });

  it('names the line that was typed otherwise', () => {
    const changed = textOf(0).replace(
      /^(data 3 +)(.)/m,
      (_, head: string, digit: string) => head + (digit === '0' ? '1' : '0'),
    );
    expect(() => parseShare(changed, 'a file')).toThrow(/escrow\/share-damaged.*another line 3/);
  });

  it('is refused without a line, with one twice, or if it is another file', async () => {
    const lines = textOf(0).split('\n');
    const fields = lines.filter((line) => /^(?:log|key|split|made|share|need|print|data|check) /.test(line));
    for (const line of fields) {
      const without = textOf(0).replace(`${line}\n`, '');
      const twice = textOf(0).replace(line, `${line}\n${line}`);
      for (const text of [without, twice]) {
        expect(await codeOfRefusal(() => parseShare(text, 'a file')), line).toMatch(/^escrow\/share-/);
      }
    }
    expect(await codeOfRefusal(() => parseShare('', 'a file'))).toBe('escrow/share-malformed');
    expect(await codeOfRefusal(() => parseShare(ORIGIN, 'a file'))).toBe('escrow/share-malformed');
  });
});
