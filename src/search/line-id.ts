// SPDX-License-Identifier: AGPL-3.0-or-later

/** Ids of lines are time: this many lines may share one second. */
export const LINES_A_SECOND = 16_384;

export function firstIdOf(timeMs: number): number {
  return Math.floor(timeMs / 1000) * LINES_A_SECOND;
}

export function idToMs(id: number): number {
  return Math.floor(id / LINES_A_SECOND) * 1000;
}
