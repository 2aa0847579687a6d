// SPDX-License-Identifier: AGPL-3.0-or-later

/** ContentInfo, its [0], SignedData, its content's [0], the octets, TSTInfo, the time: which element it is of the one before. */
const TIME_PATH = [0, 1, 0, 2, 1, 0, 0, 4];
const GENERALIZED_TIME = 0x18;
const MONTHS = 'JanFebMarAprMayJunJulAugSepOctNovDec';

/**
 * The time that an RFC 3161 token states, as `openssl ts` prints it; null for bytes that are none. It is what the token says: whether an
 * authority signed that is checked elsewhere.
 */
export function statedTime(token: Uint8Array): string | null {
  let found: Element | undefined = { tag: 0, bytes: Buffer.from(token) };
  for (const index of TIME_PATH) found = found === undefined ? undefined : elementsOf(found.bytes)[index];
  if (found?.tag !== GENERALIZED_TIME) return null;
  const text = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\.\d{1,9})?Z$/.exec(found.bytes.toString('latin1'));
  if (text === null) return null;
  const [, year, month, day, hours, minutes, seconds, fraction = ''] = text;
  const name = MONTHS.slice(3 * (Number(month) - 1), 3 * Number(month));
  return `${name} ${String(Number(day)).padStart(2)} ${hours}:${minutes}:${seconds}${fraction} ${year} GMT`;
}

interface Element {
  readonly tag: number;
  readonly bytes: Buffer;
}

/** DER elements that stand side by side, as far as they are whole. */
function elementsOf(bytes: Buffer): Element[] {
  const found: Element[] = [];
  for (let at = 0; at + 2 <= bytes.length;) {
    const [tag, short] = [bytes[at] as number, bytes[at + 1] as number];
    const extra = short < 0x80 ? 0 : short & 0x7f;
    if (short === 0x80 || extra > 4 || at + 2 + extra > bytes.length) break;
    const begin = at + 2 + extra;
    const end = begin + (extra === 0 ? short : bytes.readUIntBE(at + 2, extra));
    if (end > bytes.length) break;
    found.push({ tag, bytes: bytes.subarray(begin, end) });
    at = end;
  }
  return found;
}
