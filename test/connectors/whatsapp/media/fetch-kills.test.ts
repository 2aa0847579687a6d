// SPDX-License-Identifier: AGPL-3.0-or-later
import { randomInt } from 'node:crypto';
import { expect, it } from 'vitest';
import { fetchKills } from './fetch-kills.ts';

it('killed while it fetches files and history: all of it is there in the end, once', async () => {
  const seed = randomInt(2 ** 31);
  console.log(`seed ${seed}`);
  const run = await fetchKills(5, seed);
  expect(run).toEqual({
    pictures: 24,
    past: 3000,
    archived: 24,
    twice: 0,
    archivedPast: 2500,
    pastTwice: 0,
    openGaps: 0,
  });
});
