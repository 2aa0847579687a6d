// SPDX-License-Identifier: AGPL-3.0-or-later

/*
 * How text becomes words: the same for what is indexed and for what is asked. Case, accents, vowel marks of Arabic and Hebrew, width
 * and invisible characters do not count. Scripts written without spaces become overlapping pairs of characters, so that any two or
 * more characters in a row are found as a phrase.
 */

/** More marks on one letter than any script uses; without a limit, normalising a million of them takes for ever. */
const MOST_MARKS = 8;
/** Longer words are cut, on both sides alike. */
const MOST_WORD_CHARACTERS = 64;
/** Stands between texts that do not follow one another, so that no phrase spans them. Nobody can ask for it. */
export const BREAK = '\uE000';

const EXCESS_MARKS = new RegExp(`(\\p{M}{${MOST_MARKS}})\\p{M}+`, 'gu');
const INVISIBLE = /\p{Default_Ignorable_Code_Point}|\uE000/gu;
/** Marks that do not tell words apart: accents of Latin, Greek and Cyrillic, vowels of Hebrew and Arabic, and tatweel. Kana keep theirs. */
const ACCENTS =
  /[[\p{Mn}&&[\p{sc=Zinh}\p{sc=Latn}\p{sc=Grek}\p{sc=Cyrl}\p{sc=Hebr}\p{sc=Arab}]]--[\u3099\u309A]]|\u0640/gv;
const WORD = /[\p{L}\p{N}\p{M}\p{Co}_]+|[\p{So}\p{Sk}]/gu;
const SPACELESS =
  /(?:[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Hang}\p{sc=Thai}\p{sc=Laoo}\p{sc=Khmr}\p{sc=Mymr}\u30FC]\p{M}*)+/gu;
const CHARACTER = /\P{M}\p{M}*/gu;
const HAS_SPACELESS =
  /[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Hang}\p{sc=Thai}\p{sc=Laoo}\p{sc=Khmr}\p{sc=Mymr}\u30FC]/u;
const PLAIN = /^\p{ASCII}*$/u;
const PLAIN_WORD = /[a-z0-9_]+/g;

/** A word of the text; `pairs` holds the characters of a run without spaces, else null. */
interface Piece {
  readonly text: string;
  readonly characters: readonly string[] | null;
}

function fold(text: string): string {
  if (PLAIN.test(text)) return text.toLowerCase();
  const bounded = text.replace(EXCESS_MARKS, '$1').replace(INVISIBLE, '');
  // Up and down again folds what has two letters in one case: ß is ss.
  const cased = bounded.normalize('NFKD').toUpperCase().toLowerCase().normalize('NFKD');
  return cased.replace(ACCENTS, '').normalize('NFC');
}

function* piecesOf(folded: string): Generator<Piece> {
  for (const [word] of folded.matchAll(WORD)) {
    if (!HAS_SPACELESS.test(word)) {
      yield { text: word.slice(0, MOST_WORD_CHARACTERS), characters: null };
      continue;
    }
    let at = 0;
    for (const found of word.matchAll(SPACELESS)) {
      if (found.index > at)
        yield { text: word.slice(at, found.index).slice(0, MOST_WORD_CHARACTERS), characters: null };
      yield { text: found[0], characters: found[0].match(CHARACTER) ?? [found[0]] };
      at = found.index + found[0].length;
    }
    if (at < word.length) yield { text: word.slice(at).slice(0, MOST_WORD_CHARACTERS), characters: null };
  }
}

/** The words of a text as the index holds them. A run without spaces gives its pairs, and its last character alone. */
export function indexWords(text: string): string[] {
  if (PLAIN.test(text)) {
    return (text.toLowerCase().match(PLAIN_WORD) ?? []).map((word) => word.slice(0, MOST_WORD_CHARACTERS));
  }
  const words: string[] = [];
  for (const { text: word, characters } of piecesOf(fold(text))) {
    if (characters === null) words.push(word);
    else words.push(...pairsOf(characters), characters.at(-1) as string);
  }
  return words;
}

/** One asked word, or a phrase: words that follow one another, the last one perhaps only begun. */
export interface AskedWords {
  readonly words: readonly string[];
  readonly isPrefix: boolean;
}

/** What to ask the index for, so that it finds `text` as words in a row. Null if there are no words in it. */
export function askedWords(text: string, isPrefix: boolean): AskedWords | null {
  const pieces = [...piecesOf(fold(text))];
  const words: string[] = [];
  let prefix = isPrefix;
  for (const [index, { text: word, characters }] of pieces.entries()) {
    const isLast = index === pieces.length - 1;
    if (characters === null) words.push(word);
    else if (!isLast) words.push(...pairsOf(characters), characters.at(-1) as string);
    else if (characters.length > 1) words.push(...pairsOf(characters));
    // A single character stands at the beginning of its pair, or alone at the end of a run.
    else words.push(...characters);
    if (isLast && characters !== null) prefix = characters.length === 1;
  }
  return words.length === 0 ? null : { words, isPrefix: prefix };
}

function pairsOf(characters: readonly string[]): string[] {
  return characters.slice(1).map((character, index) => `${characters[index] as string}${character}`);
}

/** A folded form for comparing names and numbers. */
export function foldedName(text: string): string {
  return indexWords(text).join(' ');
}
