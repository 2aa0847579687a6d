// SPDX-License-Identifier: AGPL-3.0-or-later

import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { Failure } from '../../../src/base/failure.ts';
import { AttachmentSteps } from '../../../src/connectors/signal/attachment-steps.ts';
import type { Work } from '../../../src/connectors/signal/attachment-work.ts';
import { AccountLane } from '../../../src/connectors/signal/lane.ts';
import { accountHead } from '../../../src/connectors/signal/own-records.ts';
import type { HealthReason } from '../../../src/connectors/signal/reasons.ts';
import { Rest } from '../../../src/connectors/signal/rest.ts';
import { HealthBook } from '../../../src/connectors/health.ts';
import { account } from '../../emulators/signal/test-world.ts';
import { RecordedEvents } from '../../support/connector-events.ts';
import { MemorySink } from '../../support/memory-sink.ts';

const native = { chat: 'c', sender: 's', id: '1', kind: 'attachment', revision: '' };
const work: Work = {
  name: 'work/00',
  phase: 'fetch',
  attachment: { place: 'attachment', id: 'a.jpg', contentType: null, fileName: null, size: 4 },
  native,
  head: accountHead(account),
  target: { author: { id: null, number: null }, sentAtMs: 1 },
  addedMs: 1,
  sinceMs: 1,
};

function newLane(sink: MemorySink): AccountLane {
  const events = new RecordedEvents();
  return new AccountLane({
    account,
    sink,
    clock: Date.now,
    events,
    health: new HealthBook<HealthReason>([account], Date.now, events),
    horizonMs: 1,
    retryMs: 1,
    signal: new AbortController().signal,
    onFatal: () => undefined,
    onWork: () => undefined,
    onGroup: () => undefined,
    onPhone: () => undefined,
  });
}

test('a file that the spool fails before it reads any of it keeps no connection', async () => {
  const sink = new MemorySink();
  sink.deliverMedia = () => Promise.reject(new Failure('spool/no-stream', { expected: 'a stream', got: 'none' }));
  const stream = new Readable({ read: () => undefined });
  const rest = new Rest({ api: 'http://127.0.0.1:1', timeoutMs: 1000, retryMs: 1, attachmentIdleMs: 1000 });
  rest.attachment = () => Promise.resolve({ length: 4, contentType: null, stream });
  const options = { mostBytes: 100, missingMs: 1, mismatchMs: 1, giveUpMs: 1, deleteMs: 1 };
  const steps = new AttachmentSteps({ rest, options, clock: Date.now, isWanted: () => false });
  const step = { lane: newLane(sink), work, oddForMs: () => 0 };
  await expect(steps.take(step, new AbortController().signal)).rejects.toThrow('spool/no-stream');
  expect(stream.destroyed).toBe(true);
});
