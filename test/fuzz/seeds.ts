// SPDX-License-Identifier: AGPL-3.0-or-later
import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** Inputs that once broke their target, in a folder of its name, each named by its hash. They stay. */
export const SEEDS = new URL('seeds/', import.meta.url);

export function seedsOf(target: string): Buffer[] {
  const folder = new URL(`${target}/`, SEEDS);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .toSorted()
    .map((name) => readFileSync(new URL(name, folder)));
}
