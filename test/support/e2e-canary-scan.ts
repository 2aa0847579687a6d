// SPDX-License-Identifier: AGPL-3.0-or-later
import { Redis } from 'ioredis';
import type { Exchange } from '../faults/http-fault-proxy.ts';
import type { RedisServer } from '../services/redis.ts';
import type { S3Access } from '../services/shared.ts';
import { Bucket } from './e2e-bucket.ts';
import type { Deployment } from './e2e-deployment.ts';
import { until } from './e2e-process.ts';
import type { Leaks, RedisMonitor } from './e2e-sinks.ts';

export interface Surfaces {
  readonly deployment: Deployment;
  readonly redis: RedisServer;
  readonly monitor: RedisMonitor;
  readonly s3: S3Access;
}

const STATUS = 'connector.status.json';

/** Everything outside of the connector's memory that Holdfast writes, sends or shows. */
export async function scanAll(leaks: Leaks, { deployment, redis, monitor, s3 }: Surfaces): Promise<void> {
  const { connector, archiver, up, commands, guard, spool } = deployment;
  for (const daemon of [connector, archiver, up]) leaks.text('logs', daemon.printed);
  for (const { stdout, stderr } of commands) leaks.text('commands', stdout + stderr);
  await snapshot(redis);
  leaks.directory('redis files', redis.dir);
  leaks.bytes('redis commands', monitor.captured);
  await scanBucket(leaks, s3, deployment.bucket ?? '');
  leaks.directory('spool', spool, (path) => path.startsWith(STATUS));
  leaks.file('status file', `${spool}/${STATUS}`);
  // Working directories with what a crash may have left there, home and temporary directories; not what signal-cli keeps, and not
  // the config of the connector, where the account's number stands.
  leaks.directory('other files', guard.dir, (path) =>
    /^signal\b|\/spool\b|^(?:connect|up)\/holdfast\.yaml$/.test(path),
  );
}

/** Keys, bodies, metadata and tags of every version. */
async function scanBucket(leaks: Leaks, s3: S3Access, name: string): Promise<void> {
  using bucket = new Bucket(s3, name);
  for (const version of await bucket.versions()) {
    leaks.text('s3 keys', version.key);
    if (version.isMarker) continue;
    const { answer, bytes } = await bucket.get(version);
    const { Body: _body, ...facts } = answer;
    leaks.text('s3 metadata', JSON.stringify(facts));
    leaks.bytes('s3 bodies', bytes);
  }
}

/** What went over the wire to S3: paths, headers and bodies. */
export function scanExchanges(leaks: Leaks, exchanges: readonly Exchange[]): void {
  for (const { method, path, headers, body } of exchanges) {
    leaks.text('s3 requests', `${method} ${path} ${JSON.stringify(headers)}`);
    leaks.bytes('s3 requests', body);
  }
}

/** A snapshot beside the append-only file, without the compression that a scan would not see through. */
async function snapshot(redis: RedisServer): Promise<void> {
  const client = new Redis(redis.url);
  try {
    await client.config('SET', 'rdbcompression', 'no');
    const before = await client.lastsave();
    await client.bgsave();
    await until('the snapshot', async () => {
      const info = await client.info('persistence');
      return info.includes('rdb_bgsave_in_progress:0') && (await client.lastsave()) >= before;
    });
  } finally {
    client.disconnect();
  }
}
