// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OneUser, openToken } from '../../src/web/one-user.ts';
import { PERMISSIONS } from '../../src/base/permission.ts';
import type { Route } from '../../src/web/route.ts';
import { ROUTES } from '../../src/web/routes/all.ts';
import { addressOf, makeOffice, only, TOKEN, WebOffice } from './kit.ts';

const root = mkdtempSync(join(tmpdir(), 'holdfast-gate-'));
let office: WebOffice;
let archive: string;
beforeAll(async () => {
  archive = await makeOffice(join(root, 'made'));
  office = await WebOffice.open(root, archive);
}, 120_000);
afterAll(async () => {
  await office?.[Symbol.asyncDispose]();
  rmSync(root, { recursive: true, force: true });
});

interface Told {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly body: string;
}

/** Asks with exactly these headers, `Host` included: what a browser would not let a page set. */
function raw(port: number, method: string, path: string, headers: Record<string, string>): Promise<Told> {
  return new Promise((resolve, reject) => {
    const asking = request({ host: '127.0.0.1', port, method, path, headers, setHost: false }, (response) => {
      void text(response).then((body) =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
      );
    });
    asking.on('error', reject);
    asking.end();
  });
}

const own = (): Record<string, string> => ({ host: `127.0.0.1:${office.port}` });
const known = (): Record<string, string> => ({ ...own(), authorization: `Bearer ${TOKEN}` });
const codeIn = ({ body }: Told): string => (JSON.parse(body) as { error: { code: string } }).error.code;
const tellsNothing = ({ body }: Told): void => expect(body).not.toMatch(/berth|harbour|evil|onerror/i);

describe.each(ROUTES.map((one) => [`${one.method} ${one.path}`, one] as const))('%s', (_name, one: Route) => {
  it.each([
    ['no token', {}],
    ['another token', { authorization: `Bearer ${'U'.repeat(43)}` }],
    ['a token that only begins right', { authorization: `Bearer ${'T'.repeat(42)}` }],
    ['no word before it', { authorization: TOKEN }],
    ['another scheme', { authorization: `Basic ${Buffer.from(`ines:${TOKEN}`).toString('base64')}` }],
    ['a cookie', { cookie: `token=${TOKEN}` }],
  ])('is refused with %s', async (_what, headers) => {
    const told = await raw(office.port, one.method, `${addressOf(one)}?token=${TOKEN}`, { ...own(), ...headers });
    expect([told.status, codeIn(told)]).toEqual([401, 'web/unauthenticated']);
    tellsNothing(told);
  });

  it.each([
    ['another name for this machine', 421, { host: 'evil.example' }],
    ['another port', 421, { host: '127.0.0.1:1' }],
    ['a name that begins with ours', 421, { host: '127.0.0.1.evil.example' }],
    ['no name', 421, { host: '' }],
    ['a page of another site', 403, { origin: 'https://evil.example' }],
    ['a page without a site', 403, { origin: 'null' }],
    ['a page of this machine’s other port', 403, { origin: 'http://127.0.0.1:1' }],
    ['a browser that says so', 403, { 'sec-fetch-site': 'cross-site' }],
    ['a browser that says nearly so', 403, { 'sec-fetch-site': 'same-site' }],
  ])('is refused to %s, token or not', async (_what, status, headers) => {
    const told = await raw(office.port, one.method, addressOf(one), { ...known(), ...headers });
    expect(told.status).toBe(status);
    expect(told.headers['access-control-allow-origin']).toBeUndefined();
    tellsNothing(told);
  });

  it('is refused to whoever has every other permission', async () => {
    const others = PERMISSIONS.filter((permission) => permission !== one.permission);
    await using limited = await WebOffice.open(root, archive, { authenticator: only(...others) });
    const told = await raw(limited.port, one.method, addressOf(one), { host: `127.0.0.1:${limited.port}` });
    expect([told.status, codeIn(told)]).toEqual([403, 'web/forbidden']);
    tellsNothing(told);
    expect(limited.recorded).toEqual([
      {
        deeds: [{ act: 'denial', what: `${one.method} /api/v1${one.path}`, code: 'web/forbidden' }],
        by: { user: 'few', session: 'f'.repeat(32), via: 'web' },
      },
    ]);
  });

  it('answers no other method, and no question of a browser before asking', async () => {
    const served = ROUTES.filter(({ path }) => path === one.path).map(({ method }) => String(method));
    for (const method of ['OPTIONS', 'PUT', 'DELETE', 'PATCH', 'HEAD'].filter((other) => !served.includes(other))) {
      const told = await raw(office.port, method, addressOf(one), {
        ...known(),
        'access-control-request-method': 'GET',
      });
      expect([method, told.status]).toEqual([method, 404]);
      expect(Object.keys(told.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    }
  });
});

describe('every answer, refusals too,', () => {
  it.each([
    ['known', 200, '/api/v1/status', true],
    ['unknown', 401, '/api/v1/status', false],
    ['nowhere', 404, '/heapdump', true],
    ['wrong', 400, '/api/v1/lines/x', true],
  ])('is kept nowhere and runs nothing: %s', async (_what, status, path, isKnown) => {
    const { headers, status: got } = await raw(office.port, 'GET', path, isKnown ? known() : own());
    expect(got).toBe(status);
    expect(headers).toMatchObject({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'x-frame-options': 'DENY',
      'cross-origin-resource-policy': 'same-origin',
    });
    expect(headers['content-security-policy']).toMatch(/default-src 'none'.*sandbox/);
    expect(headers['server'] ?? headers['x-powered-by']).toBeUndefined();
  });

  it('is given to this server’s own pages', async () => {
    const origin = `http://localhost:${office.port}`;
    const asked = { ...known(), host: `localhost:${office.port}`, origin, 'sec-fetch-site': 'same-origin' };
    expect((await raw(office.port, 'GET', '/api/v1/status', asked)).status).toBe(200);
  });
});

describe('a route', () => {
  it('without a permission cannot be registered, nor one with a permission that there is not', () => {
    const [first] = ROUTES as [Route];
    const route = (permission: unknown): Route => ({ ...first, path: '/more', permission }) as Route;
    expect(() => office.server.register(route(undefined))).toThrow();
    expect(() => office.server.register(route('everything'))).toThrow();
  });
});

it('addresses that people try on servers are not there, and say nothing', async () => {
  const tried = [
    '/',
    '/actuator/heapdump',
    '/.env',
    '/debug/pprof',
    '/metrics',
    '/api',
    '/api/v1',
    '/api/v1/',
    '/api/v2/status',
  ];
  for (const path of [...tried, '/api/v1/files/../status', '/api/v1/%2e%2e/status', '//api/v1/status', '/%00']) {
    const told = await raw(office.port, 'GET', path, known());
    expect([path, [400, 404].includes(told.status)]).toEqual([path, true]);
    if (told.status === 404) expect(codeIn(told)).toBe('web/no-route');
    expect(told.body).not.toMatch(/heapdump|\.env|debug|metrics|files/);
  }
});

it('knocking all day does not fill the record of looks', async () => {
  await using knocked = await WebOffice.open(root, archive);
  for (let n = 0; n < 40; n += 1)
    await raw(knocked.port, 'GET', '/api/v1/status', { host: `127.0.0.1:${knocked.port}` });
  const denials = knocked.recorded.filter(({ deeds }) => deeds[0]?.act === 'denial');
  expect(denials).toHaveLength(10);
  expect(denials[0]?.by?.user).toBe('nobody known');
});

describe('the token', () => {
  it('is made once, for its owner’s eyes only, and is the same at the next start', () => {
    const path = join(root, 'token');
    const token = openToken(path);
    expect(token).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(openToken(path)).toBe(token);
    expect(openToken(join(root, 'another'))).not.toBe(token);
  });

  it.each([
    ['that others may read', 0o644, 'A'.repeat(43)],
    ['that holds no token', 0o600, 'short'],
    ['that is empty', 0o600, ''],
  ])('is not taken from a file %s', (what, mode, held) => {
    const path = join(root, `bad ${what}`);
    writeFileSync(path, held, { mode });
    expect(() => openToken(path)).toThrow(/web\/token/);
    expect(readFileSync(path, 'utf8')).toBe(held);
  });

  it('is of one session a start, whatever else a request says', async () => {
    const one = new OneUser(TOKEN, 'ines');
    const identity = await one.authenticate({ authorization: `Bearer ${TOKEN}` });
    expect(identity).toMatchObject({ user: 'ines' });
    expect(identity?.session).toMatch(/^[0-9a-f]{32}$/);
    expect(await new OneUser(TOKEN, 'ines').authenticate({ authorization: `Bearer ${TOKEN}` })).not.toEqual(identity);
    for (const authorization of [
      '',
      'Bearer',
      'Bearer ',
      `Bearer ${TOKEN} `,
      `bearer ${TOKEN}`,
      `Bearer ${'x'.repeat(9999)}`,
    ]) {
      expect(await one.authenticate({ authorization })).toBeNull();
    }
  });
});
