// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { selfSigned } from '../archive/store/self-signed.ts';
import { OpenIdProvider } from '../emulators/openid/provider.ts';
import { freePort, makeOffice, WebOffice } from './kit.ts';
import { ask, Browser, settingsFor, signOnWith } from './sign-on-kit.ts';

const root = mkdtempSync(join(tmpdir(), 'holdfast-tls-'));
let cert: string;
let provider: OpenIdProvider;
let office: WebOffice;
let port: number;
let address: string;
beforeAll(async () => {
  const tls = selfSigned();
  ({ cert } = tls);
  provider = await OpenIdProvider.start(tls);
  port = await freePort();
  address = `https://127.0.0.1:${port}`;
  const { parts } = signOnWith(settingsFor(provider, { ca: cert }), address);
  office = await WebOffice.open(root, await makeOffice(join(root, 'made')), { ...parts, tls }, { port });
}, 120_000);
afterAll(async () => {
  await office?.[Symbol.asyncDispose]();
  await provider?.[Symbol.asyncDispose]();
  rmSync(root, { recursive: true, force: true });
});

describe('over TLS', () => {
  it('somebody signs on at a provider of the agency’s own authority, with a cookie for this very host alone', async () => {
    const browser = new Browser(cert);
    expect((await browser.signOn(address)).status).toBe(200);
    const session = browser.got.find((line) => line.startsWith('__Host-holdfast-session=')) ?? '';
    expect(session).toMatch(/; Path=\/; HttpOnly; SameSite=Strict; Secure$/);
    expect(browser.got.every((line) => line.includes('; Secure') && !line.includes('Domain'))).toBe(true);
    const status = await browser.go(`${address}/api/v1/status`);
    expect(await status.json()).toMatchObject({ user: 'ines (u-1)' });
    expect(status.headers.get('strict-transport-security')).toBe('max-age=31536000');
  });

  it('it answers under its own address only, and pages of no other', async () => {
    const token = { authorization: `Bearer ${await provider.accessToken()}` };
    const status = async (headers: Record<string, string>): Promise<number> =>
      (await ask(`${address}/api/v1/status`, { headers: { ...token, ...headers } }, cert)).status;
    expect(await status({})).toBe(200);
    expect(await status({ origin: address })).toBe(200);
    expect(await status({ host: `localhost:${port}` })).toBe(421);
    expect(await status({ host: 'evil.example' })).toBe(421);
    expect(await status({ origin: address.replace('https', 'http') })).toBe(403);
    expect(await status({ origin: 'https://evil.example' })).toBe(403);
  });

  it('nothing is taken without it, nor by a version of it that is broken', async () => {
    await expect(ask(`http://127.0.0.1:${port}/api/v1/status`)).rejects.toThrow();
    const old = new Promise((resolve, reject) => {
      const options = {
        port,
        host: '127.0.0.1',
        ca: cert,
        minVersion: 'TLSv1',
        maxVersion: 'TLSv1.1',
        ciphers: 'ALL:@SECLEVEL=0',
      } as const;
      connect(options, () => resolve('connected')).on('error', reject);
    });
    await expect(old).rejects.toThrow();
  });

  it('a provider that another authority vouches for is not asked', async () => {
    const { signOn } = signOnWith(settingsFor(provider), address);
    await expect(signOn.begin()).rejects.toMatchObject({ code: 'web/provider' });
  });
});
