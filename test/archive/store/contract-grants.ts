// SPDX-License-Identifier: AGPL-3.0-or-later
import { expect, it } from 'vitest';
import { confirmUpload } from '../../../src/archive/store-confirm.ts';
import { digestOf, drained, expectFailure, freshKey, lockFor, textOf, type Subject } from './subject.ts';

const BYTES = Buffer.from('a sealed object');

export function grantRows(subject: Subject): void {
  const { store, upload } = subject;

  it('counts an upload when the store shows it, and not before', async () => {
    const key = freshKey('media/aa');
    const lock = await lockFor(store);
    const grant = await store.grant(key, digestOf(BYTES), lock);
    expect(grant).toMatchObject({ key, sha256: digestOf(BYTES).sha256, size: BYTES.length });
    expect(await confirmUpload(store, grant, lock)).toBeNull();
    expect(await upload(grant, BYTES)).toBe(200);
    const state = await confirmUpload(store, grant, lock);
    expect(state).toMatchObject({
      key,
      size: BYTES.length,
      sha256: grant.sha256,
      lock: store.abilities.locks ? lock : null,
    });
    expect(await confirmUpload(store, grant, lock)).toEqual(state);
    expect(textOf(await store.read(key))).toBe(String(BYTES));
  });

  it('says when a grant ends, in whole seconds, soon', async () => {
    const { expires } = await store.grant(freshKey('media/aa'), digestOf(BYTES), await lockFor(store));
    expect(expires).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(Date.parse(expires)).toBeGreaterThan(Date.now());
    expect(Date.parse(expires)).toBeLessThanOrEqual(Date.now() + 3_601_000);
  });

  it('lets the upload be repeated by an uploader that crashed', async () => {
    const key = freshKey('media/aa');
    const earlier = await store.grant(key, digestOf(BYTES), await lockFor(store));
    await upload(earlier, BYTES);
    const lock = await lockFor(store, 2);
    const again = await store.grant(key, digestOf(BYTES), lock);
    expect([200, 412]).toContain(await upload(again, BYTES));
    const state = await confirmUpload(store, again, lock);
    expect(state?.lock).toEqual(store.abilities.locks ? lock : null);
    expect(textOf(await store.read(key))).toBe(String(BYTES));
  });

  it('streams a large upload', async () => {
    const key = freshKey('media/aa');
    const lock = await lockFor(store);
    const bytes = Buffer.alloc(8 * 1024 * 1024, 'large');
    const grant = await store.grant(key, digestOf(bytes), lock);
    expect(await upload(grant, bytes)).toBe(200);
    expect((await confirmUpload(store, grant, lock))?.size).toBe(bytes.length);
    expect((await drained(await store.readStream(key, ''))).equals(bytes)).toBe(true);
  });

  it('is given for locked keys under a lock that could be created', async () => {
    const lock = await lockFor(store);
    await expectFailure(store.grant('log/o/checkpoint', digestOf(BYTES), lock), 'store/bad-key');
    await expectFailure(store.grant('../media/aa', digestOf(BYTES), lock), 'store/bad-key');
    const key = freshKey('media/aa');
    await expectFailure(store.grant(key, digestOf(BYTES), { ...lock, until: 'soon' }), 'store/bad-lock');
    if (!store.abilities.locks) return;
    await expectFailure(store.grant(key, digestOf(BYTES), await lockFor(store, 25)), 'store/lock-over-cap');
    await expectFailure(store.grant(key, digestOf(BYTES), await lockFor(store, -1)), 'store/bad-lock');
  });

  it('never confirms other bytes than were granted', async () => {
    const key = freshKey('media/aa');
    const lock = await lockFor(store);
    await store.create(key, Buffer.from('another object!'), lock);
    await expectFailure(confirmUpload(store, { key, ...digestOf(BYTES) }, lock), 'store/readback');
    await expectFailure(confirmUpload(store, { key, ...digestOf(Buffer.of(1)) }, lock), 'store/readback');
  });

  if (store.abilities.kind === 'directory') directoryRows(subject);
  else presignedRows(subject);
}

function directoryRows({ store, upload }: Subject): void {
  it.each([
    ['of the same length', Buffer.from('a forged object')],
    ['that is shorter', Buffer.from('a sealed')],
    ['that is longer', Buffer.from('a sealed object, and more')],
  ])('does not take in another body %s, and takes the right one after it', async (_, forged) => {
    const key = freshKey('media/aa');
    const lock = await lockFor(store);
    const grant = await store.grant(key, digestOf(BYTES), lock);
    expect(await upload(grant, forged)).toBe(200);
    expect(await confirmUpload(store, grant, lock)).toBeNull();
    expect(await store.read(key)).toBeNull();
    expect(await upload(grant, BYTES)).toBe(200);
    expect((await confirmUpload(store, grant, lock))?.sha256).toBe(grant.sha256);
  });
}

function presignedRows({ store, upload, others }: Subject): void {
  const digestHeader = store.abilities.checksumSha256 ? 'x-amz-checksum-sha256' : 'content-md5';

  it('loses the lock on a server that ignores it in the query, where the presigner is left to itself', async () => {
    const key = freshKey('media/aa');
    const lock = await lockFor(store);
    const careless = await others?.presignCarelessly(key, digestOf(BYTES), lock);
    if (careless === undefined) throw new Error('a bucket has others');
    expect(await upload(careless, BYTES)).toBe(200);
    const state = await store.state(key, '');
    others?.strangers.add(state?.version ?? '');
    expect(state?.lock).toBeNull();
    await expectFailure(confirmUpload(store, careless, lock), 'store/lock-ignored');
  });

  it('keeps every signed header a header', async () => {
    const { url, headers } = await store.grant(freshKey('media/aa'), digestOf(BYTES), await lockFor(store));
    const query = new URL(url).searchParams;
    const signed = query.get('X-Amz-SignedHeaders')?.split(';') ?? [];
    for (const name of Object.keys(headers)) {
      expect(signed).toContain(name);
      expect([...query.keys()].map((key) => key.toLowerCase())).not.toContain(name);
    }
    expect(signed).toEqual(expect.arrayContaining(['host', 'content-length', 'if-none-match', digestHeader]));
  });

  it.each([
    ['without lock headers', { 'x-amz-object-lock-mode': '', 'x-amz-object-lock-retain-until-date': '' }],
    ['with GOVERNANCE instead', { 'x-amz-object-lock-mode': 'GOVERNANCE' }],
    ['with a later date', { 'x-amz-object-lock-retain-until-date': '2099-01-01T00:00:00Z' }],
    ['with the date written otherwise', { 'x-amz-object-lock-retain-until-date': 'fraction' }],
    ['with another digest of the body', { [digestHeader]: 'AAAAAAAAAAAAAAAAAAAAAA==' }],
    ['without the precondition', { 'if-none-match': '' }],
  ])('is refused %s', async (_, changed) => {
    const key = freshKey('media/aa');
    const lock = await lockFor(store);
    const grant = await store.grant(key, digestOf(BYTES), lock);
    const fraction = lock.until.replace('Z', '.000Z');
    const headers = Object.entries({ ...grant.headers, ...changed }).map(([name, value]) => [
      name,
      value === 'fraction' ? fraction : value,
    ]);
    const sent = Object.fromEntries(headers.filter(([, value]) => value !== '')) as Record<string, string>;
    expect([400, 403]).toContain(await upload(grant, BYTES, sent));
    expect(await confirmUpload(store, grant, lock)).toBeNull();
  });

  it.each([
    ['of the same length', Buffer.from('a forged object')],
    ['that is longer', Buffer.from('a sealed object, and more')],
    ['that is shorter', Buffer.from('a sealed')],
  ])('is refused for another body %s', async (_, forged) => {
    const key = freshKey('media/aa');
    const lock = await lockFor(store);
    const grant = await store.grant(key, digestOf(BYTES), lock);
    const headers = { ...grant.headers, 'content-length': String(forged.length) };
    expect([400, 403]).toContain(await upload(grant, forged, headers));
    expect(await confirmUpload(store, grant, lock)).toBeNull();
  });

  it('is refused for another key', async () => {
    const lock = await lockFor(store);
    const grant = await store.grant(freshKey('media/aa'), digestOf(BYTES), lock);
    const other = freshKey('media/bb');
    expect(await upload({ ...grant, url: grant.url.replace(grant.key, other) }, BYTES)).toBe(403);
    expect(await store.state(other, '')).toBeNull();
  });
}
