// SPDX-License-Identifier: AGPL-3.0-or-later

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text as text, in an element or a quoted attribute. */
export function escaped(text: string): string {
  return text.toWellFormed().replaceAll(/[&<>"']/g, (character) => ENTITIES[character] as string);
}

/** Text of strangers, which must not turn what stands beside it. */
export function isolated(text: string): string {
  return `<bdi>${escaped(text)}</bdi>`;
}
