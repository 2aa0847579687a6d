// SPDX-License-Identifier: AGPL-3.0-or-later
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  openSync,
  rmSync,
  statfsSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { probeBucket } from '../archive/s3-store.ts';
import type { Config } from '../base/config.ts';
import { codeOf, Failure } from '../base/failure.ts';
import { readSigningKey, readSymmetricKey } from '../base/secrets.ts';
import { signingKeyOf } from '../record/key.ts';
import type { SignerRole } from '../record/manifest.ts';
import { s3Config } from './stores.ts';
import { attempt, failed, ok, type Check } from './check.ts';
import { assertNamed, readTrusted, type Trusted } from './trusted.ts';

export function checkTrust(config: Config): { checks: Check[]; trusted: Trusted | null } {
  try {
    const trusted = readTrusted(config);
    const { manifest } = trusted;
    const checks = [ok('keys', 'manifest', `number ${manifest.n}, signed by root ${trusted.trust.root.id}`)];
    if (manifest.evaluation) {
      checks.push({
        area: 'keys',
        check: 'evaluation',
        level: 'note',
        expected: 'each role’s key made by its holder',
        got: 'all keys made on one machine',
        fix: 'never for records: run `holdfast init` with public keys',
      });
    }
    return { checks, trusted };
  } catch (error) {
    return { checks: [failed('keys', 'trust and manifest', error)], trusted: null };
  }
}

/** Every key file that the config names: readable, private, and known to the manifest. */
export function checkKeys({ keys }: Config, { trust, manifest }: Trusted): Check[] {
  const checks: Check[] = [];
  const signing = (role: SignerRole, path: string | undefined): void => {
    if (path === undefined) return;
    checks.push(
      attempt('keys', role, () => {
        const key = readSigningKey(path);
        assertNamed(manifest, role, key, path);
        return `${signingKeyOf(key).id}, named in the manifest`;
      }),
    );
  };
  signing('connector', keys.connector);
  signing('archiver', keys.archiver);
  const logPath = keys.log;
  if (logPath !== undefined) {
    checks.push(
      attempt('keys', 'log', () => {
        const { id } = signingKeyOf(readSigningKey(logPath));
        if (id === trust.log.key.id) return `${id}, the one of the trust file`;
        throw new Failure('config/key-unknown', { expected: `log key ${trust.log.key.id}`, got: id, where: logPath });
      }),
    );
  }
  for (const name of ['host', 'deployment'] as const) {
    const path = keys[name];
    if (path !== undefined) checks.push(attempt('keys', name, () => (readSymmetricKey(path), 'readable, 32 bytes')));
  }
  return checks;
}

/** The directory, or the nearest one above it that is there. */
function standing(directory: string): string {
  const whole = resolve(directory);
  return existsSync(whole) || dirname(whole) === whole ? whole : standing(dirname(whole));
}

/** Looks and makes nothing: a directory made by whoever looks would belong to them, and the role that needs it could not write. */
function writable(directory: string): string {
  const place = standing(directory);
  try {
    accessSync(place, constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new Failure('config/unwritable', {
      expected: 'a directory that this user may write to',
      got: codeOf(cause),
      where: place,
      fix: 'give it to the user that the role runs as, and look as that user',
      cause,
    });
  }
  return existsSync(directory) ? `${directory} can be written` : `${directory} is not there yet; it will be made`;
}

export async function checkArchive({ archive, keys }: Config): Promise<Check[]> {
  if (archive.s3 === undefined) {
    const directory = fileURLToPath(archive.url);
    return [
      attempt('archive', 'directory', () => writable(directory)),
      {
        area: 'archive',
        check: 'write once',
        level: 'note',
        expected: 'S3 Object Lock for records',
        got: 'a directory: create-once, not WORM',
        fix: 'for records use an s3:// archive',
      },
    ];
  }
  // A connector's host: it is named the bucket, and can do nothing there by itself.
  if (keys.log === undefined && keys.connector !== undefined && !existsSync(archive.s3.credentials)) {
    return [ok('archive', 'credentials', 'none here: the archiver grants each upload; look from its host')];
  }
  try {
    const { findings } = await probeBucket(s3Config(archive.url, archive.s3));
    return findings.map(({ check, level, expected, got, fix }) => ({
      area: 'archive',
      check,
      level,
      expected,
      got,
      fix,
    }));
  } catch (error) {
    return [failed('archive', 'bucket', error)];
  }
}

const OTHERS = 0o077;
const FSYNC_ROUNDS = 20;
const SLOW_FSYNC_MS = 20;
const LOW_SPACE = 0.2;

/** The spool's volume: private, roomy, and quick enough to acknowledge on. */
export function checkSpool({ spool }: Config): Check[] {
  if (spool === undefined) return [];
  const { directory } = spool;
  const space = attempt('spool', 'directory', () => {
    const said = writable(directory);
    if (!existsSync(directory)) return said;
    if ((statSync(directory).mode & OTHERS) === 0) return 'private';
    throw new Failure('config/secret-readable', {
      expected: 'mode 0700',
      got: 'a directory that others may read',
      where: directory,
      fix: `chmod 700 ${directory}`,
    });
  });
  if (space.level === 'fail') return [space];
  const { blocks, bavail } = statfsSync(standing(directory));
  const free = bavail / blocks;
  const room: Check = {
    area: 'spool',
    check: 'free space',
    level: free < LOW_SPACE ? 'note' : 'ok',
    expected: `at least ${LOW_SPACE * 100} %`,
    got: `${Math.round(free * 100)} %`,
    fix: free < LOW_SPACE ? 'enlarge the volume: above the upper watermark nothing is acknowledged' : '',
  };
  return existsSync(directory) ? [space, room, checkFsync(directory)] : [space, room];
}

function checkFsync(directory: string): Check {
  const file = join(directory, `doctor-${process.pid}`);
  const times: number[] = [];
  const fd = openSync(file, 'wx', 0o600);
  try {
    for (let round = 0; round < FSYNC_ROUNDS; round += 1) {
      const start = performance.now();
      writeSync(fd, Buffer.alloc(4096));
      fsyncSync(fd);
      times.push(performance.now() - start);
    }
  } finally {
    closeSync(fd);
    rmSync(file);
  }
  const median = times.toSorted((a, b) => a - b)[FSYNC_ROUNDS / 2] as number;
  const level = median > SLOW_FSYNC_MS ? 'note' : 'ok';
  return {
    area: 'spool',
    check: 'fsync',
    level,
    expected: `at most ${SLOW_FSYNC_MS} ms`,
    got: `${median.toFixed(1)} ms`,
    fix: level === 'ok' ? '' : 'every acknowledgement waits for it: use a faster volume',
  };
}
