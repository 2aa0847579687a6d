// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Config } from '../base/config.ts';
import { Failure } from '../base/failure.ts';
import type { LinkOptions, LinkStep } from '../connectors/connector.ts';
import { parseConfig } from '../connectors/signal/config.ts';
import { linkAccount } from '../connectors/signal/link.ts';
import { Rest } from '../connectors/signal/rest.ts';
import { askDesk, linkDirectory } from './link-desk.ts';

/**
 * Links an account of the config, without touching the spool. Signal: a running connector sees the account appear and records that its
 * archive begins. WhatsApp: the running connector links, because the device is the connector itself. Throws `config/account-unknown`.
 */
export function linkSteps(
  config: Config,
  name: string,
  options: LinkOptions,
  signal: AbortSignal,
): AsyncIterable<LinkStep> {
  const account = config.accounts.find((entry) => entry.name === name);
  if (account === undefined) {
    throw new Failure('config/account-unknown', {
      expected: `one of ${config.accounts.map((entry) => entry.name).join(', ') || '(no accounts)'}`,
      got: 'another name',
      where: 'link <account>',
      fix: 'add the account to the config',
    });
  }
  if (account.app === 'whatsapp') return askDesk(linkDirectory(config), name, options, signal);
  const { api, deviceName, timeouts, intervals } = parseConfig(config.signal[account.backend]);
  const rest = new Rest({
    api,
    timeoutMs: timeouts.rest,
    retryMs: timeouts.restRetry,
    attachmentIdleMs: timeouts.attachmentIdle,
  });
  const times = { timeoutMs: timeouts.link, pollMs: intervals.linkPoll };
  return linkAccount({ rest, account: account.account, deviceName, ...times, onLinked: async () => undefined }, signal);
}
