// SPDX-License-Identifier: AGPL-3.0-or-later
import { randomInt } from 'node:crypto';
import { expect, it } from 'vitest';
import { fetchKills } from './fetch-kills.ts';

const ROUNDS = 5;

it('killed while it fetches files and history: all of it is there in the end, once', async () => {
  const seed = randomInt(2 ** 31);
  console.log(`seed ${seed}`);
  const run = await fetchKills(ROUNDS, seed);
  const [pictures, past] = [4 * ROUNDS, 500 * ROUNDS];
  expect(run).toEqual({ pictures, past, archived: pictures, twice: 0, archivedPast: past, pastTwice: 0, openGaps: 0 });
});
