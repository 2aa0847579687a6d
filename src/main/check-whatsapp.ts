// SPDX-License-Identifier: AGPL-3.0-or-later
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, type ConnectionOptions } from 'node:tls';
import type { Config } from '../base/config.ts';
import { failed, type Check } from './check.ts';
import { CONNECTOR_STATUS, statusDirectory, type ConnectorStatus } from './housekeeping.ts';

const REACH_TIMEOUT_MS = 10_000;

const SERVER: ConnectionOptions = { host: 'web.whatsapp.com', port: 443, servername: 'web.whatsapp.com' };

/**
 * The client that is installed, the way to WhatsApp's servers, and which of the config's accounts are linked. Only tests name another
 * server.
 */
export async function checkWhatsApp(config: Config, server = SERVER): Promise<Check[]> {
  const accounts = config.accounts.filter(({ app }) => app === 'whatsapp');
  if (accounts.length === 0) return [];
  const states = linkStates(config);
  return [
    await attempt('client', 'as it was built', 'built-in address and Noise root', () => checkClient(config)),
    await attempt('servers', 'TLS to web.whatsapp.com:443', 'answers', () => reach(server)),
    ...accounts.map(({ name }) => judgeLinked(name, states.get(name) ?? 'not running')),
  ];
}

async function checkClient(config: Config): Promise<void> {
  const { whatsapp } = await import('../connectors/whatsapp/index.ts');
  const { assertWire, WHATSAPP } = await import('../connectors/whatsapp/wire.ts');
  for (const settings of Object.values(config.whatsapp)) whatsapp.parseConfig(settings);
  assertWire(WHATSAPP);
}

async function reach(server: ConnectionOptions): Promise<void> {
  const socket = connect({ ...server, rejectUnauthorized: true });
  try {
    await once(socket, 'secureConnect', { signal: AbortSignal.timeout(REACH_TIMEOUT_MS) });
  } finally {
    socket.destroy();
  }
}

async function attempt(check: string, expected: string, got: string, work: () => Promise<void>): Promise<Check> {
  try {
    await work();
    return { area: 'whatsapp', check, level: 'ok', expected, got, fix: '' };
  } catch (error) {
    return failed('whatsapp', check, error);
  }
}

/** What the running connector says: the state of a device is in its spool, which only it can open. */
function linkStates(config: Config): ReadonlyMap<string, string> {
  try {
    const file = join(statusDirectory(config), CONNECTOR_STATUS);
    const { accounts } = JSON.parse(readFileSync(file, 'utf8')) as ConnectorStatus;
    return new Map(accounts.map(({ account, health }) => [account, health.state]));
  } catch {
    return new Map();
  }
}

function judgeLinked(account: string, state: string): Check {
  const isAway = state === 'unlinked' || state === 'not-linked';
  return {
    area: 'whatsapp',
    check: `account ${account}`,
    level: isAway ? 'fail' : state === 'not running' ? 'note' : 'ok',
    expected: 'linked',
    got: state,
    fix: isAway ? `run \`holdfast link ${account}\` while the connector runs` : '',
  };
}
