// SPDX-License-Identifier: AGPL-3.0-or-later
import { hash } from 'node:crypto';
import { Failure } from '../base/failure.ts';
import { putLocked, type PutOutcome } from './s3-create.ts';
import { presignUpload } from './s3-grant.ts';
import { headObject, putLegalHold } from './s3-objects.ts';
import { fail, fine, note, type ProbeFinding } from './s3-probe-finding.ts';
import { putPresigned } from './s3-upload.ts';
import { findWinner, listVersions } from './s3-versions.ts';
import type { S3Wire } from './s3-wire.ts';
import { type BodyCheck, md5Of } from './store-digest.ts';
import { covers, shown } from './store-lock.ts';
import type { Lock, StoreAbilities } from './store.ts';

/** Where a probe writes: a folder of its own, under locks that end soon. */
export interface ProbeSite {
  readonly wire: S3Wire;
  readonly folder: string;
  readonly lock: Lock;
}

export interface Step<T> {
  readonly finding: ProbeFinding;
  readonly value: T;
}

const RACERS = 8;
const OTHER = Buffer.from('holdfast probe, other bytes');
const BYTES = Buffer.from('holdfast probe, these bytes');

/** A lock asked for with the PUT is kept as asked. The value: whether the server keeps the SHA-256 of what it got. */
export async function probeLock({ wire, folder, lock }: ProbeSite): Promise<Step<boolean>> {
  const check = 'lock on PUT';
  const key = `${folder}lock`;
  try {
    const put = await putLocked(wire, key, BYTES, lock, digests(BYTES));
    const kept = put.kind === 'stored' ? await headObject(wire, key, put.version) : null;
    const finding = covers(kept?.lock ?? null, lock)
      ? fine(check, shown(lock))
      : fail(
          check,
          'store/lock-ignored',
          shown(lock),
          shown(kept?.lock ?? null),
          'use a server that honours lock headers',
        );
    return { finding, value: kept?.sha256 === hash('sha256', BYTES, 'hex') };
  } catch (error) {
    if (!(error instanceof Failure) || error.code === 'store/unreachable') throw error;
    const { expected, got, fix = 'see docs/errors.md' } = error.detail;
    return { finding: fail(check, error.code, expected, got, fix), value: false };
  }
}

/** By which header the server binds the body of a PUT: a wrong digest must be refused. */
export async function probeDigest(site: ProbeSite, digest: 'sha256' | 'md5'): Promise<Step<boolean>> {
  const header = digest === 'sha256' ? 'x-amz-checksum-sha256' : 'content-md5';
  const check = `wrong ${header}`;
  const { [digest]: wrong } = digests(OTHER);
  if (wrong === undefined) {
    return {
      finding: note(check, 'refused', 'not tried in FIPS mode', 'nothing: reading back takes its place'),
      value: false,
    };
  }
  const refused = await refuses(() =>
    putLocked(site.wire, `${site.folder}${digest}`, BYTES, site.lock, { [digest]: wrong }),
  );
  if (refused) return { finding: fine(check, 'refused'), value: true };
  const fix =
    digest === 'sha256'
      ? 'nothing: content-md5 and reading back take its place'
      : 'nothing: reading back takes its place';
  return { finding: note(check, 'refused', 'accepted', fix), value: false };
}

/** Who wins when several create the same key at once. */
export async function probeCreate(site: ProbeSite): Promise<Step<StoreAbilities['create'] | null>> {
  const check = 'create once';
  const expected = `1 of ${RACERS} writers`;
  const key = `${site.folder}race`;
  const write = (index: number): Promise<PutOutcome> => {
    const bytes = Buffer.concat([BYTES, Buffer.of(index)]);
    return putLocked(site.wire, key, bytes, site.lock, digests(bytes));
  };
  const stored = versionsOf(await Promise.all(Array.from({ length: RACERS }, (_, index) => write(index))));
  const first = await findWinner(site.wire, key);
  const [late] = versionsOf([await write(RACERS)]);
  const got = `${stored.length} of ${RACERS} writers`;
  if (stored.length === 1 && late === undefined && first?.version === stored[0]) {
    return { finding: fine(check, expected), value: 'if-none-match' };
  }
  const order = await versionOrder(site.wire, key);
  const kept =
    late !== undefined && order[0] === late && order.at(-1) === first?.version && stored.includes(order.at(-1) ?? '');
  const fix = 'nothing: the version listed last wins; identical later versions are normal';
  if (kept) return { finding: note(check, expected, `${got}, listed in order`, fix), value: 'first-listed' };
  const finding = fail(check, 'store/no-create-once', expected, `${got}, not listed in order`, 'use another server');
  return { finding, value: null };
}

export async function probeHold({ wire, folder }: ProbeSite): Promise<Step<boolean>> {
  const check = 'legal hold';
  const key = `${folder}lock`;
  try {
    const version = (await findWinner(wire, key))?.version ?? '';
    await putLegalHold(wire, key, version, true);
    const on = await headObject(wire, key, version);
    await putLegalHold(wire, key, version, false);
    const off = await headObject(wire, key, version);
    if (on?.legalHold === true && off?.legalHold === false)
      return { finding: fine(check, 'set and lifted'), value: true };
    return {
      finding: note(check, 'set and lifted', 'not kept', 'use a server that honours legal holds'),
      value: false,
    };
  } catch (error) {
    const got = refusal(error);
    const fix = 'nothing if only the steward may set holds; otherwise allow s3:PutObjectLegalHold';
    return { finding: note(check, 'set and lifted', got, fix), value: false };
  }
}

/** A presigned PUT is honoured as signed, and in no weaker form. */
export async function probeGrant(site: ProbeSite, checksumSha256: boolean): Promise<Step<boolean>> {
  const { wire, lock } = site;
  const check = 'presigned PUT';
  const key = `${site.folder}grant`;
  const digest = { sha256: hash('sha256', BYTES, 'hex'), md5: md5Of(BYTES) ?? '', size: BYTES.length };
  const { url, headers } = await presignUpload(wire, key, digest, lock, {
    grantSeconds: 60,
    nowMs: Date.now(),
    checksumSha256,
  });
  const bare = Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith('x-amz-object-lock')));
  const weaker = { ...headers, 'x-amz-object-lock-mode': 'GOVERNANCE' };
  const fix = 'nothing: grants are off, and connectors cannot upload objects to this store';
  const forms = [
    { form: 'no lock', headers: bare, body: BYTES },
    { form: 'a weaker lock', headers: weaker, body: BYTES },
    { form: 'another body', headers, body: OTHER },
  ];
  for (const { form, headers: sent, body } of forms) {
    const status = await putPresigned(wire, url, sent, body);
    if (status < 400) return { finding: note(check, `${form} refused`, `${status}`, fix), value: false };
  }
  const status = await putPresigned(wire, url, headers, BYTES);
  const kept = status === 200 ? await headObject(wire, key, '') : null;
  if (covers(kept?.lock ?? null, lock)) return { finding: fine(check, 'honoured as signed only'), value: true };
  return {
    finding: note(check, `200 and ${shown(lock)}`, `${status} and ${shown(kept?.lock ?? null)}`, fix),
    value: false,
  };
}

/** Both headers: what a server does not know it ignores. */
function digests(bytes: Uint8Array): BodyCheck {
  const md5 = md5Of(bytes);
  return { sha256: hash('sha256', bytes, 'base64'), ...(md5 === null ? {} : { md5 }) };
}

async function refuses(put: () => Promise<PutOutcome>): Promise<boolean> {
  try {
    await put();
    return false;
  } catch (error) {
    if (error instanceof Failure && error.code === 'store/damaged-in-transit') return true;
    if (error instanceof Failure && error.code === 'store/unexpected-answer') return false;
    throw error;
  }
}

function refusal(error: unknown): string {
  if (
    error instanceof Failure &&
    ['store/denied', 'store/no-ability', 'store/unexpected-answer'].includes(error.code)
  ) {
    return error.detail.got;
  }
  throw error;
}

function versionsOf(outcomes: readonly PutOutcome[]): string[] {
  return outcomes.flatMap((outcome) => (outcome.kind === 'stored' ? [outcome.version] : []));
}

async function versionOrder(wire: S3Wire, key: string): Promise<string[]> {
  const order: string[] = [];
  for await (const found of listVersions(wire, key, '')) if (found.key === key) order.push(found.version);
  return order;
}
