// SPDX-License-Identifier: AGPL-3.0-or-later
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeVerifierKey } from '../../src/record/note.ts';
import { auditIn } from '../access/kit.ts';
import type { TalkingArchive } from '../search/archive-kit.ts';
import { ANA, CLEO, HARBOUR, message } from '../search/kit.ts';
import { Authority } from '../timestamp/authority.ts';
import { Guard } from '../services/guard.ts';
import { TRUST } from '../support/archive-fixture.ts';
import { readerPlace, talkOfBerth } from '../support/e2e-reader.ts';
import { Daemon, runHoldfast, until, type Finished } from '../support/e2e-process.ts';
import { ROOT, STRANGER, type RecipientPair } from '../vectors/keys.ts';

const guard = new Guard('read');
let archive: TalkingArchive;
const run = (...args: string[]): Promise<Finished> => runHoldfast(args, { guard });
const codeIn = ({ stderr }: Finished): string => /^error (\S+)/m.exec(stderr)?.[1] ?? stderr;

const place = (name: string, key?: RecipientPair): string => readerPlace(join(guard.dir, name), archive, key);

beforeAll(async () => {
  archive = await talkOfBerth(join(guard.dir, 'made'));
});
afterAll(async () => {
  await archive?.[Symbol.asyncDispose]();
  await guard.end();
});

describe('holdfast read, search and show', () => {
  it('index an archive, find in it, and show a conversation whole', async () => {
    const config = place('whole');
    const read = await run('read', '--once', '--config', config);
    expect([read.code, read.stderr]).toEqual([0, '']);
    expect(read.stdout).toMatch(/^indexed {2}\d+ records, .* complete up to checkpoint \d+ of /);
    const found = await run('search', '--json', 'berth', 'from:ben', '--config', config);
    const result = JSON.parse(found.stdout) as {
      total: number;
      hits: { copies: number }[];
      index: { checkpoint: number };
    };
    expect(result).toMatchObject({
      total: 1,
      hits: [{ text: 'the berth is free', copies: 2, edited: true, deleted: true }],
    });
    expect((await run('search', '木曜', '--config', config)).stdout).toMatch(/^1 hit\n/);
    const { stdout } = await run('show', 'harbour watch', '--config', config);
    for (const part of [
      '[deleted] the berth is free',
      'first written',
      'the berth is taken',
      'also captured by',
      '検査は木曜日です',
      'complete up to checkpoint',
    ]) {
      expect(stdout).toContain(part);
    }
    expect((await run('show', '--config', config)).stdout).toContain('Harbour Watch');
    expect(statSync(join(guard.dir, 'whole', 'index')).mode & 0o777).toBe(0o700);
  });

  it('give the same answers from an index that was built again', async () => {
    const config = place('again');
    await run('read', '--once', '--config', config);
    const before = await run('show', 'harbour watch', '--json', '--config', config);
    const rebuilt = await run('read', '--once', '--rebuild', '--json', '--config', config);
    expect(JSON.parse(rebuilt.stdout)).toMatchObject({ origin: TRUST.origin, unreadable: 0 });
    expect((await run('show', 'harbour watch', '--json', '--config', config)).stdout).toBe(before.stdout);
  });

  it('follow the log while it grows, log no content, and stop when asked', async () => {
    const config = place('follow');
    const daemon = new Daemon({ args: ['read', '--config', config], guard });
    await daemon.started();
    await until('the first records', () => daemon.count('index.grown') > 0);
    await archive.maker.hour();
    await archive.capture(ANA, message('a word nobody said before: quixotic'), { by: CLEO, chat: HARBOUR });
    await archive.maker.archive();
    await until('the new message', async () =>
      (await run('search', 'quixotic', '--config', config)).stdout.startsWith('1 hit'),
    );
    // A second writer is told; readers are not hindered.
    expect(codeIn(await run('read', '--once', '--config', config))).toBe('search/index-in-use');
    expect(await daemon.end('SIGTERM')).toBe(0);
    expect(daemon.printed).not.toMatch(/quixotic|berth|Ana|Ben|\+1202/);
  });

  it('say times on the clocks of whoever asks, and which those are', async () => {
    const config = place('zones');
    await run('read', '--once', '--config', config);
    const zone = ['--zone', 'America/New_York', '--config', config];
    const shown = await run('show', 'harbour watch', ...zone);
    expect(shown.stdout).toMatch(/^2026-11-22 \d\d:\d\d:\d\d -05:00 /m);
    expect(shown.stdout).toMatch(/times of America\/New_York; \d+ records/);
    expect((await run('search', 'on:2026-11-22 berth', ...zone)).stdout).toMatch(/^1 hit/);
    expect((await run('search', 'on:2026-11-23 berth', ...zone)).stdout).toMatch(/^0 hits/);
    const wrong = await run('search', 'berth', '--zone', 'Nowhere/Land', '--config', config);
    expect([wrong.code, codeIn(wrong)]).toEqual([2, 'search/query']);
  });

  it('write exports that an authority stamps, and say so where it is away, to be stamped later', async () => {
    const config = place('stamped');
    const settings = readFileSync(config, 'utf8');
    await using authority = new Authority();
    const ca = join(guard.dir, 'stamped', 'tsa.pem');
    writeFileSync(ca, authority.root);
    const named = (url: string): void =>
      writeFileSync(config, `${settings}timeStamps: [{ url: '${url}', ca: tsa.pem }]\n`);
    await run('read', '--once', '--config', config);
    const out = join(guard.dir, 'stamped-out');
    named('http://127.0.0.1:9/');
    const away = await run('export', 'berth', '--format', 'csv', '--out', out, '--config', config);
    expect([away.code, away.stderr]).toEqual([
      0,
      expect.stringContaining('not stamped by all (timestamp/unreachable)'),
    ]);
    expect((await run('export', 'stamp', out, '--config', config)).code).toBe(1);
    named(await authority.listen());
    const later = await run('export', 'stamp', out, '--config', config);
    expect([later.code, later.stdout]).toEqual([0, expect.stringMatching(/^stamped {3}stamps\/[0-9a-f]{16}\.token/)]);
    const checked = await run('export', 'check', out, '--tsa-ca', ca);
    expect([checked.code, checked.stdout]).toEqual([0, expect.stringMatching(/it was so on 20\d\d-/)]);
    const at = await run('export', 'berth', '--format', 'csv', '--out', `${out}-2`, '--config', config, '--json');
    expect(JSON.parse(at.stdout)).toMatchObject({ stamps: { stamped: [expect.any(String)], failed: [] } });
  });

  it('say in one error what is wrong', async () => {
    const config = place('wrong');
    expect(codeIn(await run('search', 'x', '--config', config))).toBe('search/index-missing');
    await run('read', '--once', '--config', config);
    const query = await run('search', 'a OR', '--config', config);
    expect([query.code, codeIn(query)]).toEqual([2, 'search/query']);
    expect(query.stderr).toContain('character 5 of the query');
    expect(codeIn(await run('show', 'nobody at all', '--config', config))).toBe('search/not-found');
    expect(codeIn(await run('search', 'a', '--order', 'best', '--config', config))).toBe('search/query');
    chmodSync(join(guard.dir, 'wrong', 'index'), 0o755);
    expect(codeIn(await run('search', 'a', '--config', config))).toBe('search/index-exposed');
    const stranger = await run('read', '--once', '--config', place('stranger', STRANGER));
    expect([stranger.code, codeIn(stranger)]).toEqual([2, 'search/wrong-key']);
    const foreign = place('foreign');
    const trust = join(guard.dir, 'foreign', 'trust.json');
    writeFileSync(
      trust,
      readFileSync(trust, 'utf8').replace(
        /"log":"[^"]*"/,
        `"log":"${encodeVerifierKey({ ...TRUST.log, key: ROOT.key } as never)}"`,
      ),
    );
    const refused = await run('read', '--once', '--config', foreign);
    expect(refused.code).toBe(2);
    expect(codeIn(refused)).toMatch(/^(?:search\/foreign-archive|format\/)/);
  });

  it('show nothing whose look cannot be recorded first', async () => {
    const config = place('unrecorded');
    await run('read', '--once', '--config', config);
    writeFileSync(join(guard.dir, 'unrecorded', 'reader-spool'), 'a file where the spool should be');
    for (const command of [['search', 'berth'], ['show', 'harbour watch'], ['show'], ['access-log']]) {
      const refused = await run(...command, '--config', config);
      expect([refused.code, codeIn(refused), refused.stdout]).toEqual([2, 'access/unrecorded', '']);
    }
  }, 120_000);

  it('record what they showed, to whom, however many run at once; the log of it is shown', async () => {
    const config = place('recorded');
    await run('read', '--once', '--config', config);
    const queries = ['berth', 'taken', 'free', 'harbour'];
    const all = await Promise.all(queries.map((query) => run('search', query, '--config', config)));
    expect(all.map(({ code, stderr }) => [code, stderr])).toEqual(queries.map(() => [0, '']));
    expect(codeIn(await run('show', 'no such thing', '--config', config))).toBe('search/not-found');
    const { maker } = archive;
    await using audit = auditIn(join(guard.dir, 'recorded'), { link: maker.link, clock: () => maker.nowMs });
    await until('all is archived', async () => {
      await archive.maker.archiver.flush();
      return (await audit.waiting()) === 0;
    });
    await audit[Symbol.asyncDispose]();
    await run('read', '--once', '--config', config);
    const { acts } = JSON.parse((await run('access-log', '--json', '--config', config)).stdout) as {
      acts: { by: { user: string }; deed: { act: string; query?: string; code?: string } }[];
    };
    expect(acts.flatMap(({ deed }) => deed.query ?? []).toSorted()).toEqual(queries.toSorted());
    expect(acts.flatMap(({ deed }) => deed.code ?? [])).toEqual(['search/not-found']);
    expect(new Set(acts.map(({ by }) => by.user))).toEqual(new Set([userInfo().username]));
    const shown = await run('access-log', '--act', 'search', '--config', config);
    expect(shown.stdout).toMatch(/search {2}berth → \d+ hits?, \d+ shown/);
    // What people looked for is found by none of the searches in what was said.
    expect((await run('search', 'shown', '--config', config)).stdout).toMatch(/^0 hits/);
  }, 240_000);

  it('leave nothing outside of the index’s directory and the reader’s spool', () => {
    expect(readdirSync(join(guard.dir, 'whole')).toSorted()).toEqual([
      'holdfast.yaml',
      'index',
      'manifest.json',
      'reader-spool',
      'reader.key',
      'signing.key',
      'trust.json',
    ]);
  });
});
