// SPDX-License-Identifier: AGPL-3.0-or-later
import { wantedWords, type QueryNode } from './query.ts';
import { indexWords, type AskedWords } from './words.ts';

/** A stretch of a snippet; `hit` if it is what was asked for. */
export interface SnippetPart {
  readonly text: string;
  readonly hit: boolean;
}

const CHARACTERS = 160;
const BEFORE_HIT = 60;
/** A text is looked through this far; what is found behind it is shown from the beginning. */
const LOOKED_AT = 20_000;
const WORDLIKE = /[\p{L}\p{N}\p{M}\p{Co}_]+|[\p{So}\p{Sk}]/gu;

interface Stretch {
  readonly from: number;
  readonly to: number;
  readonly words: readonly string[];
}

/** The part of a text around the first thing asked for, with everything asked for marked. Line ends become spaces. */
export function snippetOf(text: string, root: QueryNode | null): SnippetPart[] {
  const wanted = wantedWords(root);
  const looked = text.slice(0, LOOKED_AT);
  const stretches = [...looked.matchAll(WORDLIKE)].map((match): Stretch => {
    return { from: match.index, to: match.index + match[0].length, words: indexWords(match[0]) };
  });
  const ranges = merged(wanted.flatMap((asked) => rangesOf(stretches, asked)));
  const start = Math.max(0, (ranges[0]?.from ?? 0) - BEFORE_HIT);
  const end = Math.min(text.length, start + CHARACTERS);
  const parts: SnippetPart[] = [];
  let at = wholeFrom(text, start);
  const push = (to: number, hit: boolean): void => {
    if (to > at) parts.push({ text: text.slice(at, to).replaceAll(/\s+/g, ' '), hit });
    at = Math.max(at, to);
  };
  if (at > 0) parts.push({ text: '… ', hit: false });
  for (const { from, to } of ranges) {
    if (from >= end) break;
    push(from, false);
    push(to, true);
  }
  push(wholeFrom(text, end), false);
  if (at < text.length) parts.push({ text: ' …', hit: false });
  return parts;
}

/** Where the asked words follow one another: over words and runs of characters alike. */
function rangesOf(stretches: readonly Stretch[], { words, isPrefix }: AskedWords): { from: number; to: number }[] {
  const flat = stretches.flatMap(({ from, to, words: own }) => own.map((word) => ({ from, to, word })));
  const found: { from: number; to: number }[] = [];
  for (let at = 0; at + words.length <= flat.length; at += 1) {
    const matches = words.every((word, index) => {
      const here = flat[at + index]?.word ?? '';
      return isPrefix && index === words.length - 1 ? here.startsWith(word) : here === word;
    });
    if (matches) found.push({ from: flat[at]?.from ?? 0, to: flat[at + words.length - 1]?.to ?? 0 });
  }
  return found;
}

function merged(ranges: readonly { from: number; to: number }[]): { from: number; to: number }[] {
  const result: { from: number; to: number }[] = [];
  for (const range of ranges.toSorted((a, b) => a.from - b.from || a.to - b.to)) {
    const last = result.at(-1);
    if (last !== undefined && range.from <= last.to) last.to = Math.max(last.to, range.to);
    else result.push({ ...range });
  }
  return result;
}

/** Not between the two halves of one character. */
function wholeFrom(text: string, at: number): number {
  const code = text.charCodeAt(at);
  return at > 0 && code >= 0xdc00 && code <= 0xdfff ? at - 1 : at;
}
