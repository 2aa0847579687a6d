// SPDX-License-Identifier: AGPL-3.0-or-later

import { describe, expect, test } from 'vitest';
import { StanzaBook } from '../../../src/connectors/whatsapp/accounting.ts';
import { Awaited } from '../../../src/connectors/whatsapp/awaited.ts';
import { parseConfig } from '../../../src/connectors/whatsapp/config.ts';
import { Fence } from '../../../src/connectors/whatsapp/fence.ts';
import { HealthBook } from '../../../src/connectors/health.ts';
import { NORMALISE } from '../../../src/connectors/whatsapp/index.ts';
import { AccountLane } from '../../../src/connectors/whatsapp/lane.ts';
import { Meaning } from '../../../src/connectors/whatsapp/meaning.ts';
import type { StanzaNode } from '../../../src/connectors/whatsapp/normalise/input.ts';
import { PhoneWatch } from '../../../src/connectors/whatsapp/phone.ts';
import type { HealthReason } from '../../../src/connectors/whatsapp/reasons.ts';
import { Sweeper } from '../../../src/connectors/whatsapp/sweep.ts';
import { RecordedEvents } from '../../support/connector-events.ts';
import { MemorySink } from '../../support/memory-sink.ts';
import { account, bob, number } from './harness.ts';

interface Sweeping {
  readonly sink: MemorySink;
  readonly events: RecordedEvents;
  /** One sweep of a connection that is well, or of one that has just been made. */
  readonly sweep: (fence: Fence) => Promise<void>;
  readonly left: () => unknown[];
}

const LATE_MS = 600_000;

function stanza(id: string): StanzaNode {
  const enc = { tag: 'enc', attrs: { v: '2', type: 'msg' }, content: Buffer.from(id) };
  return {
    tag: 'message',
    attrs: { from: `${bob}@s.whatsapp.net`, id, t: '1795000000', type: 'text' },
    content: [enc],
  };
}

function sweeping(kind: 'swallowed' | 'missed', ids: readonly string[]): Sweeping {
  let nowMs = Date.UTC(2026, 10, 20);
  const clock = (): number => nowMs;
  const sink = new MemorySink(clock);
  const events = new RecordedEvents();
  const health = new HealthBook<HealthReason>([account], clock, events);
  const lane = new AccountLane({ account, sink, clock, events, health, retryMs: 5, onFatal: () => undefined });
  const book = new StanzaBook();
  const awaited = new Awaited();
  const config = parseConfig({});
  const sweeper = new Sweeper({ config, lane, health, awaited, phone: new PhoneWatch(lane, []) });
  const own = { pn: `${number}@s.whatsapp.net`, lid: null };
  const meaning = new Meaning({ lane, normalise: NORMALISE, own: () => own, followUps: [] });
  for (const id of ids) {
    if (kind === 'missed') awaited.expect([stanza(id)]);
    else void book.arrived(stanza(id), [0], nowMs);
  }
  awaited.resume(nowMs);
  nowMs += LATE_MS;
  const sweep = (fence: Fence): Promise<void> =>
    kind === 'missed'
      ? sweeper.missed({ meaning }, fence)
      : sweeper.connected({ book, meaning, drop: () => undefined }, fence);
  const left = (): unknown[] => {
    const next = awaited.overdue(nowMs, 0);
    return [...book.nodes, ...(next === null ? [] : [next])];
  };
  return { sink, events, sweep, left };
}

const missing = ({ sink }: Sweeping): unknown[] => sink.gaps.map(({ cause, native }) => [cause, native?.id]);

describe.each(['swallowed', 'missed'] as const)('of several messages that were %s', (kind) => {
  test('each is a gap, one after the other, and none is left', async () => {
    const sweeper = sweeping(kind, ['A', 'B', 'C']);
    await sweeper.sweep(new Fence(1));
    expect(missing(sweeper)).toEqual(['A', 'B', 'C'].map((id) => ['intake-lost', id]));
    expect([sweeper.events.total('unaccounted'), sweeper.left()]).toEqual([3, []]);
  });

  test('those that were not recorded yet when the connection ended are gaps of the next one', async () => {
    const sweeper = sweeping(kind, ['A', 'B', 'C']);
    const fence = new Fence(1);
    sweeper.sink.obstacle = (captures) => {
      if (captures.some(({ type, native }) => type === 'gap' && native?.id === 'A')) fence.fall();
    };
    await expect(sweeper.sweep(fence)).rejects.toThrow('whatsapp/stopped');
    expect(missing(sweeper)).toEqual([['intake-lost', 'A']]);
    expect(sweeper.left().length).toBeGreaterThan(0);
    await sweeper.sweep(new Fence(2));
    expect(missing(sweeper)).toEqual(['A', 'B', 'C'].map((id) => ['intake-lost', id]));
  });

  test('one that the spool refuses does not keep the others from being gaps', async () => {
    const sweeper = sweeping(kind, ['A', 'B']);
    sweeper.sink.obstacle = (captures) => {
      if (captures.some(({ native }) => native?.id === 'A' && native.kind !== '')) throw new TypeError('no');
    };
    await sweeper.sweep(new Fence(1));
    expect(missing(sweeper)).toContainEqual(['intake-lost', 'B']);
    expect([sweeper.left(), sweeper.events.alarmed('refused-by-spool')]).toEqual([[], true]);
  });
});
