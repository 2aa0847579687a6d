// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { OpenIdProvider, type Faults } from '../emulators/openid/provider.ts';
import { freePort, makeOffice, WebOffice } from './kit.ts';
import { ask, Browser, settingsFor, signOnWith, type SignOnKit } from './sign-on-kit.ts';

const root = mkdtempSync(join(tmpdir(), 'holdfast-sign-on-'));
let provider: OpenIdProvider;
let office: WebOffice;
let kit: SignOnKit;
let address: string;
beforeAll(async () => {
  provider = await OpenIdProvider.start();
  const port = await freePort();
  address = `http://127.0.0.1:${port}`;
  kit = signOnWith(settingsFor(provider), address);
  office = await WebOffice.open(root, await makeOffice(join(root, 'made')), kit.parts, { port });
}, 120_000);
afterEach(() => {
  provider.faults = {};
  provider.consents = true;
  provider.person = { sub: 'u-1', preferred_username: 'ines', groups: ['readers'] };
  office.beforeRecord = null;
});
afterAll(async () => {
  await office?.[Symbol.asyncDispose]();
  await provider?.[Symbol.asyncDispose]();
  rmSync(root, { recursive: true, force: true });
});

interface Status {
  readonly user: string;
  readonly permissions: readonly string[];
  readonly proof: string;
}

async function signedOn(...groups: readonly string[]): Promise<{ browser: Browser; status: Status }> {
  provider.person = { ...provider.person, groups };
  const browser = new Browser();
  const page = await browser.signOn(address);
  if (page.status !== 200) throw new Error(`${page.status} ${await page.text()}`);
  const response = await browser.go(`${address}/api/v1/status`);
  return { browser, status: (await response.json()) as Status };
}

const search = (browser: Browser, headers: Record<string, string>): Promise<Response> =>
  browser.go(`${address}/api/v1/search`, {
    method: 'POST',
    body: JSON.stringify({ query: 'berth' }),
    headers: { 'content-type': 'application/json', ...headers },
  });

async function refused(response: Response, status: number, code: string): Promise<void> {
  const body = (await response.json()) as { error: { code: string } };
  expect([response.status, body.error.code]).toEqual([status, code]);
  expect(response.headers.getSetCookie()).toEqual([]);
}

describe('somebody of the agency', () => {
  it('goes to the provider and comes back, and is then known by a cookie that no page can read', async () => {
    const { browser, status } = await signedOn('reviewers');
    expect(status).toMatchObject({ user: 'ines (u-1)', proof: expect.stringMatching(/^[\w-]{43}$/) });
    expect(status.permissions).toContain('export');
    expect(status.permissions).not.toContain('access-log');
    const session = browser.got.find((line) => line.startsWith('holdfast-session=')) ?? '';
    expect(session).toMatch(/; Path=\/; HttpOnly; SameSite=Strict$/);
    expect(provider.asked).toContain('POST /token');
  });

  it('is in the record before the browser has the cookie, and without a record there is none', async () => {
    office.recorded.length = 0;
    await signedOn('readers');
    expect(office.recorded[0]).toMatchObject({
      deeds: [{ act: 'login' }],
      by: { user: 'ines (u-1)', session: expect.stringMatching(/^[0-9a-f]{32}$/), via: 'web' },
    });
    const before = kit.sessions.list().length;
    office.beforeRecord = async () => {
      throw new Error('no disk');
    };
    const response = await new Browser().signOn(address);
    expect(response.status).toBe(500);
    expect(response.headers.getSetCookie()).toEqual([]);
    expect(kit.sessions.list().length).toBe(before);
  });

  it('changes nothing without the proof that only this server’s own pages can read', async () => {
    const { browser, status } = await signedOn('readers');
    await refused(await search(browser, {}), 403, 'web/forged');
    await refused(await search(browser, { 'holdfast-proof': 'x'.repeat(43) }), 403, 'web/forged');
    await refused(await search(browser, { 'holdfast-proof': status.proof.slice(1) }), 403, 'web/forged');
    expect((await search(browser, { 'holdfast-proof': status.proof })).status).toBe(200);
    // Nor by a page of another site, cookie and proof or not.
    for (const headers of [{ origin: 'https://evil.example' }, { 'sec-fetch-site': 'cross-site' }] as const)
      await refused(await search(browser, { 'holdfast-proof': status.proof, ...headers }), 403, 'web/origin');
    const other = await signedOn('readers');
    await refused(await search(browser, { 'holdfast-proof': other.status.proof }), 403, 'web/forged');
  });

  it('signs off, and the cookie is worth nothing then; so it is when an administrator ends it', async () => {
    const { browser, status } = await signedOn('readers');
    const off = await browser.go(`${address}/api/v1/sign-off`, {
      method: 'POST',
      headers: { 'holdfast-proof': status.proof },
    });
    expect(await off.json()).toEqual({ ended: true });
    expect((await browser.go(`${address}/api/v1/status`)).status).toBe(401);

    const reader = await signedOn('readers');
    provider.person = { sub: 'u-9', preferred_username: 'root' };
    const admin = await signedOn('admins');
    const told = await admin.browser.go(`${address}/api/v1/sessions`);
    const { sessions } = (await told.json()) as { sessions: readonly { session: string; user: string }[] };
    expect(JSON.stringify(sessions)).not.toContain(reader.browser.cookie.split('=')[1]);
    for (const { session } of sessions.filter(({ user }) => user === 'ines (u-1)')) {
      const ended = await admin.browser.go(`${address}/api/v1/sessions/${session}`, {
        method: 'DELETE',
        headers: { 'holdfast-proof': admin.status.proof },
      });
      expect(await ended.json()).toEqual({ ended: true });
    }
    expect((await reader.browser.go(`${address}/api/v1/status`)).status).toBe(401);
    expect((await admin.browser.go(`${address}/api/v1/status`)).status).toBe(200);
  });
});

describe('nobody signs on', () => {
  it.each<[string, Faults]>([
    ['with an ID token for another sign-on', { claims: { nonce: 'another' } }],
    ['with an ID token for another client', { claims: { aud: 'somebody-else' } }],
    ['with an ID token of another issuer', { claims: { iss: 'https://idp.evil.example' } }],
    ['with an ID token that is over', { claims: { exp: 1_700_000_000 } }],
    ['with an ID token that another key signed', { signedBy: 'another key' }],
    ['with an ID token that nobody signed', { signedBy: 'nobody' }],
    ['without an ID token', { withoutIdToken: true }],
    ['whom the provider names no group of', { claims: { groups: undefined } }],
    ['who is in groups that may do nothing', { claims: { groups: ['everybody'] } }],
    ['without a subject', { claims: { sub: undefined } }],
  ])('%s', async (_what, faults) => {
    provider.faults = faults;
    await refused(await new Browser().signOn(address), 401, 'web/unauthenticated');
  });

  it('whom the provider refuses', async () => {
    provider.consents = false;
    await refused(await new Browser().signOn(address), 401, 'web/unauthenticated');
  });

  it('who did not begin in this browser, or comes back twice', async () => {
    const browser = new Browser();
    const back = await browser.toProvider(address);
    await refused(await new Browser().go(back), 401, 'web/unauthenticated');
    const other = new Browser();
    await other.toProvider(address);
    await refused(await other.go(back), 401, 'web/unauthenticated');
    expect((await browser.go(back)).status).toBe(200);
    await refused(await browser.go(back), 401, 'web/unauthenticated');
    // Nor with what was sealed for it, once it was used: the provider takes a code once.
    const again = new Browser();
    const code = await again.toProvider(address);
    const cookie = again.cookie;
    expect((await again.go(code)).status).toBe(200);
    await refused(await ask(code, { headers: { cookie } }), 401, 'web/unauthenticated');
  });

  it('who comes back with something else', async () => {
    for (const query of [
      '',
      '?code=1',
      '?code=1&state=2',
      `?state=${'x'.repeat(9000)}`,
      '?error=access_denied',
      '?code[]=1',
    ]) {
      const browser = new Browser();
      await browser.toProvider(address);
      await refused(await browser.go(`${address}/sign-on/back${query}`), 401, 'web/unauthenticated');
    }
  });

  it('while the provider is not itself: that is said, with a time to ask again', async () => {
    provider.faults = { status: 500 };
    const response = await new Browser().signOn(address);
    expect(response.headers.get('retry-after')).toBe('5');
    await refused(response, 503, 'web/provider');
  });

  it('by what a page does by itself: only by going there', async () => {
    for (const headers of [
      { 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' },
      { 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' },
      { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' },
    ]) {
      const response = await ask(`${address}/sign-on`, { headers });
      await refused(response, 403, 'web/origin');
    }
    expect((await ask(`${address}/sign-on`, { method: 'POST' })).status).toBe(404);
  });
});

describe('programs', () => {
  it('show an access token with every request, and need no proof', async () => {
    const headers = { authorization: `Bearer ${await provider.accessToken({ groups: ['readers'] })}` };
    const response = await search(new Browser(), headers);
    expect(response.status).toBe(200);
    const idToken = {
      authorization: `Bearer ${await provider.accessToken({ aud: provider.client, groups: ['readers'] })}`,
    };
    await refused(await search(new Browser(), idToken), 401, 'web/unauthenticated');
  });
});
