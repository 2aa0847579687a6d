// SPDX-License-Identifier: AGPL-3.0-or-later

import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CephLayout, cephConf } from './ceph-conf.ts';
import { Guard, type Service, runTool } from './guard.ts';
import { freePort } from './ports.ts';
import type { S3Access } from './shared.ts';

const READY_TIMEOUT_MS = 60_000;

export interface CephOptions {
  /**
   * `memstore` keeps objects in memory. `bluestore` writes them to a file under `dataDirs`, for tests that look at what is
   * on the disk; it starts and writes more slowly.
   */
  readonly objectStore?: 'memstore' | 'bluestore';
}

type Ports = Pick<CephLayout, 'monitorPort' | 'monitorV1Port' | 'gatewayPort'>;

/** Ceph with one monitor, one store and one S3 gateway with Object Lock. */
export class CephServer implements S3Access, AsyncDisposable {
  readonly region = 'us-east-1';
  readonly accessKeyId = randomBytes(10).toString('hex').toUpperCase();
  readonly secretAccessKey = randomBytes(20).toString('hex');
  readonly endpoint: string;
  readonly #guard = new Guard('ceph');
  readonly #fsid = randomUUID();
  readonly #ports: Ports;

  constructor(ports: Ports, options: CephOptions) {
    this.#ports = ports;
    this.endpoint = `http://127.0.0.1:${ports.gatewayPort}`;
    for (const directory of ['mon', 'osd', 'run', 'log']) mkdirSync(join(this.dir, directory));
    const objectStore = options.objectStore ?? 'memstore';
    writeFileSync(configFile(this), cephConf({ dir: this.dir, fsid: this.#fsid, objectStore, ...ports }));
  }

  get dir(): string {
    return this.#guard.dir;
  }

  /** Where the daemons keep what they store; the logs are elsewhere in `dir`. */
  get dataDirs(): readonly string[] {
    return [join(this.dir, 'mon'), join(this.dir, 'osd')];
  }

  async start(): Promise<void> {
    const config = ['-c', configFile(this)];
    const { monitorPort, monitorV1Port } = this.#ports;
    const map = join(this.dir, 'monmap');
    const addresses = `[v2:127.0.0.1:${monitorPort},v1:127.0.0.1:${monitorV1Port}]`;
    await runTool('monmaptool', ['--create', '--fsid', this.#fsid, '--addv', 'a', addresses, map]);
    await runTool('ceph-mon', [...config, '--mkfs', '-i', 'a', '--monmap', map]);
    const mon = this.#daemon('mon.a', 'ceph-mon', ['-i', 'a']);
    await this.#ready(mon, 'mon.a', () => succeeds('ceph', [...config, '--connect-timeout', '5', 'mon', 'stat']));

    const osdId = randomUUID();
    await runTool('ceph', [...config, 'osd', 'new', osdId]);
    await runTool('ceph-osd', [...config, '-i', '0', '--mkfs', '--osd-uuid', osdId]);
    const osd = this.#daemon('osd.0', 'ceph-osd', ['-i', '0']);
    await this.#ready(osd, 'osd.0', async () => / 1 up/.test(await runTool('ceph', [...config, 'osd', 'stat'])));

    const rgw = this.#daemon('client.rgw.a', 'radosgw', ['-n', 'client.rgw.a']);
    await this.#ready(rgw, 'client.rgw.a', () => answers(this.endpoint));
    await addUser(this, 'archive', this);
  }

  /** Kill -9 of all daemons; their data goes with them. */
  async stop(): Promise<void> {
    await this.#guard.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #daemon(name: string, program: string, args: readonly string[]): Service {
    return this.#guard.start(name, program, ['-c', configFile(this), ...args, '-f']);
  }

  async #ready(daemon: Service, name: string, isReady: () => Promise<boolean>): Promise<void> {
    await daemon.ready(isReady, READY_TIMEOUT_MS, join(this.dir, 'log', `${name}.log`));
  }
}

export async function startCeph(options: CephOptions = {}): Promise<CephServer> {
  for (let attempt = 1; ; attempt += 1) {
    const ports = { monitorPort: await freePort(), monitorV1Port: await freePort(), gatewayPort: await freePort() };
    const ceph = new CephServer(ports, options);
    try {
      await ceph.start();
      return ceph;
    } catch (error) {
      await ceph.stop();
      if (attempt === 3 || !String(error).includes('Address already in use')) throw error;
    }
  }
}

/** Another user of the same Ceph, for example an auditor: sees nothing until a bucket policy lets it. */
export async function createUser(ceph: S3Access, name: string): Promise<S3Access> {
  const keys = {
    accessKeyId: randomBytes(10).toString('hex').toUpperCase(),
    secretAccessKey: randomBytes(20).toString('hex'),
  };
  await addUser(ceph, name, keys);
  return { endpoint: ceph.endpoint, region: ceph.region, dir: ceph.dir, ...keys };
}

/** The caller destroys it. */
export function s3Client(ceph: S3Access): S3Client {
  const { endpoint, region, accessKeyId, secretAccessKey } = ceph;
  return new S3Client({
    endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey },
    forcePathStyle: true,
    // This Ceph refuses streams with the trailing checksum that is the default.
    requestChecksumCalculation: 'WHEN_REQUIRED',
  });
}

/** A bucket in which versions can be locked; it has no default retention. */
export async function createLockedBucket(ceph: S3Access, name: string): Promise<void> {
  const client = s3Client(ceph);
  try {
    await client.send(new CreateBucketCommand({ Bucket: name, ObjectLockEnabledForBucket: true }));
  } finally {
    client.destroy();
  }
}

async function addUser(ceph: S3Access, name: string, keys: Pick<S3Access, 'accessKeyId' | 'secretAccessKey'>) {
  const who = [`--uid=${name}`, `--display-name=${name}`];
  const what = [`--access-key=${keys.accessKeyId}`, `--secret=${keys.secretAccessKey}`];
  await runTool('radosgw-admin', ['-c', configFile(ceph), 'user', 'create', ...who, ...what]);
}

function configFile({ dir }: Pick<S3Access, 'dir'>): string {
  return join(dir, 'ceph.conf');
}

async function succeeds(program: string, args: readonly string[]): Promise<boolean> {
  try {
    await runTool(program, args);
    return true;
  } catch {
    return false;
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    await (await fetch(url, { signal: AbortSignal.timeout(5_000) })).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}
