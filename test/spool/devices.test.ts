// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import { temporaryDirectory, until } from '../support/spool-kit.ts';
import { message, SECOND_CONNECTOR } from '../support/spool-parts.ts';
import { newFar, ShippingKit, type Far } from '../support/shipping-kit.ts';
import { CONNECTOR } from '../vectors/keys.ts';

const drained = (of: ShippingKit): Promise<void> => until('all is archived', () => of.spool.backlog() === 0);
const openings = ({ log }: Far) => log.all().flatMap(({ entry }) => (entry.t === 'open' ? [entry] : []));
const tags = ({ log }: Far): string[] => log.all().flatMap(({ entry }) => (entry.t === 'content' ? [entry.tag] : []));

async function started(far: Far, pair: typeof CONNECTOR, device?: string): Promise<ShippingKit> {
  const options = { pair, ...(device === undefined ? {} : { device }) };
  return await ShippingKit.start(far, temporaryDirectory(), ['first'], options);
}

describe('two devices of one account on two hosts', () => {
  it('archive side by side, and show the same messages to be the same', async () => {
    const far = newFar();
    await using one = await started(far, CONNECTOR, 'north');
    await using two = await started(far, SECOND_CONNECTOR, 'south');
    for (const id of ['a', 'b', 'c']) {
      await one.sink.deliver([message(id)]);
      await two.sink.deliver([message(id)]);
    }
    await Promise.all([drained(one), drained(two)]);
    const [first, second] = openings(far);
    expect(openings(far)).toHaveLength(2);
    expect(first?.acct).not.toBe(second?.acct);
    expect(openings(far).every((opening) => opening.last === undefined)).toBe(true);
    expect(tags(far)).toHaveLength(6);
    expect(new Set(tags(far)).size).toBe(3);
    expect([one.kit.fatal, two.kit.fatal, far.log.violations]).toEqual([[], [], []]);
  });

  it('survive each other: what one host lost, the other has archived', async () => {
    const far = newFar();
    await using one = await started(far, CONNECTOR, 'north');
    await using two = await started(far, SECOND_CONNECTOR, 'south');
    far.link.isAway = true;
    await one.sink.deliver([message('a')]);
    await two.sink.deliver([message('a')]);
    // The first host burns down with what it acknowledged.
    await one[Symbol.asyncDispose]();
    far.link.isAway = false;
    await drained(two);
    expect(tags(far)).toHaveLength(1);
    await using again = await started(far, CONNECTOR, 'north');
    await again.sink.deliver([message('b')]);
    await drained(again);
    expect(again.told.opened).toEqual(['first spool-lost']);
    expect([again.kit.fatal, two.kit.fatal, far.log.violations]).toEqual([[], [], []]);
  });

  it('without names of their own are one after the other: the second goes on where the first was', async () => {
    const far = newFar();
    await using one = await started(far, CONNECTOR);
    await one.sink.deliver([message('a')]);
    await drained(one);
    await using two = await started(far, SECOND_CONNECTOR);
    await two.sink.deliver([message('b')]);
    await drained(two);
    expect(openings(far).map(({ acct }) => acct)).toEqual([one.sink.acct, one.sink.acct]);
    expect(openings(far)[1]?.last).toMatchObject({ stream: openings(far)[0]?.stream });
  });
});
