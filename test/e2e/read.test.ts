// SPDX-License-Identifier: AGPL-3.0-or-later
import { appendFileSync, chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { encodeVerifierKey } from '../../src/record/note.ts';
import { auditIn } from '../access/kit.ts';
import { digestOf } from '../export/kit.ts';
import { TalkingArchive } from '../search/archive-kit.ts';
import { ANA, BEN, CLEO, HARBOUR, message, refTo } from '../search/kit.ts';
import { Authority } from '../timestamp/authority.ts';
import { Guard } from '../services/guard.ts';
import { MANIFEST, TRUST } from '../support/archive-fixture.ts';
import { Daemon, runHoldfast, until, type Finished } from '../support/e2e-process.ts';
import { READER, READER_SIGNING, ROOT, STRANGER, type RecipientPair } from '../vectors/keys.ts';

const guard = new Guard('read');
let archive: TalkingArchive;
const run = (...args: string[]): Promise<Finished> => runHoldfast(args, { guard });
const codeIn = ({ stderr }: Finished): string => /^error (\S+)/m.exec(stderr)?.[1] ?? stderr;

/** A reader's machine: trust file, manifest, its key, and a place for the index. */
function place(name: string, { privateKey }: RecipientPair = READER): string {
  const dir = join(guard.dir, name);
  mkdirSync(dir);
  const trust = {
    v: 1,
    origin: TRUST.origin,
    root: ROOT.key.raw.toString('base64'),
    log: encodeVerifierKey(TRUST.log),
  };
  const key = privateKey.export({ format: 'pem', type: 'pkcs8' });
  writeFileSync(join(dir, 'trust.json'), JSON.stringify(trust));
  writeFileSync(join(dir, 'manifest.json'), `${MANIFEST}\n`);
  writeFileSync(join(dir, 'reader.key'), key, { mode: 0o600 });
  const signing = READER_SIGNING.privateKey.export({ format: 'pem', type: 'pkcs8' });
  writeFileSync(join(dir, 'signing.key'), signing, { mode: 0o600 });
  const config = {
    origin: TRUST.origin,
    trust: 'trust.json',
    manifest: 'manifest.json',
    archive: { url: pathToFileURL(archive.directory).href },
    reader: { key: 'reader.key', index: 'index', signing: 'signing.key', spool: 'reader-spool', followEvery: '100ms' },
    retention: [{ class: 'x', period: 'P1D', authority: 'test' }],
  };
  const file = join(dir, 'holdfast.yaml');
  writeFileSync(file, stringify(config));
  return file;
}

beforeAll(async () => {
  archive = await TalkingArchive.start(join(guard.dir, 'made'));
  const { maker } = archive;
  const said = maker.nowMs;
  await archive.capture(ANA, message('the berth is taken'), { by: BEN, chat: HARBOUR });
  await archive.capture(BEN, message('the berth is taken'), { by: BEN, chat: HARBOUR });
  await maker.archive();
  await maker.hour();
  await archive.capture(
    ANA,
    { kind: 'edit', target: refTo(BEN, said), content: { text: 'the berth is free' } },
    { by: BEN, chat: HARBOUR },
  );
  await archive.capture(ANA, { kind: 'delete', target: refTo(BEN, said), by: 'sender' }, { by: BEN, chat: HARBOUR });
  await archive.capture(ANA, message('検査は木曜日です'), { by: CLEO, chat: HARBOUR });
  await maker.archive();
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

  it('serve the same by HTTP while the log is followed, to whoever holds the token', async () => {
    const config = place('served');
    const settings = readFileSync(config, 'utf8').replace(
      'followEvery: 100ms',
      'followEvery: 100ms\n  web: { port: 0 }',
    );
    writeFileSync(config, settings);
    const daemon = new Daemon({ args: ['read', '--serve', '--config', config], guard });
    await daemon.started();
    await until('the address', () => /http:\/\/127\.0\.0\.1:\d+\/api\/v1/.test(daemon.printed));
    const address = /http:\/\/127\.0\.0\.1:\d+\/api\/v1/.exec(daemon.printed)?.[0] ?? '';
    const file = join(guard.dir, 'served', 'index', 'web.token');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const token = readFileSync(file, 'utf8').trim();
    const ask = async (query: string): Promise<{ status: number; total?: number }> => {
      const response = await fetch(`${address}/search`, {
        method: 'POST',
        body: JSON.stringify({ query }),
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      });
      return { status: response.status, ...((await response.json()) as { total?: number }) };
    };
    await until('the archive is read', async () => (await ask('berth')).status === 200);
    expect(await ask('berth from:ben')).toMatchObject({ status: 200, total: 1 });
    expect((await fetch(`${address}/status`)).status).toBe(401);
    expect(daemon.printed).not.toContain(token);
    expect(await daemon.end('SIGTERM')).toBe(0);
    expect(daemon.printed).not.toMatch(/berth|Ana|Ben|\+1202/);
  }, 120_000);

  it('write exports that are ordered by HTTP as the command does, and after a kill know whole ones only', async () => {
    const config = place('ordered');
    const settings = readFileSync(config, 'utf8');
    writeFileSync(config, settings.replace('followEvery: 100ms', 'followEvery: 100ms\n  web: { port: 0 }'));
    await run('read', '--once', '--config', config);
    const daemon = new Daemon({ args: ['read', '--serve', '--config', config], guard });
    const folder = join(guard.dir, 'ordered', 'index-exports');
    const opened = async (): Promise<(path: string, init?: RequestInit) => Promise<Response>> => {
      const before = daemon.printed.length;
      await daemon.started();
      const printed = (): string | undefined =>
        /http:\/\/127\.0\.0\.1:\d+\/api\/v1/.exec(daemon.printed.slice(before))?.[0];
      await until('the address', () => printed() !== undefined);
      const token = readFileSync(join(guard.dir, 'ordered', 'index', 'web.token'), 'utf8').trim();
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
      return (path, init = {}) => fetch(`${printed()}/exports${path}`, { ...init, headers });
    };
    const order = { method: 'POST', body: JSON.stringify({ selection: { by: 'query', query: 'berth' } }) };
    const ask = await opened();
    const { export: id } = (await (await ask('', order)).json()) as { export: string };
    const stateNow = async (): Promise<string> => ((await (await ask(`/${id}`)).json()) as { state: string }).state;
    await until('the export', async () => (await stateNow()) === 'finished');
    const out = join(guard.dir, 'by-command');
    expect((await run('export', 'berth', '--out', out, '--config', config)).code).toBe(0);
    expect(digestOf(join(folder, id, 'export'))).toBe(digestOf(out));
    const checked = await run('export', 'check', out, '--trust', join(guard.dir, 'ordered', 'trust.json'), '--json');
    expect([checked.code, JSON.parse(checked.stdout)]).toMatchObject([0, { findings: [], trustGiven: true }]);
    appendFileSync(join(out, 'records.csv'), '\n');
    const changed = await run('export', 'check', out);
    expect([changed.code, changed.stdout]).toEqual([1, expect.stringContaining('exported/file-changed')]);
    expect([(await run('export', 'check', folder)).code]).toEqual([2]);

    const { export: second } = (await (await ask('', order)).json()) as { export: string };
    await daemon.end('SIGKILL');
    const again = await opened();
    const { exports } = (await (await again('')).json()) as { exports: { export: string; state: string }[] };
    // The other one may have been whole in time; if not, nothing of it is left.
    const known = exports.map((one) => one.export);
    expect(known).toContain(id);
    expect([id, second]).toEqual(expect.arrayContaining(known));
    expect(new Set(exports.map(({ state }) => state))).toEqual(new Set(['finished']));
    const there = readdirSync(folder).filter((name) => !name.startsWith('lock'));
    expect(there.toSorted()).toEqual(known.toSorted());
    const zip = await again(`/${id}/zip`);
    expect([zip.status, (await zip.arrayBuffer()).byteLength > 10_000]).toEqual([200, true]);
    expect(await daemon.end('SIGTERM')).toBe(0);
    expect(daemon.printed).not.toMatch(/berth|Ana|Ben|\+1202/);
  }, 120_000);

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
