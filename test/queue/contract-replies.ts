// SPDX-License-Identifier: AGPL-3.0-or-later
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { CONNECTOR, dice, gate, QUICK, Troubles, until, type OpenTransport } from './subject.ts';

const OTHER = 'ffeeddccbbaa99887766554433221100';

export function replyRows(open: OpenTransport): void {
  it('hands over replies in the order of sending, one at a time', async () => {
    const transport = open(QUICK, new Troubles());
    await using uplink = transport.uplink();
    await using downlink = transport.downlink();
    const random = dice(3);
    const heard: string[] = [];
    let atOnce = 0;
    await uplink.listen(async (reply) => {
      atOnce += 1;
      expect(atOnce).toBe(1);
      await sleep(random() * 3);
      heard.push(reply);
      atOnce -= 1;
    });
    const replies = Array.from({ length: 300 }, (_, index) => `reply ${index}`);
    await Promise.all(replies.map((reply) => downlink.reply(CONNECTOR, reply)));
    await until('all are heard', () => heard.length >= replies.length);
    await sleep(50);
    expect(heard).toEqual(replies);
  });

  it('goes on after a listener that rejects or throws, without a repetition', async () => {
    const troubles = new Troubles();
    const transport = open(QUICK, troubles);
    await using uplink = transport.uplink();
    await using downlink = transport.downlink();
    const heard: string[] = [];
    await uplink.listen((reply) => {
      heard.push(reply);
      if (reply === 'thrown') throw new Error(reply);
      return reply === 'rejected' ? Promise.reject(new RangeError(reply)) : undefined;
    });
    for (const reply of ['thrown', 'rejected', 'good']) await downlink.reply(CONNECTOR, reply);
    await until('the last is heard', () => heard.includes('good'));
    await sleep(50);
    expect(heard).toEqual(['thrown', 'rejected', 'good']);
    expect(troubles.seen).toEqual(['reply Error', 'reply RangeError']);
  });

  it('is not disturbed by replies to one who does not listen, and keeps at most the newest', async () => {
    const transport = open(QUICK, new Troubles());
    await using downlink = transport.downlink();
    const replies = Array.from({ length: 3000 }, (_, index) => `reply ${index}`);
    await Promise.all(replies.map((reply) => downlink.reply(CONNECTOR, reply)));
    await using uplink = transport.uplink();
    const heard: string[] = [];
    await uplink.listen((reply) => void heard.push(reply));
    await downlink.reply(CONNECTOR, 'now');
    await until('a new one is heard', () => heard.includes('now'));
    expect(heard).toEqual([...replies, 'now'].slice(-heard.length));
    expect(heard.length).toBeLessThan(1500);
  });

  it('brings a reply to its own connector only', async () => {
    const transport = open(QUICK, new Troubles());
    await using mine = transport.uplink(CONNECTOR);
    await using others = transport.uplink(OTHER);
    await using downlink = transport.downlink();
    const heard: string[] = [];
    await mine.listen((reply) => void heard.push(`mine ${reply}`));
    await others.listen((reply) => void heard.push(`others ${reply}`));
    await downlink.reply(OTHER, 'one');
    await until('it is heard', () => heard.length === 1);
    await downlink.reply(CONNECTOR, 'two');
    await until('the second is heard', () => heard.length === 2);
    expect(heard).toEqual(['others one', 'mine two']);
  });

  it('does not repeat to the next listener what an earlier one handled', async () => {
    const transport = open(QUICK, new Troubles());
    await using downlink = transport.downlink();
    const heard: string[] = [];
    for (const run of ['first', 'second', 'third']) {
      await using uplink = transport.uplink();
      await uplink.listen((reply) => void heard.push(`${run} ${reply}`));
      await downlink.reply(CONNECTOR, `to ${run}`);
      await until('it is heard', () => heard.some((one) => one.startsWith(run)));
    }
    expect(heard).toEqual(['first to first', 'second to second', 'third to third']);
  });

  it('lets a reply be handled to its end when it closes, and hands over no other', async () => {
    const transport = open(QUICK, new Troubles());
    await using downlink = transport.downlink();
    const uplink = transport.uplink();
    const { passed, open: release } = gate();
    const heard: string[] = [];
    await uplink.listen(async (reply) => {
      heard.push(reply);
      await passed;
      heard.push(`${reply} to its end`);
    });
    await downlink.reply(CONNECTOR, 'one');
    await downlink.reply(CONNECTOR, 'two');
    await until('one is heard', () => heard.length === 1);
    const closed = uplink[Symbol.asyncDispose]();
    release();
    await closed;
    expect(heard).toEqual(['one', 'one to its end']);
    await using next = transport.uplink();
    await next.listen((reply) => void heard.push(`next ${reply}`));
    await until('the next hears the rest', () => heard.length === 3);
    expect(heard[2]).toBe('next two');
  });
}
