// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import type { Batch } from '../../src/record/batch.ts';
import type { Entry, EntryType, LeafRange, StreamHead } from '../../src/record/entry-types.ts';
import { isOrigin } from '../../src/record/origin.ts';
import { toSeconds } from '../../src/record/period.ts';
import * as words from '../../src/record/vocabulary.ts';

type Of<T extends EntryType> = fc.Arbitrary<Extract<Entry, { t: T }>>;

const hexOf = (bytes: number): fc.Arbitrary<string> =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((value) => Buffer.from(value).toString('hex'));
export const hex128 = hexOf(16);
export const hex256 = hexOf(32);

const MOST = 999_999_999_999_999;
export const count = fc.oneof(fc.nat({ max: 300 }), fc.integer({ min: 0, max: MOST }), fc.constantFrom(0, 1, MOST));
const above = (least: number): fc.Arbitrary<number> => count.map((value) => Math.max(value, least));
const bodyLength = fc.integer({ min: 0, max: 65_536 });

export const seconds = fc
  .date({ min: new Date('0000-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59Z'), noInvalidDate: true })
  .map((date) => toSeconds(date.getTime()));

const oneOf = (characters: string): fc.Arbitrary<string> => fc.constantFrom(...characters.split(''));
const LOWER = 'abcdefghijklmnopqrstuvwxyz0123456789';
const UPPER = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';
const after = (first: string, rest: string, most: number): fc.Arbitrary<string> =>
  fc.tuple(oneOf(first), fc.string({ unit: oneOf(rest), maxLength: most - 1 })).map(([head, tail]) => head + tail);

export const retentionClass = after(LOWER + UPPER, `${LOWER}${UPPER}._-`, 40);
export const origin = fc
  .array(after(LOWER, `${LOWER}.-`, 64), { minLength: 1, maxLength: 8 })
  .map((labels) => labels.join('/'))
  .filter(isOrigin);
const printable = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index)).filter(
  (c) => !'"\\'.includes(c),
);
export const text = fc.string({ unit: fc.constantFrom(...printable), minLength: 1, maxLength: 200 });
export const signature = fc
  .uint8Array({ minLength: 64, maxLength: 64 })
  .map((value) => Buffer.from(value).toString('base64'));

const part = (unit: string, most: number): fc.Arbitrary<string> =>
  fc.option(fc.integer({ min: 1, max: most }), { nil: null }).map((value) => (value === null ? '' : `${value}${unit}`));
export const period = fc
  .tuple(part('Y', 9999), part('M', 9999), part('D', 99_999))
  .map((parts) => `P${parts.join('')}`)
  .filter((value) => value !== 'P');

/** In ascending order of name, each name once. */
function sortedBy<T>(items: readonly T[], name: (item: T) => string): T[] {
  return [...new Map(items.map((item) => [name(item), item])).values()].toSorted((a, b) =>
    name(a) < name(b) ? -1 : 1,
  );
}

const bytesRef = fc.record({ h: hex256, n: count });
const bodyRef = fc.record({ h: hex256, n: bodyLength });
const head: fc.Arbitrary<StreamHead> = fc.record({ id: hex256, seq: count, stream: hex128 });
const some = <T>(item: fc.Arbitrary<T>, most: number, least = 1): fc.Arbitrary<T[]> =>
  fc.array(item, { minLength: least, maxLength: most });
const approvals = some(fc.record({ key: hex128, sig: signature }), 8).map((all) => sortedBy(all, ({ key }) => key));

/** Ascending, disjoint, not empty. */
const leaves: fc.Arbitrary<LeafRange[]> = some(fc.tuple(fc.nat({ max: 9 }), fc.integer({ min: 1, max: 99 })), 64).map(
  (steps) => {
    let next = 0;
    return steps.map(([skip, length]): LeafRange => {
      const first = next + skip;
      next = first + length;
      return [first, length];
    });
  },
);

const v = fc.constant(1 as const);
const kind = <T extends EntryType>(t: T): { v: typeof v; t: fc.Arbitrary<T>; at: typeof seconds } => ({
  v,
  t: fc.constant(t),
  at: seconds,
});
const placed = { stream: hex128, seq: above(1), prev: hex256 };
const sealed = { ret: retentionClass, epoch: hex256, i: count, body: bodyRef, com: hex256 };
const inPack = { h: hex256, n: count, leaves, ret: retentionClass, until: seconds };
const noHeads: { heads: [string, number, string][] } = { heads: [] };

const content: Of<'content'> = fc.record(
  { ...kind('content'), ...placed, ...sealed, obj: some(bytesRef, 16), tag: hex128 },
  { requiredKeys: ['v', 't', 'at', 'stream', 'seq', 'prev', 'ret', 'epoch', 'i', 'body', 'com', 'tag'] },
);

const gapOptional = { from: seconds, to: seconds, last: head, count, tag: hex128 };
const gap: Of<'gap'> = fc
  .record({
    base: fc.record({
      ...kind('gap'),
      ...placed,
      cause: fc.constantFrom(...words.GAP_CAUSES),
      scope: fc.constantFrom(...words.GAP_SCOPES),
    }),
    optional: fc.record(gapOptional, { requiredKeys: [] }),
    sealed: fc.option(fc.record(sealed), { nil: {} }),
    state: fc.oneof(
      fc.constant({ state: 'open' as const }),
      fc.record({ state: fc.constantFrom('closed', 'final'), ref: hex256 }),
      fc.constant({ state: 'final' as const }),
    ),
  })
  .map((parts) => ({ ...parts.base, ...parts.optional, ...parts.sealed, ...parts.state }));

/** Every type of entry, over the whole of its grammar and within its rules. */
export const ENTRIES: { readonly [T in EntryType]: Of<T> } = {
  content,
  media: fc.record({ ...kind('media'), ...placed, ...sealed, obj: some(bytesRef, 16), tag: hex128 }),
  access: fc.record({ ...kind('access'), ...placed, ...sealed, tag: hex128 }),
  open: fc.record(
    {
      ...kind('open'),
      ...placed,
      seq: fc.constant(0),
      acct: hex128,
      app: fc.constantFrom(...words.APPS),
      gen: count,
      key: hex128,
      last: head,
      role: fc.constantFrom(...words.STREAM_ROLES),
    },
    { requiredKeys: ['v', 't', 'at', 'stream', 'seq', 'prev', 'acct', 'app', 'gen', 'key', 'role'] },
  ),
  close: fc.record({ ...kind('close'), ...placed, reason: fc.constantFrom(...words.CLOSE_REASONS) }),
  beat: fc
    .record({
      base: fc.record({ ...kind('beat'), ...placed }),
      heads: fc.oneof(fc.constant(noHeads), fc.record({ heads: some(fc.tuple(hex128, count, hex256), 24) })),
      part: fc.tuple(above(1), above(1)).map(([a, b]): [number, number] => [Math.min(a, b), Math.max(a, b)]),
    })
    .map(({ base, heads, part: of }) => ({
      ...base,
      heads: sortedBy(heads.heads, ([stream]) => stream),
      part: of,
    })),
  gap,
  hole: fc.record({ ...kind('hole'), ...placed, count: above(1), last: hex256 }),
  pack: fc.record({ ...kind('pack'), log: origin, ...inPack }),
  repack: fc.record({ ...kind('repack'), log: origin, ...inPack, from: hex256 }),
  heads: fc.record({ ...kind('heads'), log: origin, file: bytesRef, root: hex256, streams: count }),
  key: fc.record({ ...kind('key'), log: origin, doc: hex256, kind: fc.constantFrom(...words.KEY_KINDS), n: count }),
  store: fc.record({
    ...kind('store'),
    log: origin,
    create: fc.constantFrom(...words.STORE_CREATES),
    hold: fc.boolean(),
    kind: fc.constantFrom(...words.STORE_KINDS),
    locks: fc.boolean(),
  }),
  retention: fc.record({
    ...kind('retention'),
    log: origin,
    authority: text,
    class: retentionClass,
    mode: fc.constantFrom(...words.LOCK_MODES),
    period,
    max: period,
  }),
  hold: fc
    .record({
      ...kind('hold'),
      log: origin,
      by: approvals,
      hold: hex128,
      matter: text,
      objects: bytesRef,
      state: fc.constantFrom(...words.HOLD_STATES),
    })
    .filter(({ state, by }) => state !== 'released' || by.length > 1),
  disposition: fc.record({ ...kind('disposition'), log: origin, authority: text, by: approvals, objects: bytesRef }),
  escrow: fc
    .record({
      ...kind('escrow'),
      log: origin,
      act: fc.constantFrom('combine', 'drill'),
      authority: text,
      by: approvals,
      ceremony: hex128,
      key: hex128,
      need: fc.integer({ min: 2, max: 100 }),
      of: fc.integer({ min: 100, max: 255 }),
      split: hex128,
      state: fc.constantFrom(...words.ESCROW_STATES),
    })
    .filter(({ state, by, ceremony, split }) => (state !== 'announced' || by.length > 1) && ceremony !== split),
  scrub: fc.record({
    ...kind('scrub'),
    log: origin,
    by: approvals,
    bytes: count,
    findings: count,
    from: seconds,
    objects: count,
    size: count,
  }),
};

export const ENTRY_TYPES = Object.keys(ENTRIES) as EntryType[];
export const entry: fc.Arbitrary<Entry> = fc.oneof(...Object.values<fc.Arbitrary<Entry>>(ENTRIES));

export const batch: fc.Arbitrary<Batch> = fc.record({
  origin,
  stream: hex128,
  gen: count,
  first: count,
  count: fc.integer({ min: 1, max: 256 }),
  last: hex256,
  key: hex128,
});
