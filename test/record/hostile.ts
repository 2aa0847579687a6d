// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { canonicalize, type Json } from '../../src/record/canonical.ts';

/** Values that break code which believes what JSON says about itself. */
export const HOSTILE_VALUES: readonly Json[] = [
  null,
  true,
  0,
  -1,
  1.5,
  2 ** 53,
  1e300,
  '',
  'x',
  '\u2028é\n',
  'a'.repeat(64),
  [],
  ['a'.repeat(64)],
  [null],
  [[]],
  {},
  { toString: 1 },
  { length: 3 },
  JSON.parse('{"__proto__":{"a":1}}') as Json,
];

export const HOSTILE_TEXTS: readonly string[] = [
  '',
  '\n',
  'null',
  'true',
  '0',
  '-0',
  '1e999',
  '"x"',
  '[]',
  '[null]',
  '{}',
  '{"":0}',
  '{"__proto__":null}',
  '{"constructor":{"prototype":{}}}',
  '\ufeff{}',
  '\u0000',
  '\ud800',
  '{"a":"\ud800"}',
  '[['.repeat(2) + ']]'.repeat(2),
  '['.repeat(100_000),
  '['.repeat(100_000) + ']'.repeat(100_000),
  '{"a":'.repeat(50_000) + '0' + '}'.repeat(50_000),
  'x'.repeat(1_000_000),
];

/** The value with one member anywhere replaced, removed, or added: every place, every hostile value. */
export function* mutants(value: Json): Generator<Json> {
  if (typeof value !== 'object' || value === null) return;
  if (Array.isArray(value)) {
    const items = value as readonly Json[];
    for (const [index, item] of items.entries()) {
      for (const other of variants(item)) yield items.with(index, other);
      yield items.toSpliced(index, 1);
    }
    for (const other of HOSTILE_VALUES) yield [...items, other];
    return;
  }
  const object = value as { readonly [key: string]: Json };
  for (const key of Object.keys(object)) {
    for (const other of variants(object[key] as Json)) yield { ...object, [key]: other };
    yield Object.fromEntries(Object.entries(object).filter(([name]) => name !== key));
  }
  yield { ...object, extra: 1 };
  yield { ...object, '': 1 };
}

function* variants(value: Json): Generator<Json> {
  yield* HOSTILE_VALUES;
  yield* mutants(value);
}

/** {@link mutants}, as canonical text; without those that are equal to the value itself. */
export function* canonicalMutants(value: Json): Generator<string> {
  const own = canonicalize(value);
  for (const mutant of mutants(value)) {
    const text = canonicalize(mutant);
    if (text !== own) yield text;
  }
}

/** Text of any origin: random, JSON, canonical JSON, and texts near to the given one. */
export function hostileText(near: string): fc.Arbitrary<string> {
  return fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.json(),
    fc.jsonValue().map((value) => canonicalize(JSON.parse(JSON.stringify(value)) as Json)),
    fc.anything({ withBigInt: false }).map((value) => JSON.stringify(value) ?? 'undefined'),
    edited(near),
  );
}

/** The text with a few characters replaced, inserted or removed. */
export function edited(near: string): fc.Arbitrary<string> {
  const edit = fc.record({
    at: fc.nat({ max: Math.max(0, near.length - 1) }),
    remove: fc.nat({ max: 3 }),
    insert: fc.string({
      unit: fc.oneof(
        fc.constantFrom(...'0123456789abcdef"{}[],:\\ \n-eE+./=A'.split('')),
        fc.string({ unit: 'binary', maxLength: 1 }),
      ),
      maxLength: 3,
    }),
  });
  return fc
    .array(edit, { minLength: 1, maxLength: 3 })
    .map((edits) =>
      edits.reduce((text, { at, remove, insert }) => text.slice(0, at) + insert + text.slice(at + remove), near),
    );
}

/** Bytes of any origin: random, text, and the given ones with some changed. */
export function hostileBytes(near: Buffer): fc.Arbitrary<Buffer> {
  const change = fc.tuple(fc.nat({ max: Math.max(0, near.length - 1) }), fc.nat({ max: 255 }));
  return fc.oneof(
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    hostileText(near.toString('utf8')).map((text) => Buffer.from(text)),
    fc.array(change, { minLength: 1, maxLength: 4 }).map((changes) => {
      const bytes = Buffer.from(near);
      for (const [at, value] of changes) bytes[at] = value;
      return bytes;
    }),
    fc.nat({ max: near.length }).map((length) => near.subarray(0, length)),
  );
}
