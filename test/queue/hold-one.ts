// SPDX-License-Identifier: AGPL-3.0-or-later
// A process that takes a job and never finishes it, until it is killed. Its argument is a `RedisAddress` as JSON.
import { BullmqDownlink } from '../../src/queue/bullmq-downlink.ts';
import type { RedisAddress } from '../../src/queue/redis-connection.ts';

const downlink = new BullmqDownlink({
  redis: JSON.parse(process.argv[2] ?? '') as RedisAddress,
  events: { trouble: (what, code) => console.error(what, code) },
  onBroken: (failure) => console.error(failure.code),
  holdMs: 1000,
});
await downlink.consume((job) => {
  console.log(job);
  return new Promise(() => undefined);
});
