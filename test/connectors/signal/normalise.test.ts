// SPDX-License-Identifier: AGPL-3.0-or-later

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { plain, parseJson } from '../../../src/connectors/signal/json.ts';
import { normalise } from '../../../src/connectors/signal/normalise.ts';
import { canonicalize, type Json } from '../../../src/record/canonical.ts';
import type { NativeId } from '../../../src/record/message.ts';
import { goldenCases } from './golden.ts';

const account = '+12025550142';
const ana = 'c4e7a910-52bd-4f6e-9d38-71b0e6f2a5c8';
const head = {
  source: '+12025550163',
  sourceNumber: '+12025550163',
  sourceUuid: ana,
  sourceName: 'Ana Ruiz',
  sourceDevice: 1,
  timestamp: 1795000000001,
  serverReceivedTimestamp: 1795000000100,
  serverDeliveredTimestamp: 1795000000200,
};

function natives(members: object, over: object = {}): NativeId[] {
  const raw = Buffer.from(JSON.stringify({ envelope: { ...head, ...over, ...members }, account }));
  return normalise(raw, account).map(({ native }) => native);
}

function assertSound(raw: Uint8Array): void {
  for (const { native, view } of normalise(raw, account)) {
    expect(() => canonicalize(view as unknown as Json)).not.toThrow();
    expect(Object.values(native).every((part) => typeof part === 'string' && part.isWellFormed())).toBe(true);
    assertIntegers(view);
  }
}

function assertIntegers(value: unknown): void {
  if (typeof value === 'number') expect(Number.isSafeInteger(value)).toBe(true);
  if (typeof value === 'object' && value !== null) Object.values(value).forEach(assertIntegers);
}

test('never throws and always gives a sound view, whatever the bytes', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), assertSound), { numRuns: 3000 });
});

test('never throws on JSON of any shape, also where a known member has another type', () => {
  const names = [
    'envelope',
    'exception',
    'account',
    'dataMessage',
    'syncMessage',
    'sentMessage',
    'timestamp',
    'sourceUuid',
  ];
  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small' },
      fc.jsonValue(),
      fc.double(),
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom(...names, 'reaction', 'quote', 'id', 'groupInfo', 'attachments'), tie('tree'), {
        maxKeys: 5,
      }),
    ),
  }));
  fc.assert(
    fc.property(tree, (value) => assertSound(Buffer.from(JSON.stringify({ envelope: value, account }) ?? ''))),
    { numRuns: 3000 },
  );
});

test('never throws on a real frame with one value put in the place of another', () => {
  const frames = goldenCases().map(({ raw }) => JSON.parse(raw.toString()) as unknown);
  const odd = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom(-1, 1.5, 2 ** 60, 'x', '\ud800', null, [], {}, true, [[]], 1e308),
  );
  fc.assert(
    fc.property(fc.constantFrom(...frames), fc.nat(), odd, (frame, at, value) => {
      const copy = structuredClone(frame);
      const places: [Record<string, unknown>, string][] = [];
      collect(copy, places);
      const place = places[at % places.length];
      if (place !== undefined) place[0][place[1]] = value;
      assertSound(Buffer.from(JSON.stringify(copy)));
    }),
    { numRuns: 5000 },
  );
});

function collect(value: unknown, places: [Record<string, unknown>, string][]): void {
  if (typeof value !== 'object' || value === null) return;
  for (const [name, member] of Object.entries(value)) {
    places.push([value as Record<string, unknown>, name]);
    collect(member, places);
  }
}

test('calls what it cannot read unknown, and what says nothing empty', () => {
  const kindOf = (text: string): string => normalise(Buffer.from(text), account)[0].view.kind;
  expect(kindOf('no JSON')).toBe('unknown');
  expect(kindOf('null')).toBe('unknown');
  expect(kindOf('{}')).toBe('unknown');
  expect(kindOf('['.repeat(100_000))).toBe('unknown');
  expect(kindOf(`{"envelope":${'['.repeat(50_000)}${']'.repeat(50_000)},"n":12345678901234567890}`)).toBe('unknown');
  expect(kindOf('{"envelope":{}}')).toBe('empty');
  expect(kindOf('{"envelope":{"dataMessage":null}}')).toBe('empty');
  expect(kindOf('{"envelope":{"newKind":{}}}')).toBe('unknown');
  expect(kindOf('{"envelope":{"dataMessage":{"timestamp":1}}}')).toBe('empty');
  expect(kindOf('{"envelope":{"dataMessage":{"timestamp":1,"newKind":[]}}}')).toBe('unknown');
});

test('keeps 64-bit call ids exactly', () => {
  const raw = Buffer.from(
    '{"envelope":{"timestamp":1,"callMessage":{"offerMessage":{"id":18446744073709551615,"type":"AUDIO_CALL"}}}}',
  );
  expect(normalise(raw, account)[0].view).toMatchObject({ kind: 'call', callId: '18446744073709551615' });
});

test('reads integers of any width without rounding, and turns what no view can hold into text', () => {
  const value = parseJson(
    '{"a":9007199254740993,"b":-9007199254740993,"c":1.5,"d":1e400,"e":[1,2.0],"__proto__":{"x":1}}',
  );
  expect(canonicalize(plain(value))).toBe(
    '{"__proto__":{"x":1},"a":"9007199254740993","b":"-9007199254740993","c":"1.5","d":"Infinity","e":[1,2]}',
  );
});

test('gives one message the same identity whatever else its frame says', () => {
  const data = { timestamp: head.timestamp, message: 'x' };
  expect(natives({ dataMessage: data })).toEqual(
    natives({ dataMessage: { ...data, newMember: 1 } }, { sourceName: 'Ana R.' }),
  );
});

test('tells apart devices, times, senders, chats, kinds and targets', () => {
  const data = { timestamp: head.timestamp, message: 'x' };
  const group = { ...data, groupInfo: { groupId: 'Z3JvdXA=', type: 'DELIVER' } };
  const reaction = (target: number): object => ({
    timestamp: head.timestamp,
    message: null,
    reaction: { emoji: 'x', targetAuthorUuid: ana, targetSentTimestamp: target, isRemove: false },
  });
  const receipt = (timestamps: number[], isRead: boolean): object => ({
    receiptMessage: { isDelivery: !isRead, isRead, isViewed: false, timestamps },
  });
  const exception = Buffer.from(
    JSON.stringify({ exception: { type: 'ProtocolNoSessionException' }, envelope: head, account }),
  );
  const all = [
    ...natives({ dataMessage: data }),
    ...natives({ dataMessage: data }, { sourceDevice: 2 }),
    ...natives({ dataMessage: data }, { timestamp: 1795000000002 }),
    ...natives({ dataMessage: data }, { sourceUuid: '1d8f3b62-a947-4c05-b2e1-6f90d4c7e3a1' }),
    ...natives({ dataMessage: group }),
    ...natives({ dataMessage: reaction(1) }),
    ...natives({ dataMessage: reaction(2) }),
    ...natives({ editMessage: { targetSentTimestamp: 1, dataMessage: data } }),
    ...natives({ editMessage: { targetSentTimestamp: 2, dataMessage: data } }),
    ...natives(receipt([1], true)),
    ...natives(receipt([1, 2], true)),
    ...natives(receipt([1], false)),
    ...normalise(exception, account).map(({ native }) => native),
  ];
  expect(new Set(all.map((native) => JSON.stringify(native))).size).toBe(all.length);
});

test('makes one capture of each member of an envelope that has several, with identities of their own', () => {
  const found = natives({
    dataMessage: {
      timestamp: 1,
      message: 'x',
      reaction: { emoji: 'x', targetAuthorUuid: ana, targetSentTimestamp: 1 },
    },
    typingMessage: { action: 'STARTED' },
  });
  expect(found.map(({ kind }) => kind)).toEqual(['reaction', 'message', 'typing']);
});

test('names a sender by ACI, and by number only where there is no ACI', () => {
  const data = { timestamp: 1, message: 'x' };
  expect(natives({ dataMessage: data })[0]?.sender).toBe(ana);
  expect(natives({ dataMessage: data }, { sourceUuid: null })[0]?.sender).toBe('+12025550163');
  expect(natives({ dataMessage: data }, { sourceUuid: null, sourceNumber: null, source: ana })[0]?.sender).toBe(ana);
});

test('gives frames without a time an identity by their bytes', () => {
  const [first] = natives({ dataMessage: { message: 'x' } }, { timestamp: null });
  const [second] = natives({ dataMessage: { message: 'y' } }, { timestamp: null });
  expect(first?.id).not.toBe(second?.id);
});
