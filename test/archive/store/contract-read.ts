// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { digestOf, drained, expectFailure, freshKey, listed, lockFor, textOf, type Subject } from './subject.ts';

const MIB = 1024 * 1024;

export function readRows({ store, open }: Subject): void {
  it('has nothing where nothing was written', async () => {
    const key = freshKey();
    expect(await store.read(key)).toBeNull();
    expect(await store.state(key, '')).toBeNull();
    expect(await listed(store, key)).toEqual([]);
    await expectFailure(streamed(key, ''), 'store/not-found');
    expect(await store.read('log/nobody/checkpoint')).toBeNull();
    expect(await store.state('log/nobody/checkpoint', '')).toBeNull();
  });

  it('has no version that was never given out', async () => {
    const key = freshKey();
    await store.create(key, Buffer.of(1), await lockFor(store));
    expect(await store.state(key, 'no.such.version')).toBeNull();
    await expectFailure(streamed(key, 'no.such.version'), 'store/not-found');
  });

  it('does not take a longer key for a shorter one', async () => {
    const key = freshKey();
    await store.create(`${key}-b`, Buffer.from('longer'), await lockFor(store));
    expect(await store.read(key)).toBeNull();
    await store.create(key, Buffer.from('shorter'), await lockFor(store));
    expect(textOf(await store.read(key))).toBe('shorter');
  });

  it('tells the state of what it keeps', async () => {
    const key = freshKey();
    const bytes = Buffer.from('some bytes');
    const lock = await lockFor(store);
    const { version } = await store.create(key, bytes, lock);
    const state = await store.state(key, version);
    expect(state).toMatchObject({
      key,
      version,
      size: 10,
      legalHold: false,
      lock: store.abilities.locks ? lock : null,
    });
    expect(state?.sha256).toBe(store.abilities.checksumSha256 ? digestOf(bytes).sha256 : null);
    expect(await store.state(key, '')).toEqual(state);
  });

  it('streams 64 MiB in bounded memory, also to a reader that pauses', async () => {
    const key = freshKey('media/aa');
    const expected = await createLarge(key, 64 * MIB);
    const baseline = buffersAfterGc();
    const hash = createHash('sha256');
    let received = 0;
    let peak = 0;
    let next = 0;
    for await (const chunk of await store.readStream(key, '')) {
      hash.update(chunk);
      if (received >= next) {
        next += 8 * MIB;
        // Long enough for a server to send all the rest, if somebody took it.
        await new Promise((resolve) => setTimeout(resolve, 100));
        peak = Math.max(peak, buffersAfterGc() - baseline);
      }
      received += chunk.length;
    }
    expect(received).toBe(64 * MIB);
    expect(hash.digest('hex')).toBe(expected);
    expect(peak).toBeLessThan(16 * MIB);
  });

  it('lets a reader stop in the middle of a stream, or never begin', async () => {
    const key = freshKey('media/aa');
    await store.create(key, Buffer.alloc(4 * MIB, 1), await lockFor(store));
    for (let round = 0; round < 20; round += 1) {
      await store.readStream(key, '');
      for await (const chunk of await store.readStream(key, '')) {
        expect(chunk[0]).toBe(1);
        break;
      }
    }
    expect((await drained(await store.readStream(key, ''))).length).toBe(4 * MIB);
  });

  it('lists keys in the order of their bytes, under a prefix, after a key', async () => {
    const folder = freshKey();
    const names = ['a', 'a-b', 'a.b', 'a0', 'b/c', 'b/c-d/e', 'b/c/d', 'b0', 'c/a', 'c/b'].map(
      (name) => `${folder}/${name}`,
    );
    const lock = await lockFor(store);
    // A directory cannot hold both an object and a folder of one name, and the archive never does that.
    const possible = store.abilities.versions ? names : names.filter((name) => !name.endsWith('/b/c'));
    for (const name of possible.toReversed()) await store.create(name, Buffer.from(name), lock);
    const sorted = possible.toSorted((a, b) => (a < b ? -1 : 1));
    for (const listPageSize of [3, 1000]) {
      await using small = await open({ listPageSize });
      const keys = async (prefix: string, after?: string) => (await listed(small, prefix, after)).map(({ key }) => key);
      expect(await keys(`${folder}/`)).toEqual(sorted);
      expect(await keys(`${folder}/b`)).toEqual(sorted.filter((key) => key.startsWith(`${folder}/b`)));
      expect(await keys(`${folder}/b/c-d/`)).toEqual([`${folder}/b/c-d/e`]);
      for (const after of sorted) expect(await keys(`${folder}/`, after)).toEqual(sorted.filter((key) => key > after));
      expect(await keys(`${folder}/`, `${folder}/b`)).toEqual(sorted.filter((key) => key > `${folder}/b`));
    }
    const [first] = await listed(store, `${folder}/a`);
    expect(first).toMatchObject({ size: `${folder}/a`.length, deleteMarker: false, latest: true });
  });

  async function streamed(key: string, version: string): Promise<Buffer> {
    return drained(await store.readStream(key, version));
  }

  async function createLarge(key: string, size: number): Promise<string> {
    const bytes = Buffer.alloc(size);
    for (let at = 0; at < size; at += MIB) bytes.writeUInt32BE(at, at);
    await store.create(key, bytes, await lockFor(store));
    return digestOf(bytes).sha256;
  }
}

function buffersAfterGc(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  // What the first one found is freed beside the program, and surely so only before the second one begins.
  collect();
  collect();
  return process.memoryUsage().arrayBuffers;
}
