// SPDX-License-Identifier: AGPL-3.0-or-later
import { closeSync, existsSync, openSync, readFileSync, readSync } from 'node:fs';

const MASK = 0x5a;
const WINDOW_BYTES = 1 << 20;

/** True where the system shows a process its own memory. */
export const CAN_READ_MEMORY = existsSync('/proc/self/mem');

/** Bytes to look for, so written that this copy is not found itself. */
export function masked(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.map((byte) => byte ^ MASK));
}

/** How often the bytes lie in the writable memory of this process. */
export function findInMemory(needle: Buffer): number {
  const memory = openSync('/proc/self/mem', 'r');
  const window = Buffer.alloc(WINDOW_BYTES);
  let found = 0;
  for (const [from, to] of writableRanges()) {
    for (let at = from; at < to; at += WINDOW_BYTES - needle.length) {
      const length = readSome(memory, window, at, to);
      if (length > needle.length) found += countIn(window.subarray(0, length), needle);
      // No copy of what was found stays behind in the window.
      window.fill(0);
    }
  }
  closeSync(memory);
  return found;
}

function writableRanges(): [number, number][] {
  return readFileSync('/proc/self/maps', 'latin1')
    .split('\n')
    .filter((line) => / rw/.test(line) && !/\[v/.test(line))
    .map(
      (line) =>
        line
          .split(/[- ]/)
          .slice(0, 2)
          .map((part) => Number.parseInt(part, 16)) as [number, number],
    );
}

function readSome(memory: number, window: Buffer, at: number, to: number): number {
  try {
    return readSync(memory, window, 0, Math.min(window.length, to - at), at);
  } catch {
    // Pages that went away meanwhile.
    return 0;
  }
}

function countIn(window: Buffer, needle: Buffer): number {
  const first = Buffer.of((needle[0] as number) ^ MASK, (needle[1] as number) ^ MASK);
  let found = 0;
  for (let at = window.indexOf(first); at >= 0; at = window.indexOf(first, at + 1)) {
    if (at + needle.length <= window.length && needle.every((byte, index) => window[at + index] === (byte ^ MASK)))
      found += 1;
  }
  return found;
}
