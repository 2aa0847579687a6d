// SPDX-License-Identifier: AGPL-3.0-or-later
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parseConfig, type Config } from '../../src/base/config.ts';
import { assertSafeEnvironment } from '../../src/base/environment.ts';
import { parseConfig as parseSignal } from '../../src/connectors/signal/config.ts';
import { DEPLOY, isMounted, mountsOf, networksOf, readCompose, type ComposeService } from './compose-file.ts';

const LOCAL = '/made/by/prepare';
const compose = readCompose({
  HOLDFAST_LOCAL: LOCAL,
  HOLDFAST_CONNECTOR_USER: '10001:10001',
  HOLDFAST_ARCHIVER_USER: '10002:10002',
  HOLDFAST_REDIS_USER: '10003:10003',
  HOLDFAST_S3_USER: '10004:10004',
  HOLDFAST_AUDITOR_USER: '10005:10005',
  HOLDFAST_WITNESS_USER: '10006:10006',
  HOLDFAST_STEWARD_USER: '10007:10007',
});
const services = Object.entries(compose.services);
const ours = services.filter(([, { image }]) => image.startsWith('localhost/holdfast:'));

function service(name: string): ComposeService {
  const found = compose.services[name];
  if (found === undefined) throw new Error(`no service ${name}`);
  return found;
}

function config(role: 'connector' | 'archiver' | 'steward'): Config {
  return parseConfig(
    readFileSync(join(DEPLOY, 'compose', `holdfast.${role}.yaml`), 'utf8'),
    '/etc/holdfast/holdfast.yaml',
  );
}

/** Who is in a network. */
function members(network: string): string[] {
  return services
    .filter(([, one]) => networksOf(one).includes(network))
    .map(([name]) => name)
    .toSorted();
}

describe('every service', () => {
  it.each(services)('%s is confined', (name, one) => {
    expect(one.cap_drop).toEqual(['ALL']);
    expect(one.security_opt).toContain('no-new-privileges:true');
    expect(one.ulimits['core']).toBe(0);
    // Equal limits: no swap, so that nothing held in memory reaches a disk.
    expect(one.memswap_limit).toBe(one.mem_limit);
    expect(one.logging.options['max-size']).toMatch(/^\d+m$/);
    if (name === 'signal') return;
    expect(one.read_only).toBe(true);
    expect(one.cap_add).toEqual([]);
    expect(one.user).toMatch(/^[1-9]\d*:[1-9]\d*$/);
  });

  it.each(services)(
    '%s has a fixed tag, and asks no public registry for an image that is built here',
    (_name, { image }) => {
      expect(image).toMatch(/^(?:docker\.io\/[a-z0-9-]+\/|localhost\/)[a-z0-9-]+:\d+\.\d+[a-z0-9.-]*$/);
    },
  );

  it.each(services)('%s publishes no port and has no secret in its environment or command', (_name, one) => {
    expect(one).not.toHaveProperty('ports');
    expect(() => assertSafeEnvironment(one.environment ?? {})).not.toThrow();
    const words = [...(one.entrypoint ?? []), ...(one.command ?? []), ...Object.values(one.environment ?? {})].join(
      ' ',
    );
    expect(words).not.toMatch(/[0-9a-f]{20,}|password=|secret=/i);
  });

  it.each(ours)('%s takes this version, and no debugger', (_name, { image, entrypoint }) => {
    const { version } = JSON.parse(readFileSync(join(DEPLOY, '..', 'package.json'), 'utf8')) as { version: string };
    expect(image).toBe(`localhost/holdfast:${version}`);
    if (entrypoint !== undefined) expect(entrypoint).toContain('--disable-sigusr1');
    expect(readFileSync(join(DEPLOY, 'Containerfile'), 'utf8')).toContain(`ARG VERSION=${version}\n`);
  });

  it('has a user of its own, but for helpers that hold nothing of another role', () => {
    const helpers = ['signal', 'create-bucket', 'upload-door', 'auditor-daily'];
    const users = services.filter(([name]) => !helpers.includes(name));
    expect(new Set(users.map(([, { user }]) => user)).size).toBe(users.length);
  });
});

describe('networks', () => {
  it('keep everybody but the Signal daemon off the internet', () => {
    const open = Object.entries(compose.networks).filter(([, { internal }]) => internal !== true);
    expect(open.map(([name]) => name)).toEqual(['egress']);
    expect(members('egress')).toEqual(['signal']);
  });

  it('let plaintext pass between two members', () => {
    expect(members('handover')).toEqual(['connector', 'signal']);
  });

  it('give the connector no way to the store but the door for uploads', () => {
    expect(members('uploads')).toEqual(['connector', 'upload-door']);
    expect(members('store')).not.toContain('connector');
    expect(members('store')).not.toContain('redis');
    expect(members('queue')).toEqual(['archiver', 'connector', 'redis']);
  });

  it('let the witness be asked by the archiver, and reach nothing of the deployment', () => {
    expect(members('watch')).toEqual(['archiver', 'witness']);
    expect(networksOf(service('witness'))).toEqual(['watch']);
  });

  it('give the steward the store alone', () => {
    expect(networksOf(service('steward'))).toEqual(['store']);
  });
});

describe('secrets', () => {
  it('are files that prepare.sh makes, each mounted by one role', () => {
    for (const [name, { file }] of Object.entries(compose.secrets)) {
      expect(file.startsWith(`${LOCAL}/`)).toBe(true);
      const holders = services.filter(([, one]) => one.secrets.includes(name));
      // One of the two auditors is the other, by the clock.
      expect(new Set(holders.map(([holder]) => holder.replace(/-daily$/, ''))).size).toBe(1);
    }
    for (const [, one] of services) for (const name of one.secrets) expect(compose.secrets).toHaveProperty([name]);
  });

  it('of the root, the reader and the escrow are nowhere', () => {
    for (const [, one] of services) {
      for (const path of mountsOf(compose, one).values())
        expect(path).not.toMatch(/offline|root|reader|escrow|\/prepare$/);
    }
  });
});

describe('configs', () => {
  it.each(['connector', 'archiver', 'steward'] as const)('of the %s name what is mounted', (role) => {
    const { keys, redis, trust, manifest, spool, archive, signal } = config(role);
    const mounts = mountsOf(compose, service(role));
    const paths = [trust, manifest, redis?.password, redis?.ca, spool?.directory, ...Object.values(keys)];
    if (role !== 'connector') paths.push(archive.s3?.credentials);
    for (const settings of Object.values(signal)) paths.push(parseSignal(settings).journal);
    for (const path of paths) if (path !== undefined) expect([path, isMounted(path, mounts)]).toEqual([path, true]);
  });

  it('give each role its own keys, and the connector no credentials of the store', () => {
    expect(Object.keys(config('connector').keys).toSorted()).toEqual(['connector', 'deployment', 'host']);
    expect(Object.keys(config('archiver').keys).toSorted()).toEqual(['archiver', 'log']);
    expect(config('steward').keys).toEqual({});
    const { archive } = config('connector');
    expect(isMounted(archive.s3?.credentials ?? '', mountsOf(compose, service('connector')))).toBe(false);
  });

  it('agree on the archive, the queue and the origin', () => {
    const [connector, archiver] = [config('connector'), config('archiver')];
    expect(connector.archive.url).toBe(archiver.archive.url);
    expect(connector.archive.s3?.endpoint).toBe(archiver.archive.s3?.endpoint);
    expect(connector.origin).toBe(archiver.origin);
    expect(connector.redis?.prefix).toBe(archiver.redis?.prefix);
    expect(connector.retention).toEqual(archiver.retention);
  });

  it('and the services speak of the same hosts, ports and bucket', () => {
    const { redis, signal, archive } = config('connector');
    const { webhook, api } = parseSignal(signal['main']);
    expect(service('signal').environment?.['RECEIVE_WEBHOOK_URL']).toBe(`http://${webhook?.host}:${webhook?.port}/`);
    expect(service('connector').networks).toMatchObject({ handover: { aliases: [webhook?.host] } });
    expect(new URL(api).hostname).toBe('signal');
    expect(redis?.host).toBe('redis');
    const store = new URL(archive.s3?.endpoint ?? '');
    expect(service('upload-door').networks).toMatchObject({ uploads: { aliases: [store.hostname] } });
    const { hostname: bucket, pathname: prefix } = new URL(archive.url);
    expect(service('upload-door').command).toContain(`--prefix=/${bucket}${prefix}/media/`);
    expect(service('upload-door').command).toContain(`--listen=${store.port}`);
    expect(service('create-bucket').command).toContain(`--bucket=${bucket}`);
    expect(service('s3').command).toContain(`-s3.port=${store.port}`);
  });

  it('lock for a day in an evaluation', () => {
    for (const { period } of config('archiver').retention) expect(period).toBe('P1D');
  });
});

describe('the Signal daemon', () => {
  it('withholds nothing and hands over by all its ways', () => {
    const { environment, volumes } = service('signal');
    expect(environment).toMatchObject({ MODE: 'json-rpc', JSON_RPC_TRUST_NEW_IDENTITIES: 'always' });
    expect(Object.keys(environment ?? {}).filter((name) => /IGNORE|AUTO_RECEIVE|CMD_TIMEOUT/.test(name))).toEqual([]);
    expect(volumes).toContain('signal-journal:/var/log/signal-cli-json-rpc-1');
    expect(service('connector').volumes).toContain('signal-journal:/var/log/signal-cli:ro');
  });

  it('starts after the one who takes its messages', () => {
    expect(service('signal').depends_on).toHaveProperty('connector');
    expect(service('connector').depends_on).not.toHaveProperty('signal');
  });
});

describe('the whole file', () => {
  it('has no keys that the Compose specification does not know at its top', () => {
    const raw = parse(readFileSync(join(DEPLOY, 'compose.yaml'), 'utf8'), { merge: true }) as object;
    const known = ['services', 'networks', 'volumes', 'secrets'];
    expect(
      Object.keys(raw)
        .filter((key) => !key.startsWith('x-'))
        .toSorted(),
    ).toEqual(known.toSorted());
  });
});
