// SPDX-License-Identifier: AGPL-3.0-or-later

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LineSplitter, readLine } from '../../../src/connectors/signal/intakes/journal-lines.ts';

const message = (text: string): string =>
  `{"envelope":{"timestamp":1,"dataMessage":{"message":${JSON.stringify(text)}}},"account":"+12025550100"}`;

function pieces(line: string): string[] {
  return readLine(Buffer.from(line)).map((piece) =>
    'raw' in piece ? `${piece.is} ${Buffer.from(piece.raw).toString()}` : piece.is,
  );
}

test('tells messages from log lines', () => {
  expect(pieces(message('x'))).toEqual([`message ${message('x')}`]);
  expect(pieces('INFO  ReceiveHelper - Connection closed {"envelope"')).toEqual(['noise']);
  expect(pieces('')).toEqual(['noise']);
  expect(pieces('INFO  DaemonCommand - Starting daemon in multi-account mode')).toEqual(['daemon-start']);
  expect(pieces('{"exception":{"type":"X"},"account":"+1"}')).toEqual([
    'message {"exception":{"type":"X"},"account":"+1"}',
  ]);
});

test('tolerates a carriage return, and nothing else, before the newline', () => {
  expect(pieces(`${message('x')}\r`)).toEqual([`message ${message('x')}`]);
});

test('finds both messages in a line that lost the newline between them, and one behind a torn log line', () => {
  expect(pieces(`${message('a')}${message('b')}`)).toEqual([`message ${message('a')}`, `message ${message('b')}`]);
  expect(pieces(`WARN  Recei${message('a')}`)).toEqual(['noise', `message ${message('a')}`]);
  expect(pieces(`${message('a')}INFO  and so on`)).toEqual([`message ${message('a')}`]);
});

test('keeps the torn piece in front of a whole message as a fragment', () => {
  const torn = message('a"b\\').slice(0, 50);
  expect(pieces(`${torn}${message('b')}`)).toEqual([`fragment ${torn}`, `message ${message('b')}`]);
  expect(pieces(torn)).toEqual([`fragment ${torn}`]);
});

test('is not misled by the text of a message', () => {
  const sly = message('{"envelope":{}}\n{"exception":');
  expect(pieces(sly)).toEqual([`message ${sly}`]);
});

test('cuts any stream of bytes into the same lines, wherever it is cut into pieces', () => {
  const lines = fc.array(
    fc.string({ maxLength: 30 }).map((line) => line.replaceAll('\n', '·')),
    { maxLength: 12 },
  );
  fc.assert(
    fc.property(lines, fc.string({ maxLength: 10 }), fc.array(fc.nat(40), { maxLength: 12 }), (whole, tail, cuts) => {
      const rest = tail.replaceAll('\n', '·');
      const stream = Buffer.from(whole.map((line) => `${line}\n`).join('') + rest);
      const splitter = new LineSplitter(1000);
      const found: string[] = [];
      let at = 0;
      let behind = 0;
      for (const cut of [...cuts, stream.length]) {
        const end = Math.min(stream.length, at + cut);
        for (const one of splitter.feed(stream.subarray(at, end))) {
          found.push((one.line as Buffer).toString());
          behind = at + one.end;
        }
        at = end;
      }
      expect(found).toEqual(whole);
      expect(splitter.heldBytes).toBe(Buffer.byteLength(rest));
      expect(behind).toBe(stream.length - Buffer.byteLength(rest));
    }),
    { numRuns: 1000 },
  );
});

test('gives up on a line that is too long, counts it, and goes on behind it', () => {
  const splitter = new LineSplitter(10);
  const found = [
    ...splitter.feed(Buffer.from(`${'x'.repeat(8)}`)),
    ...splitter.feed(Buffer.from(`${'x'.repeat(8)}\nok\n`)),
  ];
  expect(found.map(({ line }) => line?.toString() ?? null)).toEqual([null, 'ok']);
});

test('never throws, and never loses a byte of a line that begins like a message', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (junk) => {
      const line = Buffer.from(`{${junk.replaceAll('\n', ' ')}`);
      const kept = readLine(line).flatMap((piece) => ('raw' in piece ? [piece.raw] : []));
      expect(kept.length).toBeGreaterThan(0);
    }),
    { numRuns: 2000 },
  );
});
