// SPDX-License-Identifier: AGPL-3.0-or-later

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { endOfValue, sliceItems, sliceMember } from '../../../src/connectors/signal/slice.ts';
import { readRpcLine } from '../../../src/connectors/signal/intakes/rpc-line.ts';

const bytes = (text: string): Buffer => Buffer.from(text);

/** JSON text with odd but legal spacing around every structural character. */
function spaced(value: unknown, space: string): string {
  if (Array.isArray(value))
    return `[${space}${value.map((item) => spaced(item, space)).join(`${space},${space}`)}${space}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(
    ([name, member]) => `${JSON.stringify(name)}${space}:${space}${spaced(member, space)}`,
  );
  return `{${space}${members.join(`${space},${space}`)}${space}}`;
}

test('cuts a member out exactly as it stands, spaces and spelling of numbers included', () => {
  const line = bytes('{"jsonrpc":"2.0", "params" : { "a" : 1.50E+1 , "b":[ "}\\"" ] } ,"method":"receive"}\n');
  expect(sliceMember(line, 'params')?.toString()).toBe('{ "a" : 1.50E+1 , "b":[ "}\\"" ] }');
});

test('takes the last of two members of one name, and names that are written with escapes, as JSON.parse does', () => {
  const line = bytes('{"params":1,"p\\u0061rams":{"x":2},"z":0}');
  expect(sliceMember(line, 'params')?.toString()).toBe('{"x":2}');
  expect((JSON.parse(line.toString()) as { params: unknown }).params).toEqual({ x: 2 });
});

test('finds nothing in what is no object, and no member that is nested deeper', () => {
  for (const text of ['[]', '"params"', '1', '', '   ', '{', '{"a":{"params":1}}'])
    expect(sliceMember(bytes(text), 'params')).toBeNull();
});

test('agrees with JSON.parse on every member of any object', () => {
  const space = fc.stringMatching(/^[ \t\n\r]{0,3}$/);
  fc.assert(
    fc.property(fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue()), space, (object, gap) => {
      const text = spaced(object, gap);
      const parsed = JSON.parse(text) as Record<string, unknown>;
      for (const [name, value] of Object.entries(parsed)) {
        const slice = sliceMember(bytes(text), name);
        expect(JSON.parse(Buffer.from(slice ?? []).toString())).toEqual(value);
        expect(text).toContain(Buffer.from(slice ?? []).toString());
      }
    }),
    { numRuns: 2000 },
  );
});

test('agrees with JSON.parse on the items of any list', () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue()), (items) => {
      const slices = sliceItems(bytes(spaced(items, ' ')));
      expect(slices?.map((slice) => JSON.parse(Buffer.from(slice).toString()) as unknown)).toEqual(
        JSON.parse(JSON.stringify(items)),
      );
    }),
    { numRuns: 500 },
  );
});

test('ends on any bytes, inside them', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (junk) => {
      const end = endOfValue(junk, 0);
      expect(end).toBeGreaterThanOrEqual(0);
      expect(end).toBeLessThanOrEqual(junk.length);
      sliceItems(junk);
    }),
    { numRuns: 2000 },
  );
});

test('gives the bytes of params of a receive notification, and the whole body of anything else', () => {
  const params = '{"envelope":{"id":11240984669916585193},"account":"+12025550100"}';
  const line = readRpcLine(bytes(`{"jsonrpc":"2.0","method":"receive","params":${params}}\n`));
  expect([line.raw.toString(), line.unknown, line.account]).toEqual([params, null, '+12025550100']);
  for (const [body, account] of [
    ['{"jsonrpc":"2.0","method":"sync","params":{"account":"+12025550100"}}', '+12025550100'],
    ['{"jsonrpc":"2.0","method":"receive"}', null],
    ['{"method":"receive","params":[1]}', null],
    ['not JSON', null],
    ['', null],
    ['[]', null],
  ] as const) {
    const other = readRpcLine(bytes(body));
    expect(other.raw.toString()).toBe(body);
    expect(other.unknown).not.toBeNull();
    expect(other.account).toBe(account);
  }
});

test('gives params of any notification byte for byte', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.boolean(), (params, first) => {
      const text = JSON.stringify(params);
      const line = first
        ? `{"params":${text},"jsonrpc":"2.0","method":"receive"}`
        : `{"jsonrpc":"2.0","method":"receive","params":${text}}\n`;
      expect(Buffer.from(readRpcLine(bytes(line)).raw).toString()).toBe(text);
    }),
    { numRuns: 1000 },
  );
});
