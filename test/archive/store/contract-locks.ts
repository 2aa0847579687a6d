// SPDX-License-Identifier: AGPL-3.0-or-later
import { expect, it } from 'vitest';
import { expectFailure, freshKey, lockFor, type Subject } from './subject.ts';

const NOBODY = 'no.such.version';

export function lockRows({ store, others }: Subject): void {
  it.each(['COMPLIANCE', 'GOVERNANCE'] as const)('keeps a %s lock as asked', async (mode) => {
    const key = freshKey();
    const lock = await lockFor(store, 1, mode);
    const { version } = await store.create(key, Buffer.of(1), lock);
    expect((await store.state(key, version))?.lock).toEqual(lock);
    expect(await others?.deleteVersion(key, version)).toBe(403);
    expect((await store.read(key))?.version).toBe(version);
  });

  it('lengthens the winner’s lock when the same bytes come again with a later date', async () => {
    const key = freshKey();
    const { version } = await store.create(key, Buffer.of(1), await lockFor(store));
    const longer = await lockFor(store, 2);
    expect(await store.create(key, Buffer.of(1), longer)).toEqual({ won: true, version });
    expect((await store.state(key, version))?.lock).toEqual(longer);
    expect(await store.create(key, Buffer.of(1), await lockFor(store, 1, 'GOVERNANCE'))).toEqual({
      won: true,
      version,
    });
    expect((await store.state(key, version))?.lock).toEqual(longer);
  });

  it('extends, again and by the empty version, and never shortens', async () => {
    const key = freshKey();
    const { version } = await store.create(key, Buffer.of(1), await lockFor(store, 2));
    const longer = await lockFor(store, 3);
    await store.extend(key, version, longer);
    await store.extend(key, version, longer);
    expect((await store.state(key, version))?.lock).toEqual(longer);
    await expectFailure(store.extend(key, version, await lockFor(store, 2)), 'store/lock-shortened');
    await expectFailure(store.extend(key, version, await lockFor(store, 4, 'GOVERNANCE')), 'store/lock-shortened');
    expect((await store.state(key, version))?.lock).toEqual(longer);
    const longest = await lockFor(store, 4);
    await store.extend(key, '', longest);
    expect((await store.state(key, version))?.lock).toEqual(longest);
  });

  it('extends one version and leaves the others', async () => {
    const key = freshKey();
    const lock = await lockFor(store, 1);
    const { version } = await store.create(key, Buffer.of(1), lock);
    const later = (await others?.addVersion(key, Buffer.of(2))) ?? '';
    await store.extend(key, later, await lockFor(store, 2));
    expect((await store.state(key, version))?.lock).toEqual(lock);
  });

  it('lets racing extensions end with the latest date', async () => {
    const key = freshKey();
    const { version } = await store.create(key, Buffer.of(1), await lockFor(store, 1));
    const locks = await Promise.all([2, 3, 4, 5].map((hours) => lockFor(store, hours)));
    const latest = store.create(key, Buffer.of(1), locks[3] ?? (await lockFor(store, 5)));
    await Promise.all([...locks.slice(0, 3).map((lock) => store.create(key, Buffer.of(1), lock)), latest]);
    expect((await store.state(key, version))?.lock).toEqual(locks[3]);
  });

  it('refuses a date in the past and one over the cap, before anything is sent', async () => {
    const key = freshKey();
    const past = await lockFor(store, -1);
    const over = await lockFor(store, 25);
    await expectFailure(store.create(key, Buffer.of(1), past), 'store/bad-lock');
    await expectFailure(store.create(key, Buffer.of(1), over), 'store/lock-over-cap');
    expect(await store.state(key, '')).toBeNull();
    await store.create(key, Buffer.of(1), await lockFor(store));
    await expectFailure(store.extend(key, '', over), 'store/lock-over-cap');
    await expectFailure(store.extend(key, '', past), 'store/bad-lock');
  });

  it('cannot lock what is not there', async () => {
    const key = freshKey();
    await expectFailure(store.extend(key, '', await lockFor(store)), 'store/not-found');
    await expectFailure(store.extend(key, NOBODY, await lockFor(store)), 'store/not-found');
    await expectFailure(store.setLegalHold(key, '', true), 'store/not-found');
    await expectFailure(store.setLegalHold(key, NOBODY, true), 'store/not-found');
  });

  it('sets and lifts a legal hold on one version', async () => {
    const key = freshKey();
    const { version } = await store.create(key, Buffer.of(1), await lockFor(store));
    for (const on of [true, true, false, false, true]) {
      await store.setLegalHold(key, version, on);
      expect((await store.state(key, version))?.legalHold).toBe(on);
    }
    expect((await store.state(key, version))?.lock?.mode).toBe('COMPLIANCE');
    await store.setLegalHold(key, '', false);
    expect((await store.state(key, ''))?.legalHold).toBe(false);
  });
}

/** A store without locks says so, and does not pretend. */
export function noLockRows({ store }: Subject): void {
  it('has neither retention periods nor legal holds', async () => {
    const key = freshKey();
    const { version } = await store.create(key, Buffer.of(1), await lockFor(store));
    expect((await store.state(key, version))?.lock).toBeNull();
    await expectFailure(store.extend(key, version, await lockFor(store, 2)), 'store/no-ability');
    await expectFailure(store.setLegalHold(key, version, true), 'store/no-ability');
    await expectFailure(store.setLegalHold(key, version, false), 'store/no-ability');
    expect(store.abilities).toMatchObject({ legalHold: false, versions: false });
  });
}
