// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';
import { constants, inflateRawSync, inflateSync, zstdDecompressSync } from 'node:zlib';

/** Longer values are looked for by their two ends, so that a part of one is found too. */
const PIECE = 12;
const MOST_INFLATED = 16 * 1024 * 1024;
const MOST_LAYERS = 2;
const HASHES = ['sha256', 'sha1', 'md5'] as const;

interface Needle {
  readonly bytes: Buffer;
  readonly name: string;
}

/** Looks for values in bytes: in every encoding somebody might write them in, and inside what is compressed. */
export class Needles {
  readonly longest: number;
  /** First two bytes of any needle. */
  readonly #starts = new Uint8Array(2 ** 16);
  readonly #byStart = new Map<number, Needle[]>();

  constructor(values: Readonly<Record<string, string | Buffer>>) {
    const needles = Object.entries(values).flatMap(([name, value]) => needlesOf(name, value));
    this.longest = Math.max(...needles.map(({ bytes }) => bytes.length));
    for (const needle of needles) {
      const start = needle.bytes.readUInt32BE();
      this.#starts[start >>> 16] = 1;
      this.#byStart.set(start, [...(this.#byStart.get(start) ?? []), needle]);
    }
  }

  /** Names of what was found, with the encoding. */
  find(bytes: Buffer): Set<string> {
    const found = this.#plain(bytes);
    for (const inflated of inflatedParts(bytes, MOST_LAYERS)) {
      for (const name of this.#plain(inflated)) found.add(`${name}, compressed`);
    }
    return found;
  }

  #plain(bytes: Buffer): Set<string> {
    const found = new Set<string>();
    const starts = this.#starts;
    for (let at = 0, pair = bytes[0] ?? 0; at + 4 <= bytes.length; at += 1) {
      pair = ((pair << 8) | (bytes[at + 1] as number)) & 0xffff;
      if (starts[pair] === 0) continue;
      for (const { bytes: needle, name } of this.#byStart.get(bytes.readUInt32BE(at)) ?? []) {
        if (needle.equals(bytes.subarray(at, at + needle.length))) found.add(name);
      }
    }
    return found;
  }
}

function needlesOf(name: string, value: string | Buffer): Needle[] {
  const whole = Buffer.from(value);
  const pieces = whole.length >= 2 * PIECE ? [whole.subarray(0, PIECE), whole.subarray(-PIECE)] : [whole];
  const encoded = pieces.flatMap((piece) => Object.entries(encodings(piece)));
  const hashed = HASHES.flatMap((algorithm) => {
    const digest = createHash(algorithm).update(whole).digest();
    const forms = { raw: digest, hex: digest.toString('hex'), base64: digest.toString('base64').replace(/=+$/, '') };
    return Object.entries(forms).map(([form, bytes]): [string, Buffer] => [
      `${algorithm}, ${form}`,
      Buffer.from(bytes),
    ]);
  });
  return [...encoded, ...hashed].map(([encoding, bytes]) => ({ bytes, name: `${name} (${encoding})` }));
}

function encodings(piece: Buffer): Record<string, Buffer> {
  const text = piece.toString('latin1');
  const each = (form: (byte: number) => string): Buffer => Buffer.from([...piece].map(form).join(''));
  const hex = (byte: number): string => byte.toString(16).padStart(2, '0');
  const forms: Record<string, Buffer> = {
    'UTF-8': piece,
    'UTF-16LE': Buffer.from(text, 'utf16le'),
    'UTF-16BE': Buffer.from(text, 'utf16le').swap16(),
    hex: each(hex),
    HEX: each((byte) => hex(byte).toUpperCase()),
    JSON: each((byte) => `\\u00${hex(byte)}`),
    percent: each((byte) => `%${hex(byte).toUpperCase()}`),
    // Signs only, as a URL would have them.
    URL: Buffer.from(encodeURIComponent(text)),
  };
  for (const align of [0, 1, 2]) {
    forms[`base64 +${align}`] = Buffer.from(innerBase64(piece, align, 'base64'));
    forms[`base64url +${align}`] = Buffer.from(innerBase64(piece, align, 'base64url'));
  }
  return forms;
}

/** What base64 makes of bytes that begin `align` bytes into a group, without the signs that depend on their neighbours. */
function innerBase64(piece: Buffer, align: number, encoding: 'base64' | 'base64url'): string {
  const text = Buffer.concat([Buffer.alloc(align), piece]).toString(encoding);
  const first = [0, 2, 3][align] as number;
  const last = Math.floor(((align + piece.length) * 8) / 6);
  return text.slice(first, last);
}

const ZSTD = Buffer.from('28b52ffd', 'hex');
const GZIP = Buffer.from('1f8b08', 'hex');
const ZLIB = ['7801', '785e', '789c', '78da'].map((hex) => Buffer.from(hex, 'hex'));

/** Everything in the bytes that begins as something compressed does, and can be inflated, as far as it goes. */
function* inflatedParts(bytes: Buffer, layers: number): Generator<Buffer> {
  const options = { maxOutputLength: MOST_INFLATED, finishFlush: constants.Z_SYNC_FLUSH };
  const ways: [Buffer, (part: Buffer) => Buffer][] = [
    [ZSTD, (part) => zstdDecompressSync(part.subarray(0, zstdLength(part)), { maxOutputLength: MOST_INFLATED })],
    // Without its head: what follows a gzip file would otherwise be an error.
    [GZIP, (part) => inflateRawSync(part.subarray(gzipHeadLength(part)), options)],
    ...ZLIB.map((magic): [Buffer, (part: Buffer) => Buffer] => [magic, (part) => inflateSync(part, options)]),
  ];
  for (const [magic, inflate] of ways) {
    for (let at = bytes.indexOf(magic); at >= 0; at = bytes.indexOf(magic, at + 1)) {
      const inflated = attempt(() => inflate(bytes.subarray(at, at + MOST_INFLATED)));
      if (inflated === null || inflated.length < PIECE) continue;
      yield inflated;
      if (layers > 1) yield* inflatedParts(inflated, layers - 1);
    }
  }
}

function attempt(work: () => Buffer): Buffer | null {
  try {
    return work();
  } catch {
    return null;
  }
}

/** Length of one zstd frame (RFC 8878, 3.1.1): what follows it would be taken for another frame. */
function zstdLength(bytes: Buffer): number {
  const descriptor = bytes.readUInt8(ZSTD.length);
  const isSingle = (descriptor & 0x20) !== 0;
  const dictionary = [0, 1, 2, 4][descriptor & 3] as number;
  const size = [isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6] as number;
  let at = ZSTD.length + 1 + (isSingle ? 0 : 1) + dictionary + size;
  for (let isLast = false; !isLast;) {
    const header = bytes.readUIntLE(at, 3);
    isLast = (header & 1) === 1;
    at += 3 + (((header >> 1) & 3) === 1 ? 1 : header >> 3);
  }
  return at + ((descriptor & 4) === 0 ? 0 : 4);
}

/** Length of the head of a gzip file (RFC 1952, 2.3). */
function gzipHeadLength(bytes: Buffer): number {
  const flags = bytes.readUInt8(3);
  let at = 10 + ((flags & 4) === 0 ? 0 : 2 + bytes.readUInt16LE(10));
  for (const text of [8, 16]) if ((flags & text) !== 0) at = bytes.indexOf(0, at) + 1;
  return at + ((flags & 2) === 0 ? 0 : 2);
}
