// SPDX-License-Identifier: AGPL-3.0-or-later

/** Marks on one letter beyond which a terminal draws over its neighbours. */
const MOST_MARKS = 4;
const EXCESS_MARKS = new RegExp(`(\\p{M}{${MOST_MARKS}})\\p{M}+`, 'gu');
const CONTROLS = /[\p{Cc}\u2028\u2029]/gu;
/** What turns the direction of the text around it, or hides in it. Joiners that emoji and scripts need stay. */
const DIRECTIONS = /[\u061C\u200B\u200E\u200F\u202A-\u202E\u2060-\u2069\uFEFF\u{E0000}-\u{E007F}]/gu;

/**
 * Text of strangers, made safe to print: no escape sequences, nothing that reorders or hides what stands beside it, no towers of
 * marks. What was taken out is named in brackets, because it was said.
 */
export function plainLine(text: string): string {
  return text
    .replaceAll(/\r\n|[\n\t]/g, ' ')
    .replace(CONTROLS, named)
    .replace(DIRECTIONS, named)
    .replace(EXCESS_MARKS, '$1[marks]');
}

/** The same, line by line. */
export function plainLines(text: string): string[] {
  return text.split(/\r\n|\n/).map(plainLine);
}

function named(character: string): string {
  return `[U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}]`;
}
