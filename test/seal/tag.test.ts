// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { createSecretKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { NativeId } from '../../src/record/message.ts';
import { accountPseudonym, nativeTag, tagKey } from '../../src/seal/tag.ts';
import { ownVectors } from '../vectors/shared.ts';

interface Vectors {
  readonly deployment: string;
  readonly app: 'signal';
  readonly account: string;
  readonly pseudonym: string;
  readonly native: NativeId;
  readonly tag: string;
}
const vectors = ownVectors<Vectors>('tag');
const deployment = createSecretKey(Buffer.from(vectors.deployment, 'hex'));
const key = tagKey(deployment, vectors.pseudonym);

// Short and from few letters, so that pieces often come together in other places.
const piece = fc.string({ unit: fc.constantFrom('a', 'b', '"', ',', '\\', '\n', ' ', '\u0000', 'é'), maxLength: 4 });
const native: fc.Arbitrary<NativeId> = fc.record({
  chat: piece,
  sender: piece,
  id: piece,
  kind: piece,
  revision: piece,
});

describe('a tag', () => {
  it('is the one of the vectors', () => {
    expect(accountPseudonym(deployment, vectors.app, vectors.account)).toBe(vectors.pseudonym);
    expect(nativeTag(key, vectors.native)).toBe(vectors.tag);
  });

  it('is equal for equal native ids and different for others, however they are cut', () => {
    fc.assert(
      fc.property(native, native, (a, b) => {
        const same =
          a.chat === b.chat && a.sender === b.sender && a.id === b.id && a.kind === b.kind && a.revision === b.revision;
        expect(nativeTag(key, a) === nativeTag(key, b)).toBe(same);
        expect(nativeTag(key, { ...a })).toBe(nativeTag(key, a));
      }),
      { numRuns: 2000 },
    );
    const shifted = { chat: 'a', sender: 'b', id: '', kind: '', revision: '' };
    expect(nativeTag(key, { ...shifted, chat: 'ab', sender: '' })).not.toBe(nativeTag(key, shifted));
    expect(nativeTag(key, { ...shifted, chat: 'a","b', sender: '' })).not.toBe(nativeTag(key, shifted));
  });

  it('is different for another account, app or deployment', () => {
    const other = createSecretKey(Buffer.alloc(32, 1));
    const names = [
      accountPseudonym(deployment, 'signal', 'x'),
      accountPseudonym(deployment, 'signal', 'y'),
      accountPseudonym(deployment, 'whatsapp', 'x'),
      accountPseudonym(other, 'signal', 'x'),
    ];
    expect(new Set(names).size).toBe(4);
    const tags = [
      ...names.map((name) => nativeTag(tagKey(deployment, name), vectors.native)),
      nativeTag(tagKey(other, names[0] as string), vectors.native),
    ];
    expect(new Set(tags).size).toBe(5);
    for (const text of [...names, ...tags]) expect(text).toMatch(/^[0-9a-f]{32}$/);
  });
});
