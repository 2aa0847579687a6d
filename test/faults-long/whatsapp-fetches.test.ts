// SPDX-License-Identifier: AGPL-3.0-or-later
import { randomInt } from 'node:crypto';
import { expect, it } from 'vitest';
import { fetchKills } from '../connectors/whatsapp/media/fetch-kills.ts';

const ROUNDS = 60;

it(`killed ${ROUNDS} times while it fetches files and history: all of it is there in the end, once`, async () => {
  const seed = randomInt(2 ** 31);
  console.log(`seed ${seed}`);
  const run = await fetchKills(ROUNDS, seed);
  console.log(JSON.stringify(run));
  const [pictures, past] = [4 * ROUNDS, 500 * ROUNDS];
  expect(run).toEqual({ pictures, past, archived: pictures, twice: 0, archivedPast: past, pastTwice: 0, openGaps: 0 });
});
