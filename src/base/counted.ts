// SPDX-License-Identifier: AGPL-3.0-or-later

/** A count with its noun, as people write it: "1 hit", "2 hits", "3 copies". */
export function countOf(count: number, what: string, several = `${what}s`): string {
  return `${count} ${count === 1 ? what : several}`;
}
