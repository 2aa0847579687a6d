// SPDX-License-Identifier: AGPL-3.0-or-later

import { proto } from '@whiskeysockets/baileys/WAProto/index.js';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  normaliseDecrypted,
  normaliseHistory,
  normaliseMutation,
  normaliseStanza,
  type StanzaNode,
  type Understood,
} from '../../../src/connectors/whatsapp/normalise.ts';
import { decodeRaw, encodeRaw } from '../../../src/connectors/whatsapp/normalise/raw.ts';
import { subMessage, unreadPaths, wireFields, withoutField } from '../../../src/connectors/whatsapp/normalise/wire.ts';
import { canonicalize, type Json } from '../../../src/record/canonical.ts';
import { goldenCases, messageBytes, padded, rememberingContext } from './golden.ts';

const RUNS = { numRuns: 2000 };
const attrs = { from: '810000000000001:2@lid', sender_pn: '12025550101@s.whatsapp.net', id: 'A', t: '1795000000' };
const enc = { tag: 'enc', attrs: { type: 'msg', v: '2' }, content: Buffer.from('ciphertext') };
const context = rememberingContext();

function decrypted(plaintext: Uint8Array): readonly Understood[] {
  return normaliseDecrypted({ node: { tag: 'message', attrs, content: [enc] }, part: 0, plaintext }, context);
}

/** A view that can be sealed, an identity that can be hashed, and bytes that can be told apart again. */
function assertSound(found: Iterable<Understood>): void {
  let count = 0;
  for (const { native, view, raw, ref, memory } of found) {
    count += 1;
    canonicalize(view as unknown as Json);
    assertIntegers(view);
    for (const one of [native, ref, ...memory.map(({ of }) => of)]) if (one !== null) canonicalize({ ...one });
    expect(decodeRaw(raw)).not.toBeNull();
  }
  expect(count).toBeGreaterThan(0);
}

function assertIntegers(value: unknown): void {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) throw new Error(`${value} is no integer`);
  if (typeof value === 'object' && value !== null) Object.values(value).forEach(assertIntegers);
}

/** The plaintext comes back from `raw` as it went in. */
function assertKept(plaintext: Uint8Array, found: readonly Understood[]): void {
  for (const { raw } of found) {
    const kept = decodeRaw(raw)?.parts.find(({ is }) => is === 'plaintext')?.bytes;
    expect(Buffer.compare(kept ?? Buffer.alloc(0), plaintext)).toBe(0);
  }
}

const jids = fc.constantFrom(
  '810000000000001:2@lid',
  '12025550100@s.whatsapp.net',
  '1@g.us',
  '1@broadcast',
  'status@broadcast',
  '1@newsletter',
  '@',
  '',
  'x',
  '\ud800@lid',
);
const attributes = fc.dictionary(
  fc.constantFrom(
    'from',
    'participant',
    'recipient',
    'id',
    't',
    'type',
    'sender_pn',
    'call-id',
    'jid',
    'key',
    '__proto__',
  ),
  fc.oneof(jids, fc.string({ unit: 'binary' })),
);
const { node: nodes } = fc.letrec<{ node: StanzaNode }>((tie) => ({
  node: fc.record(
    {
      tag: fc
        .constantFrom(
          'message receipt notification call chatstate iq enc unavailable group participant list item identity set add modify offer'.split(
            ' ',
          ),
        )
        .chain((tags) => fc.constantFrom(...tags)),
      attrs: attributes,
      content: fc.oneof(
        { depthSize: 'small' },
        fc.string({ unit: 'binary' }),
        fc.uint8Array({ maxLength: 30 }),
        fc.array(tie('node'), { maxLength: 3 }),
      ),
    },
    { requiredKeys: ['tag', 'attrs'] },
  ),
}));

test('never throws on any plaintext, keeps it, and gives a sound view', () => {
  const bytes = fc.uint8Array({ maxLength: 300 });
  fc.assert(
    fc.property(bytes, (plaintext) => {
      const found = decrypted(plaintext);
      assertSound(found);
      assertKept(plaintext, found);
    }),
    RUNS,
  );
});

test('never throws on stanzas of any shape', () => {
  fc.assert(
    fc.property(nodes, fc.option(fc.string(), { nil: undefined }), (node, failure) => {
      assertSound(normaliseStanza({ node, ...(failure === undefined ? {} : { failure }) }, context));
    }),
    RUNS,
  );
});

const messages = goldenCases()
  .flatMap(({ steps }) => steps)
  .flatMap(({ message }) => (message === undefined ? [] : [messageBytes(message)]));

test('never throws on a real message that is cut short anywhere', () => {
  for (const message of messages) {
    for (let end = 0; end < message.length; end += Math.ceil(message.length / 40)) {
      const found = decrypted(padded(message.subarray(0, end)));
      assertSound(found);
      assertKept(padded(message.subarray(0, end)), found);
    }
  }
});

test('never throws on a real message with bytes changed', () => {
  const change = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(fc.constantFrom(...messages), change, (message, changes) => {
      const copy = Buffer.from(message);
      for (const [at, value] of changes) copy[at % copy.length] = value;
      assertSound(decrypted(padded(copy)));
    }),
    RUNS,
  );
});

test('never throws on a history blob of any bytes, and keeps all of them', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (blob) => {
      const found = [...normaliseHistory({ notification: blob, blob }, context)];
      if (blob.length > 0) assertSound(found);
    }),
    RUNS,
  );
});

test('splits a history blob so that every byte of it is in one of the records', () => {
  const history = goldenCases().find(({ name }) => name === 'history')?.steps[0]?.history;
  const whole = proto.HistorySync.encode(proto.HistorySync.fromObject(history?.blob ?? {})).finish();
  const blob = Buffer.concat([whole, Buffer.from('ba0703616263', 'hex')]);
  const found = [...normaliseHistory({ notification: Buffer.alloc(0), blob }, context)];
  const parts = found.flatMap(({ raw }) => decodeRaw(raw)?.parts ?? []);
  const again = parts.filter(({ is }) => is !== 'history-rest').map(({ bytes }) => Buffer.from(bytes));
  for (const field of wireFields(blob) ?? []) {
    const bytes = blob.subarray(field.start, field.end);
    const isRest = parts.some((part) => part.is === 'history-rest' && Buffer.from(part.bytes).includes(bytes));
    if (isRest) continue;
    const value = blob.subarray(field.from, field.end);
    if (field.number === 3) {
      expect(again.some((part) => part.includes(value))).toBe(true);
      continue;
    }
    expect(field.number).toBe(2);
    const about = withoutField(value, 2);
    expect(again.some((part) => part.equals(about))).toBe(true);
    for (const message of (wireFields(value) ?? []).filter(({ number }) => number === 2)) {
      expect(again.some((part) => part.equals(value.subarray(message.from, message.end)))).toBe(true);
    }
  }
});

test('never throws on mutations of any shape', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), (action) => {
      assertSound(normaliseMutation({ collection: 'regular', operation: 'set', action }, context));
    }),
    RUNS,
  );
});

test('gives back from the kept bytes exactly the stanza and the plaintext that came', () => {
  fc.assert(
    fc.property(nodes, fc.uint8Array({ maxLength: 50 }), (stanza, plaintext) => {
      const raw = encodeRaw({
        origin: 'stanza',
        facts: { part: 0 },
        stanza,
        parts: [{ is: 'plaintext', bytes: plaintext }],
      });
      const back = decodeRaw(raw);
      expect(comparable(back?.stanza)).toBe(comparable(stanza));
      expect(Buffer.from(back?.parts[0]?.bytes ?? [])).toEqual(Buffer.from(plaintext));
    }),
    RUNS,
  );
});

function comparable(node: unknown): string {
  return JSON.stringify(node, (_name, value: unknown) => {
    if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString('hex')}`;
    const isBuffer =
      typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer' && 'data' in value;
    return isBuffer ? `bytes ${Buffer.from(value.data as number[]).toString('hex')}` : value;
  });
}

test('reads no kept bytes that were cut, lengthened or changed in their first line', () => {
  const raw = Buffer.from(
    encodeRaw({ origin: 'stanza', facts: {}, stanza: { tag: 'x', attrs: {}, content: Buffer.from('ab') }, parts: [] }),
  );
  expect(decodeRaw(raw)).not.toBeNull();
  for (let end = 0; end < raw.length; end++) expect(decodeRaw(raw.subarray(0, end))).toBeNull();
  expect(decodeRaw(Buffer.concat([raw, Buffer.from('x')]))).toBeNull();
  expect(decodeRaw(Buffer.concat([Buffer.from('y'), raw.subarray(1)]))).toBeNull();
});

test('walks over any bytes without leaving them', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 60 }),
      fc.uint8Array({ maxLength: 60 }),
      fc.array(fc.nat(20), { maxLength: 4 }),
      (bytes, other, path) => {
        for (const { start, from, end } of wireFields(bytes) ?? []) {
          expect(start).toBeLessThan(from);
          expect(end).toBeLessThanOrEqual(bytes.length);
        }
        subMessage(bytes, path);
        expect(unreadPaths(bytes, bytes)).toEqual([]);
        unreadPaths(bytes, other);
      },
    ),
    RUNS,
  );
});
