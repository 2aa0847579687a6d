// SPDX-License-Identifier: AGPL-3.0-or-later
import { expect, it } from 'vitest';
import { objectClass } from '../../../src/archive/store-key.ts';
import { drained, freshKey, listed, lockFor, type Others, textOf, type Subject } from './subject.ts';

export function versionRows({ store, open }: Subject, others: Others): void {
  it('finds an object under a delete marker', async () => {
    const key = freshKey();
    const { version } = await store.create(key, Buffer.from('hidden'), await lockFor(store));
    await others.addDeleteMarker(key);
    expect(await store.read(key)).toEqual({ version, bytes: new Uint8Array(Buffer.from('hidden')) });
    expect(String(await drained(await store.readStream(key, '')))).toBe('hidden');
    expect((await store.state(key, ''))?.version).toBe(version);
    const shown = await listed(store, key);
    expect(shown.map((one) => [one.deleteMarker, one.latest])).toEqual([
      [true, true],
      [false, false],
    ]);
    expect(await store.state(key, shown[0]?.version ?? '')).toBeNull();
  });

  it('finds an object above a delete marker that was there before it', async () => {
    const key = freshKey();
    await others.addDeleteMarker(key);
    expect(await store.read(key)).toBeNull();
    const { won, version } = await store.create(key, Buffer.from('first'), await lockFor(store));
    expect(won).toBe(true);
    expect((await store.read(key))?.version).toBe(version);
  });

  it('does not create a second time behind a delete marker', async () => {
    const key = freshKey();
    const first = await store.create(key, Buffer.from('first'), await lockFor(store));
    await others.addDeleteMarker(key);
    expect(await store.create(key, Buffer.from('other'), await lockFor(store))).toEqual({
      won: false,
      version: first.version,
    });
    await others.addDeleteMarker(key);
    expect(await store.create(key, Buffer.from('first'), await lockFor(store))).toEqual(first);
    expect(textOf(await store.read(key))).toBe('first');
  });

  it('gives the first version, whatever was put on top', async () => {
    const key = freshKey();
    const { version } = await store.create(key, Buffer.from('first'), await lockFor(store));
    const later = await others.addVersion(key, Buffer.from('later'));
    expect(await store.read(key)).toEqual({ version, bytes: new Uint8Array(Buffer.from('first')) });
    expect(String(await drained(await store.readStream(key, later)))).toBe('later');
    expect((await store.state(key, later))?.version).toBe(later);
    expect(await store.create(key, Buffer.from('later'), await lockFor(store))).toEqual({ won: false, version });
  });

  it('lists versions newest first with their delete markers, in pages of any size', async () => {
    const folder = freshKey();
    const lock = await lockFor(store);
    const expected: [string, string, boolean][] = [];
    for (const name of ['a', 'b', 'c']) {
      const key = `${folder}/${name}`;
      const { version } = await store.create(key, Buffer.from('first'), lock);
      const versions = [version];
      for (const text of ['2', '3', '4']) versions.unshift(await others.addVersion(key, Buffer.from(text)));
      await others.addDeleteMarker(key);
      expected.push([key, '', true], ...versions.map((one): [string, string, boolean] => [key, one, false]));
    }
    for (const listPageSize of [1, 2, 4, 1000]) {
      await using small = await open({ listPageSize });
      const seen = await listed(small, folder);
      expect(seen.map((one) => [one.key, one.deleteMarker ? '' : one.version, one.deleteMarker])).toEqual(expected);
      expect(seen.filter(({ latest }) => latest)).toHaveLength(3);
      expect(textOf(await small.read(`${folder}/b`))).toBe('first');
      expect((await listed(small, folder, `${folder}/a`)).map(({ key }) => key)).toEqual(
        expected.slice(5).map(([key]) => key),
      );
    }
  });

  it('finds the first of more versions than a page holds', async () => {
    const key = freshKey();
    const { version } = await store.create(key, Buffer.from('first'), await lockFor(store));
    for (let at = 0; at < 120; at += 10) {
      await Promise.all(Array.from({ length: 10 }, () => others.addVersion(key, Buffer.from('later'))));
    }
    expect((await store.read(key))?.version).toBe(version);
  });
}

export function wholeBucketRows({ store }: Subject, others: Others): void {
  it('in which every version that is not derivable has a lock', async () => {
    let looked = 0;
    for await (const { key, version, deleteMarker } of store.listVersions('')) {
      if (deleteMarker || objectClass(key) === 'derived' || others.strangers.has(version)) continue;
      const state = await store.state(key, version);
      expect(state?.lock, key).not.toBeNull();
      looked += 1;
    }
    expect(looked).toBeGreaterThan(40);
  });
}
