// SPDX-License-Identifier: AGPL-3.0-or-later
import { hash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Guard } from '../services/guard.ts';
import { startRedis, type RedisOptions, type RedisServer } from '../services/redis.ts';

const TEMPLATE = fileURLToPath(new URL('../../deploy/redis/users.acl', import.meta.url));

export const OPERATOR = { username: 'operator', password: 'the-operators' };
export const ARCHIVER = { username: 'archiver', password: 'the-archivers' };

export function connectorUser(keyId: string): { readonly username: string; readonly password: string } {
  return { username: `connector-${keyId}`, password: `of-${keyId}` };
}

/** The template of the deployment, filled in as its README says, for any prefix that begins with `test-`. */
export function filledAcl(connectors: readonly string[]): string {
  const sha256 = (text: string): string => hash('sha256', text);
  return readFileSync(TEMPLATE, 'utf8')
    .split('\n')
    .flatMap((line) => (line.includes('@KEY_ID@') ? connectors.map((id) => forConnector(line, id)) : line))
    .join('\n')
    .replaceAll('@PREFIX@', 'test-*')
    .replace('@OPERATOR@', sha256(OPERATOR.password))
    .replace('@ARCHIVER@', sha256(ARCHIVER.password));
}

function forConnector(line: string, id: string): string {
  return line.replaceAll('@KEY_ID@', id).replace('@CONNECTOR@', hash('sha256', connectorUser(id).password));
}

/** A Redis with the users of the deployment. */
export async function startGuardedRedis(
  connectors: readonly string[],
  options: RedisOptions = {},
): Promise<RedisServer> {
  await using guard = new Guard('acl');
  const aclFile = join(guard.dir, 'users.acl');
  writeFileSync(aclFile, filledAcl(connectors));
  return await startRedis({ ...options, aclFile, admin: OPERATOR });
}
