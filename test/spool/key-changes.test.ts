// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import { SEQ_SPAN, tamper } from '../support/spool-disk.ts';
import { temporaryDirectory, until } from '../support/spool-kit.ts';
import { MANIFEST, message, SECOND_CONNECTOR } from '../support/spool-parts.ts';
import { readLog } from '../support/recovered.ts';
import { newFar, ShippingKit, type ShippingOptions } from '../support/shipping-kit.ts';
import { ESCROW, READER, STRANGER } from '../vectors/keys.ts';

const QUICK: ShippingOptions = { times: { headsTimeoutMs: 20, doubtPauseMs: 0 } };
const drained = (of: ShippingKit): Promise<void> => until('all is archived', () => of.spool.backlog() === 0);

async function say(of: ShippingKit, ...ids: string[]): Promise<void> {
  for (const id of ids) await of.sink.deliver([message(id)]);
}

describe('a spool whose keys changed while records waited', () => {
  const saidOf = (ids: string[]): Set<string> => new Set(ids.map((id) => `raw bytes of ${id}`));
  const many = Array.from({ length: 20 }, (_, at) => `waiting ${at}`);

  it('signs nothing of an earlier key’s streams, open or closed, and records all of them again', async () => {
    const far = newFar();
    const directory = temporaryDirectory();
    {
      await using of = await ShippingKit.start(far, directory);
      await drained(of);
      far.link.isAway = true;
      await say(of, ...many.slice(0, 10));
      const [stream] = of.spool.streams();
      if (stream === undefined) throw new Error('no stream');
      await of.spool.closeStream(stream, 'superseded');
    }
    {
      await using of = await ShippingKit.start(far, directory, ['first'], QUICK);
      await say(of, ...many.slice(10));
    }
    // A row that rotted takes back the batches from there on: they are to be fixed and signed anew.
    tamper(directory, (db) => db.prepare('DELETE FROM records WHERE rid = ?').run(SEQ_SPAN + 5));
    far.link.isAway = false;
    await using of = await ShippingKit.start(far, directory, ['first'], { pair: SECOND_CONNECTOR });
    await of.attachments.settled();
    await drained(of);
    const log = await readLog(far.log);
    const raws = [...log.direct, ...log.orphaned].filter((raw) => raw !== '');
    expect(new Set(raws)).toEqual(saidOf(many.filter((id) => id !== 'waiting 4')));
    const keys = new Map([...far.log.streams].map(([stream, { key }]) => [stream, key]));
    for (const { statement } of far.log.batches) expect(statement.key).toBe(keys.get(statement.stream) ?? '');
    expect([far.log.violations, of.told.refusals]).toEqual([[], []]);
  });

  it('seals once more what is for earlier recipients, once it has the manifest that names the present ones', async () => {
    const far = newFar();
    far.log.refuse = ({ epochs }) =>
      epochs.some((text) => text.includes(ESCROW.recipient.kid)) ? 'archive/retired-recipient' : null;
    const directory = temporaryDirectory();
    {
      await using of = await ShippingKit.start(far, directory, ['first'], { againAfterMs: 50 });
      await say(of, ...many);
      await until('it was refused often', () => of.told.refusals.length > 10);
      expect(of.told.opened).toEqual(['first first']);
    }
    const escrow = { ...STRANGER.recipient, role: 'escrow' as const };
    const manifest = { ...MANIFEST, recipients: [READER.recipient, escrow] };
    await using of = await ShippingKit.start(far, directory, ['first'], { againAfterMs: 50, changes: { manifest } });
    await drained(of);
    const log = await readLog(far.log);
    expect([log.direct, new Set(log.orphaned)]).toEqual([[], saidOf(many)]);
    expect([of.told.opened, far.log.violations]).toEqual([['first spool-doubtful'], []]);
  });
});
