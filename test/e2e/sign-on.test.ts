// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { encodeVerifierKey } from '../../src/record/note.ts';
import { selfSigned } from '../archive/store/self-signed.ts';
import { OpenIdProvider } from '../emulators/openid/provider.ts';
import { TalkingArchive } from '../search/archive-kit.ts';
import { ANA, BEN, HARBOUR, message } from '../search/kit.ts';
import { Guard } from '../services/guard.ts';
import { MANIFEST, TRUST } from '../support/archive-fixture.ts';
import { Daemon, runHoldfast, until } from '../support/e2e-process.ts';
import { READER, READER_SIGNING, ROOT } from '../vectors/keys.ts';
import { freePort } from '../web/kit.ts';
import { ask, Browser } from '../web/sign-on-kit.ts';

const guard = new Guard('sign-on');
const tls = selfSigned();
let archive: TalkingArchive;
let provider: OpenIdProvider;
let config: string;
let address: string;
let settings: Record<string, unknown>;

beforeAll(async () => {
  archive = await TalkingArchive.start(join(guard.dir, 'made'));
  await archive.capture(ANA, message('the berth is taken'), { by: BEN, chat: HARBOUR });
  await archive.maker.archive();
  provider = await OpenIdProvider.start(tls);
  const port = await freePort();
  address = `https://127.0.0.1:${port}`;
  const at = (name: string): string => join(guard.dir, 'reader', name);
  mkdirSync(at(''));
  const pem = { format: 'pem', type: 'pkcs8' } as const;
  const secrets = {
    'reader.key': READER.privateKey.export(pem),
    'signing.key': READER_SIGNING.privateKey.export(pem),
    'web.key': tls.key,
    'sign-on.secret': `${provider.secret}\n`,
  };
  for (const [name, text] of Object.entries(secrets)) writeFileSync(at(name), text, { mode: 0o600 });
  const { origin, log } = TRUST;
  writeFileSync(
    at('trust.json'),
    JSON.stringify({ v: 1, origin, root: ROOT.key.raw.toString('base64'), log: encodeVerifierKey(log) }),
  );
  writeFileSync(at('manifest.json'), `${MANIFEST}\n`);
  writeFileSync(at('web.pem'), tls.cert);
  const { issuer, client, audience } = provider;
  const roles = [{ group: 'readers', role: 'reader' }];
  const signOn = { issuer, client, audience, secret: 'sign-on.secret', ca: 'web.pem', roles };
  settings = {
    origin,
    trust: 'trust.json',
    manifest: 'manifest.json',
    archive: { url: pathToFileURL(archive.directory).href },
    reader: {
      key: 'reader.key',
      index: 'index',
      signing: 'signing.key',
      spool: 'reader-spool',
      followEvery: '100ms',
      web: { host: '0.0.0.0', port, address, tls: { certificate: 'web.pem', key: 'web.key' }, signOn },
    },
    retention: [{ class: 'x', period: 'P1D', authority: 'test' }],
  };
  config = at('holdfast.yaml');
  writeFileSync(config, stringify(settings));
}, 120_000);
afterAll(async () => {
  await provider?.[Symbol.asyncDispose]();
  await archive?.[Symbol.asyncDispose]();
  await guard[Symbol.asyncDispose]();
});

describe('holdfast read, for an agency', () => {
  it('lets people in by the provider and programs by its tokens, over TLS, and prints nothing of either', async () => {
    const daemon = new Daemon({ args: ['read', '--config', config], guard });
    await daemon.started();
    await until('the address', () => daemon.printed.includes(`sign on at ${address}/sign-on`));
    const browser = new Browser(tls.cert);
    await until('the archive is read', async () => (await browser.signOn(address)).status === 200);
    await until('there is an index', async () => (await browser.go(`${address}/api/v1/status`)).status === 200);
    const { user, proof } = (await (await browser.go(`${address}/api/v1/status`)).json()) as {
      user: string;
      proof: string;
    };
    expect(user).toBe('ines (u-1)');
    const search = { method: 'POST', body: JSON.stringify({ query: 'berth' }) };
    const json = { 'content-type': 'application/json' };
    const found = await browser.go(`${address}/api/v1/search`, {
      ...search,
      headers: { ...json, 'holdfast-proof': proof },
    });
    expect(await found.json()).toMatchObject({ total: 1 });
    const token = await provider.accessToken();
    const headers = { ...json, authorization: `Bearer ${token}` };
    expect((await ask(`${address}/api/v1/search`, { ...search, headers }, tls.cert)).status).toBe(200);
    expect((await ask(`${address}/api/v1/status`, {}, tls.cert)).status).toBe(401);
    expect(await daemon.end('SIGTERM')).toBe(0);
    expect(daemon.printed).not.toMatch(/berth|ines|u-1|Ana|\+1202/);
    for (const secret of [token, proof, provider.secret]) expect(daemon.printed).not.toContain(secret);
  }, 120_000);

  it('does not listen beyond this machine without TLS, or without a sign-on', async () => {
    for (const part of ['signOn', 'tls']) {
      const open = structuredClone(settings) as { reader: { web: Record<string, unknown> } };
      delete open.reader.web[part];
      const file = join(guard.dir, 'reader', `without-${part}.yaml`);
      writeFileSync(file, stringify(open));
      const { code, stderr } = await runHoldfast(['read', '--once', '--config', file], { guard });
      expect([code, stderr]).toEqual([2, expect.stringContaining('reader.web.host: expected 127.0.0.1 or ::1')]);
    }
  }, 120_000);
});
