// SPDX-License-Identifier: AGPL-3.0-or-later
import { createSecretKey, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Failure } from '../../src/base/failure.ts';
import { tamper } from '../support/spool-disk.ts';
import { rejectionOf, SpoolKit, temporaryDirectory } from '../support/spool-kit.ts';
import { message } from '../support/spool-parts.ts';

const put = (name: string, value: string | null) => ({ name, value: value === null ? null : Buffer.from(value) });

function codeOf(act: () => unknown): string | null {
  try {
    act();
    return null;
  } catch (error) {
    return (error as Failure).code;
  }
}

describe('session state', () => {
  it('is committed with the captures, or not at all', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const { sink } = await kit.account();
    await sink.deliver([message('a')], [put('ratchet', 'one'), put('cursor', '1')]);
    // A gap that breaks the grammar takes back the state that came with it.
    const broken = { ...message('b'), type: 'gap', cause: 'nonsense', scope: 'account', state: 'open' } as never;
    expect(await rejectionOf(sink.deliver([broken], [put('ratchet', 'two'), put('cursor', null)]))).toBe(
      'format/entry',
    );
    expect([sink.session('ratchet')?.toString(), sink.session('cursor')?.toString()]).toEqual(['one', '1']);
    await sink.deliver([], [put('ratchet', 'three'), put('cursor', null)]);
    await kit.reopen();
    const after = (await kit.account()).sink;
    expect([after.session('ratchet')?.toString(), after.session('cursor')]).toEqual(['three', null]);
  });

  it('belongs to one account', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const { sink } = await kit.account();
    const { sink: other } = await kit.account('second');
    await sink.deliver([], [put('creds', 'mine')]);
    expect(other.session('creds')).toBeNull();
    expect(other.sessionNames('')).toEqual([]);
  });

  it('lists names by what they start with, whatever characters they are made of', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const { sink } = await kit.account();
    const word = fc.string({ unit: fc.constantFrom('a', 'b', '/', '%', '_', '\u{10fffe}', 'é', '~'), maxLength: 4 });
    const names = fc.sample(word, { numRuns: 200, seed: 7 });
    await sink.deliver(
      [],
      names.map((name) => put(name, 'x')),
    );
    const sorted = [...new Set(names)].toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    for (const prefix of ['', 'a', 'a/', '%', '_', 'é', '\u{10fffe}', 'ab~']) {
      expect(sink.sessionNames(prefix)).toEqual(sorted.filter((name) => name.startsWith(prefix)));
    }
  });

  it('under another host key ends the start, and is never taken for absent', async () => {
    const kit = await SpoolKit.open(temporaryDirectory());
    await (await kit.account()).sink.deliver([], [put('creds', 'secret')]);
    await kit[Symbol.asyncDispose]();
    const hostKey = createSecretKey(randomBytes(32));
    expect(await rejectionOf(SpoolKit.open(kit.directory, { hostKey }))).toBe('spool/session-unreadable');
    await kit[Symbol.asyncDispose]().catch(() => undefined);
    await using right = await SpoolKit.open(kit.directory);
    expect((await right.account()).sink.session('creds')?.toString()).toBe('secret');
  });

  it('that was moved to another name or account, or changed in any way, is a fatal failure', async () => {
    const kit = await SpoolKit.open(temporaryDirectory());
    const { sink } = await kit.account();
    const { sink: other } = await kit.account('second');
    await sink.deliver([], [put('a', 'value of a'), put('b', 'value of b'), put('c', 'value of c')]);
    await kit[Symbol.asyncDispose]();
    tamper(kit.directory, (db) => {
      const value = (name: string) =>
        db.prepare('SELECT value FROM session WHERE name = ?').get(name)?.['value'] as Uint8Array;
      const set = db.prepare('UPDATE session SET value = ? WHERE name = ?');
      const [a, b] = [value('a'), value('b')];
      set.run(b, 'a');
      b[20] = (b[20] as number) ^ 1;
      set.run(b, 'b');
      set.run(Buffer.alloc(3), 'c');
      db.prepare('INSERT INTO session(acct, name, value) VALUES (?, ?, ?)').run(other.acct, 'a', a);
    });
    await using again = await SpoolKit.open(kit.directory);
    const [first, second] = [(await again.account()).sink, (await again.account('second')).sink];
    for (const name of ['a', 'b', 'c']) expect(codeOf(() => first.session(name))).toBe('spool/session-unreadable');
    expect(codeOf(() => second.session('a'))).toBe('spool/session-unreadable');
  });
});
