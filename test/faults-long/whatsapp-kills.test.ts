// SPDX-License-Identifier: AGPL-3.0-or-later

import { expect, test } from 'vitest';
import { killRounds } from '../connectors/whatsapp/kills.ts';

const ROUNDS = 500;

test(`WhatsApp: killed ${ROUNDS} times under 50 messages a second, it lacks nothing it receipted, and has nothing twice`, async () => {
  const seed = Date.now() % 2 ** 31;
  console.log(`seed ${seed}`);
  const run = await killRounds(ROUNDS, seed, (done, sent) => {
    if (done % 25 === 0) console.log(`${done} kills, ${sent} messages`);
  });
  console.log(JSON.stringify(run));
  expect(run).toMatchObject({ missing: 0, twice: 0, undelivered: 0, refused: 0 });
  expect(run.killedWhileCapturing).toBeGreaterThan(ROUNDS / 4);
}, 7_200_000);
