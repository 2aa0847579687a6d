// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import { maySign, mostGenerationOf, sealedUntilMs, type EnforcedManifest } from '../../src/record/enforcement.ts';
import type { EntryType } from '../../src/record/entry-types.ts';
import { GRAMMAR } from '../../src/record/entry-grammar.ts';
import type { Recipient } from '../../src/record/manifest.ts';
import { AT, ESCROW, READER, STRANGER } from '../vectors/keys.ts';
import { MANIFEST } from '../vectors/log-vectors.ts';

const [reader, escrow, stranger] = [READER, ESCROW, STRANGER].map(({ recipient }) => recipient.kid) as [
  string,
  string,
  string,
];
const DAY_MS = 86_400_000;
const day = (n: number): string => new Date(Date.UTC(2026, 10, n)).toISOString().replace('.000', '');
const named = (n: number, ...recipients: Recipient[]): EnforcedManifest => ({
  manifest: { ...MANIFEST, n, recipients },
  since: day(n),
});

describe('recipients of a record', () => {
  it.each([
    ['the recipients', [reader, escrow], true],
    ['the recipients in another order', [escrow, reader], true],
    ['not escrow', [reader], false],
    ['the reader twice instead', [reader, reader], false],
    ['a stranger besides', [reader, escrow, stranger], false],
    ['a stranger instead', [reader, stranger], false],
    ['nobody', [], false],
  ])('may be %s of the manifest in force: %s', (_, kids, may) => {
    expect(sealedUntilMs(kids, [{ manifest: MANIFEST, since: AT }])).toBe(may ? Infinity : -Infinity);
  });

  it('may be those of an earlier manifest for a day after the one behind it', () => {
    const manifests = [
      named(1, READER.recipient, ESCROW.recipient),
      named(3, STRANGER.recipient, ESCROW.recipient),
      named(9, READER.recipient, STRANGER.recipient),
    ];
    expect(sealedUntilMs([reader, escrow], manifests)).toBe(Date.parse(day(3)) + DAY_MS);
    expect(sealedUntilMs([stranger, escrow], manifests)).toBe(Date.parse(day(9)) + DAY_MS);
    expect(sealedUntilMs([reader, stranger], manifests)).toBe(Infinity);
    const again = [...manifests, named(20, READER.recipient, ESCROW.recipient)];
    expect(sealedUntilMs([reader, escrow], again)).toBe(Infinity);
    expect(sealedUntilMs([reader, escrow], [])).toBe(-Infinity);
  });
});

describe('a role', () => {
  const types = Object.keys(GRAMMAR) as EntryType[];

  it('of a reader signs looks and what a stream needs, and nothing that could pass for a message', () => {
    const may = types.filter((type) => maySign('reader', type));
    expect(may.toSorted()).toEqual(['access', 'beat', 'close', 'gap', 'hole', 'open']);
  });

  it('of a connector signs everything but looks', () => {
    expect(types.filter((type) => !maySign('connector', type))).toEqual(['access']);
  });
});

describe('a generation', () => {
  it('is at most a day ahead of its time, or one above the last', () => {
    const seconds = Date.parse(AT) / 1000;
    expect(mostGenerationOf({ at: AT }, -1)).toBe(seconds + 86_400);
    expect(mostGenerationOf({ at: AT }, seconds + 86_400)).toBe(seconds + 86_401);
    expect(mostGenerationOf({ at: AT }, 10 ** 14)).toBe(10 ** 14 + 1);
  });
});
