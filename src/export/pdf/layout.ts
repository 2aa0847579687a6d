// SPDX-License-Identifier: AGPL-3.0-or-later
import bidiFactory from 'bidi-js';
import type { Face, Faces } from './faces.ts';

/** Text in one face and direction, as it is drawn. */
export interface Piece {
  readonly text: string;
  readonly face: Face;
  readonly width: number;
  readonly level: number;
}

/** One line on the page, its pieces from left to right. */
export interface TextLine {
  readonly pieces: readonly Piece[];
  readonly width: number;
  readonly isRightToLeft: boolean;
}

/** What is used of the library, which has no types that say so. */
interface Bidi {
  getEmbeddingLevels(
    text: string,
    direction: 'auto',
  ): { readonly levels: Uint8Array; readonly paragraphs: readonly { readonly level: number }[] };
  getMirroredCharacter(character: string): string | null;
}

const bidi = (bidiFactory as unknown as () => Bidi)();
const words = new Intl.Segmenter('en', { granularity: 'word' });
const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });
/** Nothing but what stands left to right in the first face. */
const SIMPLE = /^[\u0020-\u007E\u00A0-\u024F\u2010-\u2027\u2030-\u205E\u20AC\u2212]*$/;
/** Scripts that are written without blanks: a line may end between their words. */
const BLANKLESS =
  /[\u0E00-\u0EFF\u1000-\u109F\u1780-\u17FF\u3040-\u30FF\u3400-\u9FFF\uF900-\uFAFF\uFF00-\uFFEF\u{20000}-\u{3FFFF}]/u;
/** Marks that say how to show what stands before them, and have no shape. */
const SHAPELESS = /[\u200B-\u200F\u2060-\u2064\p{Variation_Selector}\uFEFF\u{E0000}-\u{E007F}]/u;
const MOST_WIDTHS = 30_000;

/** A token: what stays on one line if it fits, with its place in the text. */
interface Token {
  readonly text: string;
  readonly start: number;
}

/** Breaks text into lines of a width, each character in a face that has it, in the order it is read. Widths are of size 1. */
export class Layout {
  readonly #faces: Faces;
  readonly #widths = new Map<string, number>();

  constructor(faces: Faces) {
    this.#faces = faces;
  }

  /** One paragraph: no line ends in it. {@link Faces.prepare} must have seen it. */
  lines(text: string, mostWidth: number): TextLine[] {
    const shown = withoutGaps(text, this.#faces);
    if (shown === '') return [{ pieces: [], width: 0, isRightToLeft: false }];
    const isSimple = SIMPLE.test(shown);
    const levels = isSimple ? null : bidi.getEmbeddingLevels(shown, 'auto');
    const base = levels?.paragraphs[0]?.level ?? 0;
    const lines: TextLine[] = [];
    let held: Piece[] = [];
    let width = 0;
    const flush = (): void => {
      while (held.length > 0 && held.at(-1)?.text.trim() === '') width -= held.pop()?.width ?? 0;
      lines.push({ pieces: visual(held), width, isRightToLeft: base % 2 === 1 });
      [held, width] = [[], 0];
    };
    for (const token of isSimple ? simpleTokens(shown) : tokens(shown)) {
      for (const fitting of this.#fit(token, mostWidth)) {
        const pieces = this.#pieces(fitting, levels?.levels ?? null);
        const wide = pieces.reduce((sum, piece) => sum + piece.width, 0);
        if (width + wide > mostWidth && width > 0) flush();
        if (held.length === 0 && lines.length > 0 && fitting.text.trim() === '') continue;
        held.push(...pieces);
        width += wide;
      }
    }
    flush();
    return lines;
  }

  /** A token that is wider than a line is cut between characters. */
  #fit(token: Token, mostWidth: number): Token[] {
    if (this.#widthOf(token) <= mostWidth) return [token];
    const parts: Token[] = [];
    let [text, start] = ['', token.start];
    for (const { segment } of graphemes.segment(token.text)) {
      if (text !== '' && this.#widthOf({ text: text + segment, start }) > mostWidth) {
        parts.push({ text, start });
        start += text.length;
        text = '';
      }
      text += segment;
    }
    parts.push({ text, start });
    return parts;
  }

  #widthOf(token: Token): number {
    return this.#pieces(token, null).reduce((sum, { width }) => sum + width, 0);
  }

  #pieces({ text, start }: Token, levels: Uint8Array | null): Piece[] {
    const pieces: Piece[] = [];
    let [run, face, level]: [string, Face | null, number] = ['', null, 0];
    const end = (): void => {
      if (run !== '' && face !== null) pieces.push(this.#piece(run, face, level));
      run = '';
    };
    let at = 0;
    for (const character of text) {
      const point = character.codePointAt(0) ?? 0;
      const nowLevel = levels?.[start + at] ?? 0;
      at += character.length;
      const own = SHAPELESS.test(character) ? face : this.#faces.of(point);
      if (own === null) continue;
      // What both have stays where it is: letters of one word are shaped together.
      const now: Face =
        face !== null && nowLevel === level && isMark(character) && face.font.hasGlyphForCodePoint(point) ? face : own;
      if (now !== face || nowLevel !== level) end();
      [face, level] = [now, nowLevel];
      run += character;
    }
    end();
    return pieces;
  }

  #piece(text: string, face: Face, level: number): Piece {
    const shown = level % 2 === 1 && !RIGHT_TO_LEFT.test(text) ? turned(text) : text;
    const key = `${face.name} ${shown}`;
    let width = this.#widths.get(key);
    if (width === undefined) {
      const { font } = face;
      width = font.layout(shown).advanceWidth / font.unitsPerEm;
      if (this.#widths.size >= MOST_WIDTHS) this.#widths.clear();
      this.#widths.set(key, width);
    }
    return { text: shown, face, width, level };
  }
}

/** Letters that a font turns around by itself. */
const RIGHT_TO_LEFT = /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u;
const isMark = (character: string): boolean => /[\p{M}\p{P}\p{Nd} ]/u.test(character);

/** Signs within text from right to left: in the other order, brackets facing the other way. */
function turned(text: string): string {
  return Array.from(text, (character) => bidi.getMirroredCharacter(character) ?? character)
    .toReversed()
    .join('');
}

/** Characters that no font has are named: nothing is left out unseen. */
function withoutGaps(text: string, faces: Faces): string {
  let shown = '';
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    const isShown = faces.of(point) !== null || SHAPELESS.test(character);
    shown += isShown ? character : `[U+${point.toString(16).toUpperCase().padStart(4, '0')}]`;
  }
  return shown;
}

function simpleTokens(text: string): Token[] {
  const found: Token[] = [];
  for (const { 0: token, index } of text.matchAll(/ +|[^ -]+-*|-+/g)) found.push({ text: token, start: index });
  return found;
}

/** Words of scripts that have no blanks one by one, all other text from blank to blank. */
function tokens(text: string): Token[] {
  const found: { text: string; start: number }[] = [];
  for (const { segment, index } of words.segment(text)) {
    const last = found.at(-1);
    const isJoined =
      last !== undefined &&
      last.text.trim() !== '' &&
      segment.trim() !== '' &&
      !(BLANKLESS.test(last.text) && BLANKLESS.test(segment));
    if (isJoined) last.text += segment;
    else found.push({ text: segment, start: index });
  }
  return found;
}

/** From the order of reading to that from left to right: runs of a level are turned, from the highest to the lowest odd one. */
function visual(pieces: readonly Piece[]): Piece[] {
  const ordered = [...pieces];
  const highest = pieces.reduce((most, { level }) => Math.max(most, level), 0);
  for (let level = highest; level >= 1; level -= 1) {
    for (let from = 0; from < ordered.length; from += 1) {
      if ((ordered[from]?.level ?? 0) < level) continue;
      let end = from;
      while ((ordered[end]?.level ?? 0) >= level) end += 1;
      ordered.splice(from, end - from, ...ordered.slice(from, end).toReversed());
      from = end;
    }
  }
  return ordered;
}
