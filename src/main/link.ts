// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Config } from '../base/config.ts';
import { Failure } from '../base/failure.ts';
import type { LinkStep } from '../connectors/connector.ts';
import { parseConfig } from '../connectors/signal/config.ts';
import { linkAccount } from '../connectors/signal/link.ts';
import { Rest } from '../connectors/signal/rest.ts';

/**
 * Links an account of the config, without touching the spool: a running connector sees the account appear and records that its
 * archive begins. Throws `config/account-unknown`.
 */
export function linkSteps(config: Config, name: string, signal: AbortSignal): AsyncIterable<LinkStep> {
  const account = config.accounts.find((entry) => entry.name === name);
  if (account === undefined) {
    throw new Failure('config/account-unknown', {
      expected: `one of ${config.accounts.map((entry) => entry.name).join(', ') || '(no accounts)'}`,
      got: 'another name',
      where: 'link <account>',
      fix: 'add the account to the config',
    });
  }
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
