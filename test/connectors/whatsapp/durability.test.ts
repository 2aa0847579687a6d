// SPDX-License-Identifier: AGPL-3.0-or-later

import { describe, expect, test } from 'vitest';
import { bob, number } from './harness.ts';
import { exited, Killable, killRounds } from './kills.ts';

const ROUNDS = 20;

describe('killed at the first line that could store a message (A)', () => {
  const say = async ({ emulator }: Killable): Promise<void> => {
    await emulator.send({ to: number, from: bob, message: { conversation: 'the only one' } });
  };

  test('the stock client has told the server that it is delivered', async () => {
    const world = await Killable.start();
    await say(world);
    await exited(await world.spawn('stock-process.ts'));
    expect(await world.receipted()).toHaveLength(1);
  });

  test.each(['before-commit', 'after-commit'] as const)('the archive has it in the end, once: %s', async (moment) => {
    const world = await Killable.start();
    await say(world);
    await exited(await world.spawn('capture-process.ts', moment));
    expect(await world.receipted()).toEqual([]);
    const again = await world.spawn('capture-process.ts');
    await world.emulator.drained(number);
    await exited(again, 'SIGTERM');
    const receipted = await world.receipted();
    expect(receipted).toHaveLength(1);
    expect([...(await world.archived())]).toEqual(receipted.map((hash) => [hash, 1]));
  });
});

test('a rejection that nobody handles ends the process, says so without a word of content, and costs no message', async () => {
  const world = await Killable.start();
  await world.emulator.send({ to: number, from: bob, message: { conversation: 'the secret text' } });
  const rejecting = await world.spawn('rejecting-process.ts');
  await exited(rejecting);
  expect(rejecting.exitCode === 1 || rejecting.signalCode === 'SIGKILL').toBe(true);
  const printed = world.printed.join('');
  expect(printed).toContain('"role.fatal"');
  expect([printed.includes('the secret text'), printed.includes('what Bob wrote'), printed.includes(bob)]).toEqual([
    false,
    false,
    false,
  ]);
  await world.emulator.send({ to: number, from: bob, message: { conversation: 'after it' } });
  const again = await world.spawn('capture-process.ts');
  await world.emulator.drained(number);
  await exited(again, 'SIGTERM');
  const book = await world.emulator.book(number);
  const hashes = book.flatMap(({ plaintextSha256 }) => plaintextSha256);
  expect(await world.archived()).toEqual(new Map(hashes.map((hash) => [hash, 1])));
});

test('prints nothing of sessions and keys, however often sessions are opened and closed', async () => {
  const world = await Killable.start();
  const child = await world.spawn('capture-process.ts');
  await world.emulator.send({ to: number, from: bob, message: { conversation: 'first' } });
  const { id } = await world.emulator.send({
    to: number,
    from: bob,
    message: { conversation: 'again' },
    corrupt: true,
  });
  // The sender begins a new session, for which the old one is closed.
  await expect
    .poll(
      async () => (await world.emulator.book(number)).filter((entry) => entry.id === id).map(({ state }) => state),
      {
        timeout: 20_000,
      },
    )
    .toContain('receipted');
  await exited(child, 'SIGTERM');
  expect(world.printed.join('')).toBe('ready\n');
});

test(`killed ${ROUNDS} times under 50 messages a second, it lacks nothing it receipted, and has nothing twice`, async () => {
  const seed = Date.now() % 2 ** 31;
  console.log(`seed ${seed}`);
  const run = await killRounds(ROUNDS, seed);
  console.log(JSON.stringify(run));
  expect(run).toMatchObject({ missing: 0, twice: 0, undelivered: 0, refused: 0 });
  expect(run.killedWhileCapturing).toBeGreaterThan(ROUNDS / 4);
}, 300_000);
