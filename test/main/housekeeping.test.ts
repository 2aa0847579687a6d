// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import type { Config } from '../../src/base/config.ts';
import { Events } from '../../src/base/events.ts';
import { Housekeeping } from '../../src/main/housekeeping.ts';
import { headOf } from '../../src/spool/streams.ts';
import { SpoolKit, temporaryDirectory } from '../support/spool-kit.ts';
import { message } from '../support/spool-parts.ts';

describe('the status of an account', () => {
  it('counts the records of all its streams', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const { sink, stream } = await kit.account();
    await sink.deliver([message('a'), message('b')]);
    await kit.spool.closeStream(stream, 'superseded');
    const { acct, app, role, gen } = stream;
    await kit.spool.openStream({ acct, app, role, last: headOf(stream), lastGen: gen });
    await sink.deliver([message('c')]);
    const account = { app, name: 'phone', sink };
    const housekeeping = new Housekeeping({
      config: {} as Config,
      spool: kit.spool,
      accounts: [account, account],
      sessions: [],
      events: new Events({ write: () => undefined }),
      clock: () => kit.nowMs,
    });
    // Opened, two messages, closed; opened again, one message.
    expect(housekeeping.status().accounts).toMatchObject([{ account: 'phone', records: 6, waiting: 6 }]);
  });
});
