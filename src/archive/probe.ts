// SPDX-License-Identifier: AGPL-3.0-or-later
import { GetBucketVersioningCommand, GetObjectLockConfigurationCommand } from '@aws-sdk/client-s3';
import { Failure } from '../base/failure.ts';
import { answerOf } from './s3-failure.ts';
import { fail, fine, note, type ProbeFinding } from './s3-probe-finding.ts';
import { probeCreate, probeDigest, probeGrant, probeHold, probeLock, type ProbeSite } from './s3-probe-steps.ts';
import type { S3Wire } from './s3-wire.ts';
import { untilFrom } from './store-lock.ts';
import type { StoreAbilities } from './store.ts';

/** What the probe saw, in the order of a table, and what the store may therefore do. */
export interface ProbeReport {
  readonly findings: readonly ProbeFinding[];
  readonly abilities: StoreAbilities;
  /** How far our clock is ahead of the server's. */
  readonly skewMs: number;
}

/** Long enough for the probe itself, short enough that its objects can be deleted after coffee. */
const LOCK_MS = 60_000;

const NOTHING: StoreAbilities = {
  kind: 's3',
  create: 'first-listed',
  locks: false,
  legalHold: false,
  versions: false,
  checksumSha256: false,
  grants: false,
};

/**
 * Tries what the archive relies on, in about 25 small requests, and believes nothing else: documentation and version numbers do not
 * tell. Writes under `_probe/<run>/`. A store that cannot be used is a finding; throws only where there is no answer to judge.
 */
export async function probeStore(wire: S3Wire, runId: string, maxClockSkewMs: number): Promise<ProbeReport> {
  const unheard = await reachOrSkew(wire, maxClockSkewMs);
  if (unheard !== null) return unheard;
  const serverMs = wire.clock.timeMs() ?? Date.now();
  const skewMs = wire.clock.skewMs() ?? 0;
  const bucket = [
    ...(await probeVersioning(wire)),
    ...(await probeBucketLock(wire)),
    judgeClock(skewMs, maxClockSkewMs),
  ];
  if (bucket.some(({ level }) => level === 'fail')) return { findings: bucket, abilities: NOTHING, skewMs };

  const lock = { mode: 'COMPLIANCE' as const, until: untilFrom(serverMs + LOCK_MS) };
  const site: ProbeSite = { wire, folder: `_probe/${runId}/`, lock };
  const locked = await probeLock(site);
  const findings = [...bucket, locked.finding];
  if (locked.finding.level === 'fail') return { findings, abilities: NOTHING, skewMs };

  const sha256 = await probeDigest(site, 'sha256');
  const md5 = await probeDigest(site, 'md5');
  const create = await probeCreate(site);
  const hold = await probeHold(site);
  const checksumSha256 = sha256.value && locked.value;
  const grant = await probeGrant(site, checksumSha256);
  findings.push(sha256.finding, md5.finding, create.finding, hold.finding, grant.finding);
  const abilities: StoreAbilities = {
    kind: 's3',
    create: create.value ?? 'first-listed',
    locks: true,
    legalHold: hold.value,
    versions: true,
    checksumSha256,
    grants: grant.value && (checksumSha256 || md5.value),
  };
  return { findings, abilities, skewMs };
}

/** A clock far off makes every signature invalid, and HEAD cannot say that this is why: the Date header can. */
async function reachOrSkew(wire: S3Wire, maxClockSkewMs: number): Promise<ProbeReport | null> {
  try {
    await wire.reach();
    return null;
  } catch (error) {
    const skewMs = wire.clock.skewMs() ?? 0;
    const finding = judgeClock(skewMs, maxClockSkewMs);
    if (finding.level !== 'fail') throw error;
    return { findings: [finding], abilities: NOTHING, skewMs };
  }
}

/** Throws the first finding that forbids to use the store. */
export function assertUsable({ findings }: ProbeReport): void {
  const found = findings.find(({ level }) => level === 'fail');
  if (found === undefined) return;
  const { check, expected, got, fix, code } = found;
  throw new Failure(code ?? 'store/unexpected-answer', { expected, got, where: `the bucket (${check})`, fix });
}

async function probeVersioning(wire: S3Wire): Promise<ProbeFinding[]> {
  const check = 'bucket versioning';
  const Bucket = wire.bucket;
  return seen(check, 'Enabled', async () => {
    const status = await wire.read('the bucket', 0, async (client, options) => {
      return (await client.send(new GetBucketVersioningCommand({ Bucket }), options)).Status ?? 'off';
    });
    if (status === 'Enabled') return [fine(check, 'Enabled')];
    return [fail(check, 'store/lock-disabled', 'Enabled', status, 'create the bucket with Object Lock')];
  });
}

async function probeBucketLock(wire: S3Wire): Promise<ProbeFinding[]> {
  const check = 'bucket Object Lock';
  const Bucket = wire.bucket;
  return seen(check, 'Enabled', async () => {
    const lock = await wire.read('the bucket', 0, async (client, options) => {
      try {
        return (await client.send(new GetObjectLockConfigurationCommand({ Bucket }), options)).ObjectLockConfiguration;
      } catch (error) {
        if (answerOf(error)?.code === 'ObjectLockConfigurationNotFoundError') return undefined;
        throw error;
      }
    });
    if (lock?.ObjectLockEnabled !== 'Enabled') {
      return [fail(check, 'store/lock-disabled', 'Enabled', 'off', 'create the bucket with Object Lock')];
    }
    const findings = [fine(check, 'Enabled')];
    if (lock.Rule?.DefaultRetention !== undefined) {
      const fix = 'remove it: it locks every checkpoint and tile as well, and all other objects bring their own lock';
      findings.push(note('default retention', 'none', lock.Rule.DefaultRetention.Mode ?? 'some', fix));
    }
    return findings;
  });
}

/** Not being allowed to look is no finding against the store: the locked PUT shows it. */
async function seen(check: string, expected: string, look: () => Promise<ProbeFinding[]>): Promise<ProbeFinding[]> {
  try {
    return await look();
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== 'store/denied') throw error;
    return [
      note(check, expected, error.detail.got, 'allow reading the bucket’s versioning and Object Lock configuration'),
    ];
  }
}

function judgeClock(skewMs: number, maxClockSkewMs: number): ProbeFinding {
  const expected = `within ${Math.round(maxClockSkewMs / 1000)} s`;
  const got = `${Math.round(skewMs / 1000)} s ahead of the server`;
  if (Math.abs(skewMs) <= maxClockSkewMs) return fine('clock', expected, got);
  return fail('clock', 'store/clock-skew', expected, got, 'synchronise both clocks');
}
