// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as layout from '../../src/record/layout.ts';
import { hex256, origin } from './arbitraries.ts';
import { HOSTILE_TEXTS, hostileText } from './hostile.ts';
import { accepted, refusal } from './refusal.ts';

const leaf = fc.maxSafeNat();

describe('the keys of the store', () => {
  it('are these', () => {
    const hash = 'ab'.repeat(32);
    expect(layout.segmentKey('a.example/log', 42)).toBe('log/a.example/log/segment/0000000000000042');
    expect(layout.headsKey('a.example/log', 42)).toBe('log/a.example/log/heads/0000000000000042');
    expect(layout.packKey('a.example/log', hash)).toBe(`log/a.example/log/pack/${hash}`);
    expect(layout.checkpointKey('a.example/log')).toBe('log/a.example/log/checkpoint');
    expect(layout.mediaKey(hash)).toBe(`media/ab/${hash}`);
  });

  it('lie under the prefix that lists them', () => {
    fc.assert(
      fc.property(origin, leaf, hex256, (log, number, hash) => {
        expect(layout.segmentKey(log, number).startsWith(layout.segmentPrefix(log))).toBe(true);
        expect(layout.headsKey(log, number).startsWith(layout.headsPrefix(log))).toBe(true);
        expect(layout.packKey(log, hash).startsWith(layout.packPrefix(log))).toBe(true);
        expect(layout.checkpointKey(log).startsWith(layout.logPrefix(log))).toBe(true);
        expect(layout.mediaKey(hash).startsWith(layout.MEDIA_PREFIX)).toBe(true);
      }),
    );
  });

  it('sort as their leaf numbers do', () => {
    fc.assert(
      fc.property(leaf, leaf, (a, b) => {
        const [first, second] = [layout.segmentKey('x', a), layout.segmentKey('x', b)];
        expect(first < second).toBe(a < b);
        expect(first === second).toBe(a === b);
      }),
    );
  });

  it('give back their leaf number or hash', () => {
    fc.assert(
      fc.property(origin, leaf, hex256, (log, number, hash) => {
        expect(layout.leafOfKey(layout.segmentKey(log, number))).toBe(number);
        expect(layout.leafOfKey(layout.headsKey(log, number))).toBe(number);
        expect(layout.hashOfKey(layout.packKey(log, hash))).toBe(hash);
        expect(layout.hashOfKey(layout.mediaKey(hash))).toBe(hash);
      }),
    );
  });

  it.each([
    '',
    '/',
    '42',
    'x/000000000000042',
    'x/00000000000000042',
    'x/000000000000004a',
    'x/0000000000000042/',
    'x/9007199254740992',
    'x/9999999999999999',
  ])('of segments are not %j', (key) => {
    expect(refusal(() => layout.leafOfKey(key))).toBe('format/object-key');
  });

  it('of packs and objects are hashes and nothing more', () => {
    const hash = 'ab'.repeat(32);
    for (const name of [
      `0${hash}`,
      `${hash}0`,
      `${hash}/`,
      hash.slice(1),
      hash.toUpperCase(),
      `x${hash}`,
      `${hash}\n`,
    ]) {
      expect(layout.hashOfKey(`media/ab/${name}`)).toBeNull();
    }
  });

  it('are read or refused whatever lies in the store', () => {
    for (const text of HOSTILE_TEXTS) {
      expect(refusal(() => layout.leafOfKey(text))).toBe('format/object-key');
      expect(layout.hashOfKey(text)).toBeNull();
    }
    fc.assert(
      fc.property(
        hostileText('log/x/segment/0000000000000042'),
        hostileText(`media/ab/${'ab'.repeat(32)}`),
        (segment, media) => {
          const number = accepted(() => layout.leafOfKey(segment));
          if (number !== undefined) expect(segment.endsWith(layout.segmentKey('x', number).slice(-16))).toBe(true);
          const hash = layout.hashOfKey(media);
          if (hash !== null) expect(media.endsWith(hash)).toBe(true);
        },
      ),
      { numRuns: 2000 },
    );
  });
});
