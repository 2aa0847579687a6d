// SPDX-License-Identifier: AGPL-3.0-or-later
import { PutBucketPolicyCommand } from '@aws-sdk/client-s3';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Report } from '../../src/verify/report.ts';
import { edited, incoming } from '../emulators/signal/envelopes.ts';
import { account, dana, groupId, texts } from '../emulators/signal/test-world.ts';
import { createUser } from '../services/ceph.ts';
import { freePort } from '../services/ports.ts';
import { sharedS3, uniqueName } from '../services/shared.ts';
import type { ArchiveView } from '../support/e2e-archive.ts';
import { Bucket, type Version } from '../support/e2e-bucket.ts';
import { holdCeremony } from '../support/e2e-ceremony.ts';
import { Deployment } from '../support/e2e-deployment.ts';
import { until, type Finished } from '../support/e2e-process.ts';
import { SeededRandom } from '../support/random.ts';

const PREFIX = 'agency/';
/** What must be locked; checkpoint and tiles follow from it. */
const LOCKED = ['media/', 'pack/', 'segment/', 'heads/'] as const;
const GONE = 'gone.pdf';
const AUDITOR_POLICY = new URL('../../deploy/cloud/auditor.json', import.meta.url);
const SEED = 20_261_122;
const random = new SeededRandom(SEED);
const photo = random.bytes(180_000);
const form = random.bytes(20_011);

let locked: Deployment;
let loose: Deployment;
let bucket: Bucket;
let view: ArchiveView;
let checkpoint: string;
let versions: Version[];

const attachment = (id: string, size: number) => ({ id, contentType: 'image/jpeg', size, filename: id });
const jsonOf = ({ stdout }: Finished): Report => JSON.parse(stdout) as Report;
const firstLine = ({ stdout }: Finished): string => stdout.split('\n')[0] ?? '';
const codes = (found: Report['findings']): string[] => found.map(({ code }) => code);
const ofKind = (kind: (typeof LOCKED)[number]): Version[] => versions.filter(({ key }) => key.includes(kind));

/** Text, edits, files, a file that never comes, a text too long for a record's body, and an outage. */
async function fill(): Promise<void> {
  const { emulator } = locked;
  const start = Date.now();
  for (const payload of texts(20)) await emulator.receive(account, payload);
  const files = [attachment('photo.jpg', photo.length), attachment('form.pdf', form.length), attachment(GONE, 4000)];
  await emulator.receive(account, incoming(dana, start + 1, { text: 'three files', attachments: files }), {
    attachments: [
      { id: 'photo.jpg', content: photo },
      { id: 'form.pdf', content: form },
      { id: GONE, arrival: 'never' },
    ],
  });
  const group = { internalId: groupId, name: 'Field Office Ops & Co', revision: 3 };
  await emulator.receive(account, incoming(dana, start + 2, { text: 'first words', group }));
  await emulator.receive(account, edited(dana, start + 3, start + 2, { text: 'second thoughts', group }));
  // Random, or it would shrink until it fits.
  await emulator.receive(account, incoming(dana, start + 4, { text: random.hex(80_000) }));
  await until('the missing file to be noticed', async () =>
    (await locked.drained()).gaps().includes('attachment-missing open'),
  );
  checkpoint = await savedCheckpoint();
  await emulator.exitProcess();
  await until('the outage to be noticed', () =>
    locked.connector.events('alarm').some(({ reason }) => reason === 'backend-outage'),
  );
  await emulator.startProcess({ redialMs: 0 });
  await locked.capturing();
  for (const payload of texts(20, 60)) await emulator.receive(account, payload);
}

async function savedCheckpoint(): Promise<string> {
  const [newest] = await bucket.versions(`${PREFIX}log/${locked.ceremony.origin}/checkpoint`);
  const file = join(locked.guard.dir, 'seen-earlier');
  writeFileSync(file, (await bucket.get(newest as Version)).bytes);
  return file;
}

beforeAll(async () => {
  console.log(`seed ${SEED}`);
  const [first, second] = await Promise.all([
    Deployment.make({ label: 'locked', archiveSettings: { headsEvery: '1s' } }),
    Deployment.make({ label: 'loose', mode: 'GOVERNANCE' }),
  ]);
  [locked, loose] = [first, second];
  bucket = new Bucket(sharedS3(), locked.bucket ?? '');
  await Promise.all([locked.start(), loose.start()]);
  await Promise.all([
    fill(),
    (async () => {
      for (const payload of texts(10)) await loose.emulator.receive(account, payload);
    })(),
  ]);
  view = await locked.drained();
  await loose.drained();
  await Promise.all([locked.stop(), loose.stop()]);
  await view.refresh();
  versions = await bucket.versions(PREFIX);
}, 180_000);

afterAll(async () => {
  bucket?.[Symbol.dispose]();
  await Promise.all([locked?.[Symbol.asyncDispose](), loose?.[Symbol.asyncDispose]()]);
});

describe('an archive under Object Lock on a real Ceph RGW', () => {
  it('holds every message once, every file, and a gap for what is missing', async () => {
    expect(view.native().toSorted()).toEqual([...new Set(locked.handedOver())].toSorted());
    const files = await view.files();
    expect([...files.keys()].toSorted()).toEqual(['form.pdf', 'photo.jpg']);
    expect(files.get('photo.jpg')?.equals(photo)).toBe(true);
    expect(files.get('form.pdf')?.equals(form)).toBe(true);
    expect(view.views('edit').map(({ content }) => content.text)).toEqual(['second thoughts']);
    expect(view.gaps()).toEqual(
      expect.arrayContaining(['attachment-missing open', 'backend-outage open', 'backend-outage closed']),
    );
  });

  it('locks every version of every object in compliance mode, and lets nobody delete one', async () => {
    for (const kind of LOCKED) expect(ofKind(kind).length, kind).toBeGreaterThan(0);
    const keys = versions.filter(({ key }) => key.startsWith(`${PREFIX}log/`) || key.startsWith(`${PREFIX}media/`));
    const derivable = keys.filter(({ key }) => !LOCKED.some((kind) => key.includes(kind)));
    // What can be made again from the segments: `checkpoint` and everything below `tile/`.
    expect(new Set(derivable.map(({ key }) => /\/(checkpoint$|tile\/)/.exec(key)?.[1]))).toEqual(
      new Set(['checkpoint', 'tile/']),
    );
    for (const version of LOCKED.flatMap(ofKind)) {
      const { ObjectLockMode, ObjectLockRetainUntilDate } = await bucket.head(version);
      expect(ObjectLockMode, version.key).toBe('COMPLIANCE');
      expect(ObjectLockRetainUntilDate?.getTime() ?? 0, version.key).toBeGreaterThan(Date.now());
      expect(await bucket.remove(version.key, version.version, true), version.key).toBe('AccessDenied');
    }
  });

  it('verifies with 0, in words and in JSON', async () => {
    const words = await locked.verify();
    expect([words.code, firstLine(words), words.stderr]).toEqual([0, 'verified', '']);
    const json = await locked.verify('--json');
    const report = jsonOf(json);
    expect([json.code, report.verdict, report.exitCode, report.evaluation]).toEqual([0, 'verified', 0, false]);
    expect(report.store).toMatchObject({ kind: 's3', locksChecked: true, versionsChecked: true });
    expect(report.size).toBe(view.records.length);
  });

  it('verifies for an auditor who may only read', async () => {
    const name = uniqueName('auditor');
    const auditor = await createUser(sharedS3(), name);
    // The actions of the policy that deploy/ has for auditors.
    const { Statement } = JSON.parse(readFileSync(AUDITOR_POLICY, 'utf8')) as {
      Statement: { Sid: string; Action: string[] }[];
    };
    const own = Statement.map(({ Sid, Action }) => ({
      Sid,
      Effect: 'Allow',
      Principal: { AWS: [`arn:aws:iam:::user/${name}`] },
      Action,
      Resource: [`arn:aws:s3:::${bucket.name}`, `arn:aws:s3:::${bucket.name}/*`],
    }));
    const Policy = JSON.stringify({ Version: '2012-10-17', Statement: own });
    await bucket.client.send(new PutBucketPolicyCommand({ Bucket: bucket.name, Policy }));
    const credentials = join(locked.guard.dir, 'auditor-credentials');
    writeFileSync(credentials, `${auditor.accessKeyId}\n${auditor.secretAccessKey}\n`, { mode: 0o600 });
    const { ceremony, url } = locked;
    const finished = await locked.command(
      'verify',
      url,
      '--trust',
      ceremony.trust,
      ...locked.storeOptions({ credentials }),
    );
    expect([finished.code, firstLine(finished)]).toEqual([0, 'verified']);
    using mine = new Bucket(auditor, bucket.name);
    expect(await mine.remove(versions[0]?.key ?? '')).toBe('AccessDenied');
    await expect(mine.put(`${PREFIX}media/x`, Buffer.from('x'))).rejects.toMatchObject({ name: 'AccessDenied' });
  });

  it('verifies as grown from a checkpoint that was seen earlier, and reads only what is new', async () => {
    const finished = await locked.verify('--since', checkpoint, '--json');
    expect([finished.code, jsonOf(finished).verdict]).toEqual([0, 'verified']);
    expect(jsonOf(finished).from).toBeGreaterThan(0);
    const forged = join(locked.guard.dir, 'forged');
    writeFileSync(forged, readFileSync(checkpoint, 'utf8').replace(/^\d+$/m, '1'));
    const refused = await locked.verify('--since', forged, '--json');
    expect([refused.code, codes(jsonOf(refused).unchecked)]).toEqual([2, ['verify/since-malformed']]);
  });

  it('is, as a copy in a directory, good but for locks and versions', async () => {
    const copy = join(locked.guard.dir, 'copy');
    await bucket.copyTo(copy, PREFIX);
    const args = ['verify', pathToFileURL(copy).href, '--trust', locked.ceremony.trust];
    const strict = await locked.command(...args);
    expect([strict.code, firstLine(strict)]).toEqual([2, 'integrity verified; locks and versions not checked']);
    const content = await locked.command(...args, '--integrity-only');
    expect([content.code, firstLine(content)]).toEqual([0, 'integrity verified; locks and versions not checked']);
  });
});

describe('what cannot be checked', () => {
  const verifyWith = (trust: string, options: readonly string[]): Promise<Finished> =>
    locked.command('verify', locked.url, '--trust', trust, ...options, '--json');

  it('ends with 2 where the store does not answer, or refuses', async () => {
    const { trust } = locked.ceremony;
    const nobody = await verifyWith(trust, locked.storeOptions({ endpoint: `http://127.0.0.1:${await freePort()}` }));
    expect([nobody.code, codes(jsonOf(nobody).unchecked)]).toEqual([2, ['verify/reader-failed']]);
    const credentials = join(locked.guard.dir, 'wrong-credentials');
    writeFileSync(credentials, 'somebody\nelse\n', { mode: 0o600 });
    const stranger = await verifyWith(trust, locked.storeOptions({ credentials }));
    expect([stranger.code, codes(jsonOf(stranger).unchecked)]).toEqual([2, ['verify/reader-failed']]);
  });

  it('ends with 2 for the trust file of another log, and for one that is none', async () => {
    const other = await holdCeremony({ guard: locked.guard }, 'elsewhere.example/holdfast/2026', 'elsewhere');
    const absent = await verifyWith(other.trust, locked.storeOptions());
    expect([absent.code, codes(jsonOf(absent).unchecked)]).toEqual([2, ['verify/log-absent']]);
    const broken = join(locked.guard.dir, 'broken-trust.json');
    writeFileSync(broken, '{"v":1}');
    const unread = await verifyWith(broken, locked.storeOptions());
    expect([unread.code, unread.stdout]).toEqual([2, '']);
    expect(unread.stderr).toContain('format/');
    // The right name and the wrong keys: somebody signed this log who is not trusted.
    const renamed = join(locked.guard.dir, 'renamed-trust.json');
    const { root } = JSON.parse(readFileSync(other.trust, 'utf8')) as { root: string };
    writeFileSync(
      renamed,
      JSON.stringify({ ...(JSON.parse(readFileSync(locked.ceremony.trust, 'utf8')) as object), root }),
    );
    const foreign = await verifyWith(renamed, locked.storeOptions());
    expect(foreign.code).toBe(1);
    expect(codes(jsonOf(foreign).findings)).toContain('verify/manifest-signature');
  });
});

describe('what is done to a bucket behind the archive’s back', () => {
  it('is a note where a later version has the same bytes', async () => {
    const [pack] = ofKind('pack/') as [Version];
    await bucket.put(pack.key, (await bucket.get(pack)).bytes);
    const finished = await locked.verify('--json');
    expect([finished.code, codes(jsonOf(finished).notes)]).toEqual([
      0,
      expect.arrayContaining(['verify/version-identical']),
    ]);
  });

  it('is a finding where a later version has other bytes', async () => {
    const pack = ofKind('pack/').at(-1) as Version;
    const { bytes } = await bucket.get(pack);
    bytes[3] = (bytes[3] ?? 0) ^ 1;
    await bucket.put(pack.key, bytes);
    const finished = await locked.verify('--json');
    expect([finished.code, codes(jsonOf(finished).findings)]).toEqual([1, ['verify/version-other-bytes']]);
  });

  it('is a finding where a delete marker hides a segment', async () => {
    expect(await bucket.remove(ofKind('segment/')[1]?.key ?? '')).toBe('204');
    const finished = await locked.verify('--json');
    expect([finished.code, codes(jsonOf(finished).findings)]).toEqual([
      1,
      ['verify/version-delete-marker', 'verify/version-other-bytes'],
    ]);
    expect((await view.refresh()).native()).toHaveLength(new Set(locked.handedOver()).size);
  });

  it('is a finding where a pack is gone that governance mode let somebody delete', async () => {
    const before = await loose.verify('--json');
    expect([before.code, jsonOf(before).verdict]).toEqual([0, 'verified']);
    using weak = new Bucket(sharedS3(), loose.bucket ?? '');
    const [pack] = await weak.versions(`${PREFIX}log/${loose.ceremony.origin}/pack/`);
    expect((await weak.head(pack as Version)).ObjectLockMode).toBe('GOVERNANCE');
    expect(await weak.remove(pack?.key ?? '', pack?.version)).toBe('AccessDenied');
    expect(await weak.remove(pack?.key ?? '', pack?.version, true)).toBe('204');
    const finished = await loose.verify('--json');
    expect([finished.code, codes(jsonOf(finished).findings)]).toEqual([1, ['verify/pack-missing']]);
  });
});
