// SPDX-License-Identifier: AGPL-3.0-or-later
import { createPublicKey } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/base/config.ts';
import { readSigningKey, readSymmetricKey } from '../../src/base/secrets.ts';
import { readCredentials } from '../../src/main/stores.ts';
import { readTrusted } from '../../src/main/trusted.ts';
import { signingKeyOf } from '../../src/record/key.ts';
import { signersOf } from '../../src/record/manifest.ts';
import { Guard, runTool } from '../services/guard.ts';
import { DEPLOY, mountsOf, readCompose, readEnvironment } from './compose-file.ts';
import { PROJECT } from './image.ts';

const guard = new Guard('prepare');
afterAll(() => guard.end());
const local = join(guard.dir, 'local');
const env = join(guard.dir, 'env');

function prepare(holdfast: string, ...options: string[]): Promise<string> {
  return runTool('env', [`HOLDFAST=${holdfast}`, join(DEPLOY, 'compose', 'prepare.sh'), '--env', env, ...options]);
}

const HOLDFAST = `${process.execPath} ${join(PROJECT, 'src', 'main', 'cli.ts')}`;

function files(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map((name) => join(directory, name))
    .filter((path) => statSync(path).isFile());
}

describe('prepare.sh', () => {
  it('makes everything that compose mounts', async () => {
    await prepare(HOLDFAST, '--account', '+12025550123', '--directory', local);
    const compose = readCompose(readEnvironment(env));
    for (const one of Object.values(compose.services)) {
      for (const path of mountsOf(compose, one).values()) {
        if (!(path in compose.volumes)) expect([path, existsSync(path)]).toEqual([path, true]);
      }
    }
  });

  it('leaves nothing readable for others but what everybody may know', () => {
    const open = files(local).filter((path) => (statSync(path).mode & 0o077) !== 0);
    expect(open.every((path) => path.startsWith(join(local, 'tools')))).toBe(true);
  });

  it('makes configs that load, with keys that the manifest names', () => {
    const file = (role: string): string => join(local, role, 'config', 'holdfast.yaml');
    const { manifest } = readTrusted(loadConfig(file('connector')));
    expect(manifest.evaluation).toBe(true);
    const connector = signingKeyOf(readSigningKey(join(local, 'connector', 'connector.key')));
    expect([...signersOf(manifest, 'connector').keys()]).toEqual([connector.id]);
    const archiver = signingKeyOf(readSigningKey(join(local, 'archiver', 'archiver.key')));
    expect([...signersOf(manifest, 'archiver').keys()]).toEqual([archiver.id]);
    for (const name of ['host', 'deployment']) readSymmetricKey(join(local, 'connector', `${name}.key`));
    expect(loadConfig(file('connector')).redis?.username).toBe(`connector-${connector.id}`);
    expect(loadConfig(file('connector')).accounts[0]?.account).toBe('+12025550123');
    expect(loadConfig(file('archiver')).accounts).toEqual([]);
    for (const role of ['archiver', 'auditor', 'steward']) readCredentials(join(local, role, 's3-credentials'));
  });

  it('keeps the private keys of root, reader and escrow away from every role', () => {
    const secret = files(local).filter((path) => /PRIVATE KEY/.test(readFileSync(path, 'utf8')));
    const roles = secret
      .filter((path) => !path.startsWith(join(local, 'offline')))
      .map((path) => path.slice(local.length + 1));
    expect(roles.toSorted()).toEqual([
      'archiver/archiver.key',
      'archiver/log.key',
      'connector/connector.key',
      'redis/config/tls/redis.key',
      'witness/witness.key',
    ]);
  });

  it('fills in all of the access list and the identities', () => {
    const acl = readFileSync(join(local, 'redis', 'config', 'users.acl'), 'utf8');
    expect(acl).not.toContain('@PREFIX@');
    expect(acl).not.toMatch(/@[A-Z_]+@/);
    expect(acl.match(/#[0-9a-f]{64} /g)).toHaveLength(3);
    const { identities } = JSON.parse(readFileSync(join(local, 's3', 'identities.json'), 'utf8')) as {
      identities: { name: string; actions: string[] }[];
    };
    expect(identities.filter(({ actions }) => actions.includes('Admin')).map(({ name }) => name)).toEqual(['creator']);
    createPublicKey(readFileSync(join(local, 'redis', 'config', 'tls', 'redis.crt')));
  });

  it('overwrites nothing', async () => {
    const before = readFileSync(join(local, 'archiver', 'log.key'), 'utf8');
    await expect(prepare(HOLDFAST, '--directory', local)).rejects.toThrow(/never overwritten/);
    expect(readFileSync(join(local, 'archiver', 'log.key'), 'utf8')).toBe(before);
  });

  it('leaves no half-made directory behind', async () => {
    const other = join(guard.dir, 'other');
    await expect(prepare('/bin/false', '--directory', other)).rejects.toThrow();
    expect(existsSync(other)).toBe(false);
  });

  it.each(['12025550100', '+', '+1202555o100', '+1 202', "+1'"])('takes no %s for a number', async (number) => {
    const other = join(guard.dir, 'other');
    await expect(prepare(HOLDFAST, '--account', number, '--directory', other)).rejects.toThrow(/expected --account/);
  });
});
