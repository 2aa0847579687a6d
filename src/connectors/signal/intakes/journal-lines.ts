// SPDX-License-Identifier: AGPL-3.0-or-later
import { decodeText, fields, parseJson, text } from '../json.ts';
import { endOfValue } from '../slice.ts';

/** What one line of out.log turned out to be. A line may hold several things where a crash or a rotation tore it. */
export type LinePiece =
  | { readonly is: 'message'; readonly raw: Uint8Array; readonly account: string | null }
  /** A piece of a message that is no JSON: the rest of it is nowhere. */
  | { readonly is: 'fragment'; readonly raw: Uint8Array }
  | { readonly is: 'daemon-start' }
  | { readonly is: 'noise' };

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const OBJECT = 0x7b;
/** How signal-cli begins a message: nothing else in the log looks like it. */
const BEGINNINGS = ['{"envelope":', '{"exception":'].map((start) => Buffer.from(start));
const DAEMON_START = /^INFO\s+DaemonCommand - Starting/;
const NOISE: LinePiece = { is: 'noise' };

/** Cuts bytes into lines. Holds what has no end yet, up to a limit; a longer line is skipped and counted. */
export class LineSplitter {
  readonly #mostBytes: number;
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #skipping = false;

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** Bytes of the line that has no end yet. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Complete lines without their newline, each with the position behind it in `piece`. `null`: a line that was too long. */
  *feed(piece: Uint8Array): Generator<{ readonly line: Uint8Array | null; readonly end: number }> {
    let start = 0;
    for (let at = piece.indexOf(NEWLINE); at >= 0; at = piece.indexOf(NEWLINE, start)) {
      const line = this.#take(piece.subarray(start, at));
      start = at + 1;
      yield { line, end: start };
    }
    this.#hold(piece.subarray(start));
  }

  #take(last: Uint8Array): Uint8Array | null {
    this.#hold(last);
    const line = this.#skipping ? null : Buffer.concat(this.#held);
    this.#held = [];
    this.#heldBytes = 0;
    this.#skipping = false;
    return line;
  }

  #hold(piece: Uint8Array): void {
    this.#heldBytes += piece.length;
    if (this.#heldBytes > this.#mostBytes) {
      this.#skipping = true;
      this.#held = [];
    } else if (piece.length > 0) this.#held.push(Buffer.from(piece));
  }
}

/** Tells messages from log lines, and finds the messages in lines that were glued or torn. */
export function readLine(line: Uint8Array): LinePiece[] {
  const trimmed = line.at(-1) === RETURN ? line.subarray(0, -1) : line;
  const start = trimmed[0] === OBJECT ? 0 : beginningAfter(trimmed, 0);
  if (start < 0) return [isDaemonStart(trimmed) ? { is: 'daemon-start' } : NOISE];
  const pieces: LinePiece[] = start === 0 ? [] : [NOISE];
  for (let at = start; at < trimmed.length && at >= 0;) {
    const whole = trimmed.subarray(at, endOfValue(trimmed, at));
    const message = asMessage(whole);
    if (message !== null) {
      pieces.push(message);
      at = beginningAfter(trimmed, at + whole.length);
      continue;
    }
    const next = beginningAfter(trimmed, at + 1);
    pieces.push({ is: 'fragment', raw: trimmed.subarray(at, next < 0 ? trimmed.length : next) });
    at = next;
  }
  return pieces;
}

function asMessage(raw: Uint8Array): LinePiece | null {
  try {
    const wrapper = fields(parseJson(decodeText(raw)));
    return wrapper === null ? null : { is: 'message', raw, account: text(wrapper['account']) };
  } catch {
    return null;
  }
}

function beginningAfter(line: Uint8Array, from: number): number {
  const bytes = Buffer.from(line.buffer, line.byteOffset, line.byteLength);
  const found = BEGINNINGS.map((start) => bytes.indexOf(start, from)).filter((at) => at >= 0);
  return found.length === 0 ? -1 : Math.min(...found);
}

function isDaemonStart(line: Uint8Array): boolean {
  return line.length < 200 && DAEMON_START.test(decodeText(line));
}
