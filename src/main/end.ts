// SPDX-License-Identifier: AGPL-3.0-or-later
import { endLog } from '../archive/end.ts';
import { need, type Config } from '../base/config.ts';
import type { Events } from '../base/events.ts';
import { Failure } from '../base/failure.ts';
import { readSigningKey } from '../base/secrets.ts';
import { InProcessLink } from '../queue/in-process.ts';
import { completeLink, encodePredecessor, openOrder, type LogLink } from '../record/link.ts';
import { isSameKey } from '../record/note.ts';
import { archiverOptions } from './archiver-role.ts';
import { openArchive } from './stores.ts';
import { readDocument, readTrusted, type Trusted } from './trusted.ts';

export interface Ending {
  readonly link: LogLink;
  /** What the log that follows begins with. */
  readonly predecessor: string;
}

/**
 * Signs the root's link with the log keys, and ends the log with it. Of a log whose key was lost or stolen nothing is written: the root's
 * word ends it.
 */
export async function endWith(config: Config, events: Events, orderFile: string, newLogFile: string): Promise<Ending> {
  const trusted = readTrusted(config);
  const { root } = trusted.trust;
  const order = readDocument(orderFile, 'a link that the root signed');
  const link = openOrder(order, root);
  const isExchanged = link.cause === 'exchanged';
  assertOfThisLog(link, trusted, orderFile);
  const old = isExchanged ? readSigningKey(need(config.keys.log, 'keys.log', 'ending a log')) : null;
  const document = completeLink(order, root, { old, new: readSigningKey(newLogFile) });
  const checkpoint = isExchanged ? await endOwn(config, events, trusted, document) : null;
  return { link, predecessor: encodePredecessor(document, checkpoint) };
}

function assertOfThisLog({ cause, from, to }: LogLink, { trust }: Trusted, where: string): void {
  const own = cause === 'exchanged' ? from : to;
  if (isSameKey(own, trust.log)) return;
  throw new Failure('config/trust', {
    expected: `a link ${cause === 'exchanged' ? 'from' : 'to'} ${trust.origin}`,
    got: `one from ${from.name} to ${to.name}`,
    where,
    fix: 'where the old key signs, run this with the config of the log that ends; else with that of the log that follows',
  });
}

async function endOwn(config: Config, events: Events, trusted: Trusted, document: string): Promise<string> {
  await using store = await openArchive(config.archive);
  const running = { signal: new AbortController().signal, fatal: (): void => undefined };
  const downlink = new InProcessLink().downlink();
  const role = { config, trusted, store, downlink, events, running, confirmedRetention: false };
  return endLog(await archiverOptions(role), document);
}
