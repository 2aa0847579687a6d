// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WA_CERT_DETAILS } from '@whiskeysockets/baileys';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parseConfig, type Config } from '../../src/base/config.ts';
import { checkWhatsApp } from '../../src/main/check-whatsapp.ts';
import { CONNECTOR_STATUS } from '../../src/main/housekeeping.ts';
import { startWhatsAppEmulator } from '../emulators/whatsapp/emulator.ts';
import { ROOT } from '../guards/files.ts';

const NOBODY = { host: '127.0.0.1', port: 1, servername: 'web.whatsapp.com' };

/** A connector's config with these accounts on WhatsApp, and a status file that says how they are. */
function configOf(accounts: readonly string[], states: Readonly<Record<string, string>> | null = {}): Config {
  const directory = mkdtempSync(join(tmpdir(), 'check-whatsapp-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const text = readFileSync(`${ROOT}deploy/compose/holdfast.connector.yaml`, 'utf8');
  const config = parseConfig(text, join(directory, 'holdfast.yaml'));
  const [account] = config.accounts;
  if (account === undefined) throw new Error('no account');
  if (states !== null) {
    const all = Object.entries(states).map(([name, state]) => ({ account: name, health: { state } }));
    writeFileSync(join(directory, CONNECTOR_STATUS), JSON.stringify({ accounts: all }));
  }
  const own = accounts.map((name) => ({ ...account, name, app: 'whatsapp', backend: 'main' }) as typeof account);
  return { ...config, status: directory, accounts: own, whatsapp: { main: {} } } as Config;
}

async function server(): Promise<{ host: string; port: number; servername: string; ca: string }> {
  const emulator = await startWhatsAppEmulator({ tls: true });
  onTestFinished(() => emulator[Symbol.asyncDispose]());
  const ca = emulator.caCertificate ?? '';
  return { host: '127.0.0.1', port: Number(new URL(emulator.mediaUrl).port), servername: 'mmg.whatsapp.net', ca };
}

describe('what the doctor sees of WhatsApp', () => {
  it('is nothing where no account is there', async () => {
    expect(await checkWhatsApp(configOf([]), NOBODY)).toEqual([]);
  });

  it('is well where the client is as built, the servers answer over TLS and the account captures', async () => {
    const checks = await checkWhatsApp(configOf(['duty-phone'], { 'duty-phone': 'capturing' }), await server());
    expect(checks.map(({ check, level, got }) => [check, level, got])).toEqual([
      ['client', 'ok', 'built-in address and Noise root'],
      ['servers', 'ok', 'answers'],
      ['account duty-phone', 'ok', 'capturing'],
    ]);
  });

  it('is ill where nobody answers, and where somebody answers whom no authority vouches for', async () => {
    const { ca: _ca, ...stranger } = await server();
    for (const one of [NOBODY, stranger]) {
      const checks = await checkWhatsApp(configOf(['duty-phone']), one);
      expect(checks.find(({ check }) => check === 'servers')?.level).toBe('fail');
    }
  });

  it('is ill where the client has another Noise root than it was built with', async () => {
    const built = WA_CERT_DETAILS.PUBLIC_KEY;
    WA_CERT_DETAILS.PUBLIC_KEY = Buffer.alloc(32, 1);
    onTestFinished(() => void (WA_CERT_DETAILS.PUBLIC_KEY = built));
    const [client] = await checkWhatsApp(configOf(['duty-phone']), NOBODY);
    expect(client).toMatchObject({ check: 'client', level: 'fail', fix: 'install again from the lock file' });
  });

  it.each([
    ['unlinked', 'fail'],
    ['not-linked', 'fail'],
    ['degraded', 'ok'],
    ['capturing', 'ok'],
  ])('says of an account that is %s: %s', async (state, level) => {
    const checks = await checkWhatsApp(configOf(['duty-phone'], { 'duty-phone': state }), NOBODY);
    const account = checks.find(({ check }) => check === 'account duty-phone');
    expect(account).toMatchObject({ level, got: state });
    expect(account?.fix).toBe(level === 'fail' ? 'run `holdfast link duty-phone` while the connector runs' : '');
  });

  it('says of an account whose connector does not run that nobody knows', async () => {
    const checks = await checkWhatsApp(configOf(['duty-phone'], null), NOBODY);
    expect(checks.at(-1)).toMatchObject({ check: 'account duty-phone', level: 'note', got: 'not running' });
  });
});
