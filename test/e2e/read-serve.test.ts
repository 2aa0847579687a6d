// SPDX-License-Identifier: AGPL-3.0-or-later
import { appendFileSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digestOf } from '../export/kit.ts';
import type { TalkingArchive } from '../search/archive-kit.ts';
import { Guard } from '../services/guard.ts';
import { readerPlace, talkOfBerth } from '../support/e2e-reader.ts';
import { Daemon, runHoldfast, until, type Finished } from '../support/e2e-process.ts';

const guard = new Guard('read-serve');
let archive: TalkingArchive;
const run = (...args: string[]): Promise<Finished> => runHoldfast(args, { guard });

const place = (name: string): string => readerPlace(join(guard.dir, name), archive);

beforeAll(async () => {
  archive = await talkOfBerth(join(guard.dir, 'made'));
});
afterAll(async () => {
  await archive?.[Symbol.asyncDispose]();
  await guard.end();
});

describe('holdfast read --serve', () => {
  it('serves what the commands show while the log is followed, to whoever holds the token', async () => {
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

  it('writes exports that are ordered as the command does, and after a kill knows whole ones only', async () => {
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
});
