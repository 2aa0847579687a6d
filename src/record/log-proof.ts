// SPDX-License-Identifier: Apache-2.0
import { FormatError } from './format-error.ts';
import { HASH_BYTES, leafHash, type Hash } from './hash.ts';
import { rangeLevels, RangeBuilder, rootOf, type CompactRange } from './merkle.ts';
import { isOrigin } from './origin.ts';

/*
 * One proof for many entries: the whole log from left to right, each shown entry as its line, and all between two of them as the hashes
 * of the greatest complete subtrees that cover it. It is read line by line, and folds to the root.
 */

const MAGIC = 'holdfast log proof v1';
const MAX_LEVEL = 52;
const ENTRY = /^(0|[1-9]\d{0,15}) (\{[ -~]{0,4094}\})$/;
const SUBTREE = /^(0|[1-9]\d{0,15}) (0|[1-9]\d?) ([A-Za-z0-9+/]{43}=)$/;

/** Longer than any line of such a file. */
export const MAX_LOG_PROOF_LINE = 5000;

export interface ShownEntry {
  readonly leaf: number;
  readonly line: string;
  readonly id: Hash;
}

/** The lines that such a file begins with. */
export function logProofHead(origin: string, size: number): string {
  return `${MAGIC}\n${origin}\n${size}\n`;
}

export function entryLine(leaf: number, entry: string): string {
  return `${leaf} ${entry}\n`;
}

/** Of entries that are not shown. */
export function subtreeLines({ begin, end, hashes }: CompactRange): string {
  let at = begin;
  const lines = rangeLevels(begin, end).map((level, index) => {
    const line = `${at} ${level} ${(hashes[index] as Hash).toString('base64')}\n`;
    at += 2 ** level;
    return line;
  });
  return lines.join('');
}

/** Takes in such a file, a line at a time without its line end. What is shown is proven only when all is in, and {@link root} is the log's. */
export class LogProof {
  readonly #tree = new RangeBuilder(0);
  #lines = 0;
  #origin = '';
  #size = 0;

  /** The entry that the line shows; null for another line. Throws `format/log-proof`. */
  take(line: string): ShownEntry | null {
    this.#lines += 1;
    if (this.#lines <= 3) {
      this.#takeHead(line);
      return null;
    }
    const entry = ENTRY.exec(line);
    if (entry === null) {
      this.#takeSubtree(line);
      return null;
    }
    const leaf = Number(entry[1]);
    this.#assertNext(leaf, 1);
    const text = entry[2] as string;
    const id = leafHash(Buffer.from(text, 'latin1'));
    this.#tree.appendLeaf(id);
    return { leaf, line: text, id };
  }

  #takeHead(line: string): void {
    if (this.#lines === 1 && line !== MAGIC) throw malformed(`a first line "${MAGIC}"`, 'another');
    if (this.#lines === 2) {
      if (!isOrigin(line)) throw malformed('the name of a log', 'another line');
      this.#origin = line;
    }
    if (this.#lines < 3) return;
    if (!/^[1-9]\d{0,15}$/.test(line) || !Number.isSafeInteger(Number(line))) throw malformed('a size', 'another line');
    this.#size = Number(line);
  }

  #takeSubtree(line: string): void {
    const [, first, level, base64 = ''] = SUBTREE.exec(line) ?? [];
    if (first === undefined || Number(level) > MAX_LEVEL) throw malformed('an entry or a subtree', 'another line');
    const hash = Buffer.from(base64, 'base64');
    if (hash.length !== HASH_BYTES || hash.toString('base64') !== base64) throw malformed('a hash', 'another spelling');
    const count = 2 ** Number(level);
    this.#assertNext(Number(first), count);
    if (Number(first) % count !== 0) throw malformed('a complete subtree', 'one that begins elsewhere');
    this.#tree.append({ begin: Number(first), end: Number(first) + count, hashes: [hash] });
  }

  #assertNext(first: number, count: number): void {
    const { end } = this.#tree;
    if (first !== end) throw malformed(`leaf ${end}`, `leaf ${first}`);
    if (first + count > this.#size) throw malformed(`${this.#size} leaves`, 'more');
  }

  get origin(): string {
    return this.#origin;
  }

  get size(): number {
    return this.#size;
  }

  /** Once all lines are in. Throws `format/log-proof`. */
  get root(): Hash {
    if (this.#lines < 3 || this.#tree.end !== this.#size)
      throw malformed(`${this.#size} leaves`, String(this.#tree.end));
    return rootOf(this.#tree.range());
  }
}

function malformed(expected: string, got: string): FormatError {
  return new FormatError('format/log-proof', expected, got);
}
