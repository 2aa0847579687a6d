// SPDX-License-Identifier: AGPL-3.0-or-later
import { randomBytes } from 'node:crypto';
import { writeSync } from 'node:fs';
import { codeOf } from '../../src/base/failure.ts';
import { Spool } from '../../src/spool/spool.ts';
import { WatermarkGate, WATERMARKS } from '../../src/spool/watermark.ts';
import { CONNECTOR, ORIGIN } from '../vectors/keys.ts';
import { attachment, CLASS, LOG_KEY, MANIFEST, message, secret, START_MS } from './spool-parts.ts';

// A program for tests to kill: delivers with many in flight and says on its output what was acknowledged, at once.
// Arguments: directory, prefix of the ids, how many to deliver, how many in flight, every how manieth an attachment (0: none).

const [directory = '', prefix = '', count = '0', flights = '64', every = '0'] = process.argv.slice(2);

/** In one write, so that a kill leaves whole lines. */
const say = (line: string): void => void writeSync(1, `${line}\n`);

const spool = await Spool.open({
  directory,
  origin: ORIGIN,
  manifest: MANIFEST,
  logKey: LOG_KEY,
  signingKey: CONNECTOR.privateKey,
  hostKey: secret('host'),
  deploymentKey: secret('deployment'),
  clock: () => START_MS,
  gate: () =>
    new WatermarkGate(
      async () => ({ used: 1, total: 10 }),
      WATERMARKS,
      () => undefined,
    ),
  onFatal: ({ code }) => say(`fatal ${code}`),
  events: { doubtful: (what, number) => say(`found ${what} ${number}`) },
});
const sink = spool.account('signal', 'first', CLASS);
const { acct } = sink;
if (spool.currentStream(acct) === undefined)
  await spool.openStream({ acct, app: 'signal', role: 'account', last: null, lastGen: 0 });
say('ready');

let next = 0;
await Promise.all(
  Array.from({ length: Number(flights) }, async () => {
    while (next < Number(count)) {
      const number = next;
      next += 1;
      const id = `${prefix}-${number}`;
      const isMedia = Number(every) > 0 && number % Number(every) === Number(every) - 1;
      try {
        const session = [{ name: 'newest', value: Buffer.from(id) }];
        const delivered = isMedia
          ? await sink.deliverMedia(attachment(id, randomBytes(30_000)))
          : (await sink.deliver([message(id)], session))[0];
        say(`acknowledged ${id} ${delivered?.seq}`);
      } catch (error) {
        say(`rejected ${id} ${codeOf(error)}`);
        if (codeOf(error) === 'spool/commit') return;
      }
    }
  }),
);
say('done');
