// SPDX-License-Identifier: AGPL-3.0-or-later
import decodeQR from 'qr/decode.js';

/** Pixels a module is drawn with: what a camera sees. */
const SCALE = 4;
const LIGHT = '47m  ';
const END_OF_MODULE = '\u001B[0m';

/** What a phone reads from the QR code that a terminal shows; null if there is none. */
export function scanTerminal(printed: string): string | null {
  const rows = printed
    .split('\n')
    .map((line) => line.split(END_OF_MODULE).slice(0, -1))
    .filter((cells) => cells.length > 0 && cells.every((cell) => /4[07]m {2}$/.test(cell)))
    .map((cells) => cells.map((cell) => cell.endsWith(LIGHT)));
  const modules = rows.at(-1)?.length ?? 0;
  if (modules === 0) return null;
  // A fresh code follows an expired one: the phone looks at the last.
  const code = rows.slice(-modules);
  const size = modules * SCALE;
  const data = new Uint8ClampedArray(size * size * 4).fill(255);
  for (let y = 0; y < size; y += 1) {
    for (let x = 0; x < size; x += 1) {
      const isLight = code[Math.floor(y / SCALE)]?.[Math.floor(x / SCALE)] ?? true;
      data.fill(isLight ? 255 : 0, (y * size + x) * 4, (y * size + x) * 4 + 3);
    }
  }
  return decodeQR({ width: size, height: size, data }, { timeLimit: 5000 });
}
