// SPDX-License-Identifier: AGPL-3.0-or-later
import { Failure, type FailureCode } from '../base/failure.ts';
import { MOST_SHARES } from '../record/entry.ts';
import { sha256, sha256Hex } from '../record/hash.ts';
import type { KeyId } from '../record/key.ts';
import { isOrigin } from '../record/origin.ts';

/** What all shares of one split have in common. */
export interface ShareSet {
  readonly origin: string;
  /** Key id of the private key. */
  readonly key: KeyId;
  /** The ceremony that made them. */
  readonly split: string;
  readonly need: number;
  readonly of: number;
  readonly made: string;
  /** A fingerprint of every share, in order: whichever one was changed is found out by the others. */
  readonly prints: readonly string[];
}

/** One share of a private key, as its holder keeps it. */
export interface Share extends ShareSet {
  /** 1 to `of`. */
  readonly share: number;
  /** What Shamir's scheme gives: the polynomials' values, and where they were taken. */
  readonly bytes: Buffer;
}

const FIRST = 'holdfast escrow share v1';
const BYTES_A_LINE = 12;
const CHECK_DIGITS = 4;
const PRINT_BYTES = 16;

/** Tells nothing of the share: that is as random as a key. */
export function printOf(set: Omit<ShareSet, 'prints'>, share: number, bytes: Buffer): string {
  const head = [FIRST, set.origin, set.key, set.split, set.need, set.of, set.made, share].join('\n');
  return sha256(Buffer.concat([Buffer.from(`${head}\n`), bytes]))
    .subarray(0, PRINT_BYTES)
    .toString('hex');
}

/** What names a set in words of its own: two runs of one ceremony are two sets. */
export function setOf({ prints }: ShareSet): string {
  return sha256Hex(prints.join('\n')).slice(0, 2 * PRINT_BYTES);
}

/** Text to print and to store; on paper each line can be typed again and is checked by itself. */
export function encodeShare(share: Share): string {
  const fields = fieldsOf(share);
  const lines = dataLines(share.bytes);
  const prints = share.prints.map((print, index) => `print ${index + 1}`.padEnd(10) + inFours(print));
  return `${FIRST}

One of ${share.of} shares of a private key. Any ${share.need} of them together give the key; fewer tell nothing about it.
Keep it apart from the others, on paper or on a medium of its own, as you keep a key. Only what is below counts.

${[...fields.map(([name, value]) => name.padEnd(10) + value), ...prints, '', ...lines, '', `check     ${checkOf(share)}`].join('\n')}
`;
}

function fieldsOf({ origin, key, split, made, share, of, need }: Share): [string, string][] {
  return [
    ['log', origin],
    ['key', inFours(key)],
    ['split', inFours(split)],
    ['made', made],
    ['share', `${share} of ${of}`],
    ['need', `${need}`],
  ];
}

function dataLines(bytes: Buffer): string[] {
  return Array.from({ length: Math.ceil(bytes.length / BYTES_A_LINE) }, (_, index) => {
    const hex = bytes.subarray(index * BYTES_A_LINE, (index + 1) * BYTES_A_LINE).toString('hex');
    return `data ${index + 1}`.padEnd(10) + `${inFours(hex)}  ${lineCheck(index + 1, hex)}`;
  });
}

const inFours = (hex: string): string => hex.match(/.{1,4}/g)?.join(' ') ?? hex;
const lineCheck = (line: number, hex: string): string => sha256Hex(`${line} ${hex}`).slice(0, CHECK_DIGITS);

function checkOf(share: Share): string {
  const text = [...fieldsOf(share), ...share.prints, share.bytes.toString('hex')].join('\n');
  return inFours(sha256Hex(text).slice(0, 4 * CHECK_DIGITS));
}

/**
 * Reads a share back, also one that was typed: letters may be capital, spaces and empty lines anywhere. Throws `escrow/share-malformed`,
 * `escrow/share-damaged`. `where` names it in errors; what it holds is in none.
 */
export function parseShare(text: string, where: string): Share {
  const wrong = (code: FailureCode, expected: string, got: string): Failure =>
    new Failure(code, { expected, got, where, fix: 'compare it with the paper, or ask its holder for another copy' });
  const malformed = (expected: string): Failure => wrong('escrow/share-malformed', expected, 'something else');
  const lines = text.split(/\r?\n/).map((line) => line.trim().toLowerCase().replaceAll(/\s+/g, ' '));
  if (lines[0] !== FIRST) throw malformed(`a first line "${FIRST}"`);
  const valueOf = (name: string): string => {
    const found = lines.filter((line) => line.startsWith(`${name} `));
    if (found.length !== 1) throw malformed(`one line "${name}"`);
    return (found[0] as string).slice(name.length + 1);
  };
  const hexOf = (name: string, digits: number): string => {
    const hex = valueOf(name).replaceAll(' ', '');
    if (!/^[0-9a-f]+$/.test(hex) || hex.length !== digits) throw malformed(`${digits} hex digits in line "${name}"`);
    return hex;
  };
  const [, share, of] = (/^(\d{1,3}) of (\d{1,3})$/.exec(valueOf('share')) ?? []).map(Number) as [0, number, number];
  const need = Number(/^\d{1,3}$/.exec(valueOf('need'))?.[0] ?? 0);
  const isCounted = need >= 2 && need <= of && of <= MOST_SHARES && share >= 1 && share <= of;
  if (!isCounted || !isOrigin(valueOf('log'))) throw malformed('a log, and a number of shares');
  const head = {
    origin: valueOf('log'),
    key: hexOf('key', 32),
    split: hexOf('split', 32),
    made: valueOf('made').toUpperCase(),
    need,
    of,
  };
  const prints = Array.from({ length: of }, (_, index) => hexOf(`print ${index + 1}`, 2 * PRINT_BYTES));
  const bytes = dataIn(lines, (line) =>
    wrong('escrow/share-damaged', 'the data as it was written', `another line ${line}`),
  );
  const read: Share = { ...head, prints, share, bytes };
  if (bytes.length < 2) throw malformed('lines of data');
  if (hexOf('check', 4 * CHECK_DIGITS) !== checkOf(read).replaceAll(' ', '')) {
    throw wrong('escrow/share-damaged', 'the share as it was written', 'a check that does not fit');
  }
  if (printOf(head, share, bytes) !== prints[share - 1]) {
    throw wrong('escrow/share-damaged', `share ${share} as the split made it`, 'another one, with a check made to fit');
  }
  return read;
}

/** The data of a share; a line that was not typed as it was printed is named. */
function dataIn(lines: readonly string[], damaged: (line: number) => Failure): Buffer {
  const data = lines.filter((line) => line.startsWith('data '));
  const parts = data.map((line, index) => {
    const [, number, hex = '', check] = /^data (\d+) ((?:[0-9a-f] ?)+?) ?([0-9a-f]{4})$/.exec(line) ?? [];
    const digits = hex.replaceAll(' ', '');
    const isGood = Number(number) === index + 1 && digits.length % 2 === 0 && lineCheck(index + 1, digits) === check;
    if (!isGood) throw damaged(index + 1);
    return Buffer.from(digits, 'hex');
  });
  return Buffer.concat(parts);
}
