// SPDX-License-Identifier: AGPL-3.0-or-later
import { canonicalize, type Json } from '../../src/record/canonical.ts';
import { HOSTILE_VALUES } from '../record/hostile.ts';
import type { SeededRandom } from '../support/random.ts';

const MOST_BYTES = 2 ** 20;
const NUMBERS =
  `0 1 -1 -0 00 1.5 1e3 1e999 255 256 65535 65536 2147483648 4294967296 999999999999999 1000000000000000 9007199254740991 9007199254740992 ${'9'.repeat(400)}`.split(
    ' ',
  );
const WORDS = [
  '\ufeff',
  '\ud800',
  '\u2028',
  '\u0000',
  '\r',
  '\\u0061',
  'é',
  '𝒳',
  '__proto__',
  '\u202e',
  '—',
  '="',
  '\\',
];
const LENGTHS = [0x7f, 0x80, 0x81, 0x84, 0x88, 0xff, 0x00, 0x01];

type Change = (bytes: Buffer, random: SeededRandom, others: readonly Buffer[]) => Buffer;

const cut = (bytes: Buffer, from: number, to: number, between: Uint8Array | string = ''): Buffer =>
  Buffer.concat([bytes.subarray(0, from), Buffer.from(between as string), bytes.subarray(to)]);

/** Where one match of a pattern stands, taken at random; null if there is none. */
function place(
  bytes: Buffer,
  pattern: RegExp,
  random: SeededRandom,
): { from: number; to: number; text: string } | null {
  const from = random.below(bytes.length + 1);
  const text = bytes.toString('latin1');
  pattern.lastIndex = from;
  const found = pattern.exec(text) ?? ((pattern.lastIndex = 0), pattern.exec(text));
  return found === null ? null : { from: found.index, to: found.index + found[0].length, text: found[0] };
}

function replaced(bytes: Buffer, pattern: RegExp, random: SeededRandom, by: (text: string) => string): Buffer {
  const found = place(bytes, pattern, random);
  return found === null ? bytes : cut(bytes, found.from, found.to, Buffer.from(by(found.text)));
}

function linesChanged(bytes: Buffer, change: (lines: string[]) => void): Buffer {
  const lines = bytes.toString('latin1').split('\n');
  change(lines);
  return Buffer.from(lines.join('\n'), 'latin1');
}

/** A value with one member anywhere replaced, removed or added. */
function withOther(value: Json, random: SeededRandom): Json {
  if (typeof value !== 'object' || value === null || random.below(4) === 0) return random.pick(HOSTILE_VALUES);
  const members = Object.entries(value);
  const [name = '', member = null] = members.length > 0 ? random.pick(members) : [];
  const kind = random.below(6);
  const changed = members.flatMap(([key, own]): [string, Json][] => {
    if (key !== name) return [[key, own]];
    return kind === 0 ? [] : [[key, withOther(member, random)]];
  });
  if (kind === 1) changed.push([random.pick(WORDS), random.pick(HOSTILE_VALUES)]);
  return Array.isArray(value) ? changed.map(([, item]) => item) : Object.fromEntries(changed);
}

/** One line of JSON with one member anywhere another, and still canonical. */
function jsonChanged(bytes: Buffer, random: SeededRandom): Buffer {
  return linesChanged(bytes, (lines) => {
    const at = random.below(lines.length);
    try {
      const changed = withOther(JSON.parse(Buffer.from(lines[at] as string, 'latin1').toString()) as Json, random);
      lines[at] = Buffer.from(canonicalize(changed)).toString('latin1');
    } catch {
      // Not JSON, or what JSON cannot say.
    }
  });
}

const oneByte: Change = (bytes, random) => {
  const copy = Buffer.from(bytes);
  if (copy.length > 0) copy[random.below(copy.length)] = random.below(256);
  return copy;
};

const CHANGES: readonly Change[] = [
  oneByte,
  (bytes, random) => {
    const copy = Buffer.from(bytes);
    const at = random.below(Math.max(1, copy.length));
    if (copy.length > 0) copy[at] = (copy[at] as number) ^ (1 << random.below(8));
    return copy;
  },
  (bytes, random) => bytes.subarray(0, random.below(bytes.length + 1)),
  (bytes, random) => {
    const from = random.below(bytes.length + 1);
    return cut(bytes, from, Math.min(bytes.length, from + random.below(40)));
  },
  (bytes, random) => {
    const at = random.below(bytes.length + 1);
    return cut(bytes, at, at, random.bytes(1 + random.below(8)));
  },
  // Lengths of DER, of tile bundles, of parts.
  (bytes, random) => {
    const at = random.below(bytes.length + 1);
    return cut(bytes, at, Math.min(bytes.length, at + 1 + random.below(4)), Buffer.of(random.pick(LENGTHS), 0xff));
  },
  (bytes, random, others) => {
    const other = random.pick(others);
    return cut(bytes, random.below(bytes.length + 1), bytes.length, other.subarray(random.below(other.length + 1)));
  },
  (bytes, random) => {
    const from = random.below(bytes.length + 1);
    const piece = bytes.subarray(from, from + 1 + random.below(200));
    const times = random.pick([1, 2, 60, 3000]);
    return cut(bytes, from, from, Buffer.concat(Array.from({ length: times }, () => piece)));
  },
  (bytes, random) =>
    linesChanged(bytes, (lines) => {
      const line = lines[random.below(lines.length)] as string;
      lines.splice(random.below(lines.length + 1), random.below(2), line);
    }),
  (bytes, random) => linesChanged(bytes, (lines) => void lines.splice(random.below(lines.length), 1)),
  (bytes, random) => replaced(bytes, /-?\d+/g, random, () => random.pick(NUMBERS)),
  (bytes, random) => replaced(bytes, /"[^"\\]*"/g, random, (text) => `"${text.slice(1, -1)}${random.pick(WORDS)}"`),
  (bytes, random) => replaced(bytes, /"[^"\\]*"/g, random, () => JSON.stringify(random.pick(HOSTILE_VALUES))),
  (bytes, random) => replaced(bytes, /\s|[:;,+]/g, random, (text) => random.pick(['', ' ', '\t', '\r\n', text + text])),
  (bytes, random) => {
    const at = random.below(bytes.length + 1);
    const depth = random.pick([10, 129, 20_000]);
    const [open, close] = random.pick([['[', ']'] as const, ['{"a":', '}'] as const, ['(', ')'] as const]);
    return cut(bytes, at, at, open.repeat(depth) + (random.below(2) === 0 ? '' : `0${close.repeat(depth)}`));
  },
  (bytes, random) =>
    replaced(bytes, /[A-Za-z0-9+/]{20,}={0,2}/g, random, (text) => {
      const raw = Buffer.from(text, 'base64');
      return random.pick([oneByte(raw, random, []), raw.subarray(1), Buffer.concat([raw, raw])]).toString('base64');
    }),
  jsonChanged,
  jsonChanged,
];

/** An example with one to four changes. */
export function mutated(examples: readonly Buffer[], random: SeededRandom): Buffer {
  let bytes = random.pick(examples);
  for (let left = 1 + random.below(4); left > 0; left -= 1) {
    bytes = random.pick(CHANGES)(bytes, random, examples).subarray(0, MOST_BYTES);
  }
  return Buffer.from(bytes);
}
