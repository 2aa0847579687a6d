// SPDX-License-Identifier: AGPL-3.0-or-later
import { Agent } from 'node:https';
import { connect } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { MediaHost } from '../../../../src/connectors/whatsapp/media/host.ts';
import type { WhatsAppEmulator } from '../../../emulators/whatsapp/api.ts';
import { encryptedOf, makeBlob } from '../../../emulators/whatsapp/media-crypto.ts';
import { emulatorAgent } from '../../../emulators/whatsapp/emulator-agent.ts';
import { HOST_OPTIONS, startTlsEmulator } from './kit.ts';

const never = new AbortController().signal;

function hostOf(emulator: WhatsAppEmulator, options = {}): MediaHost {
  return new MediaHost({ ...HOST_OPTIONS, ...options }, emulatorAgent(emulator));
}

async function read(host: MediaHost, path: string, mostBytes = 10_000_000): Promise<number> {
  let bytes = 0;
  for await (const chunk of host.fetch(path, mostBytes, never)) bytes += chunk.length;
  return bytes;
}

describe('the media host', () => {
  it.each([
    [''],
    ['v/t62/x'],
    ['//evil.example/x'],
    ['/\\evil.example'],
    ['/x\r\nhost: evil.example'],
    ['/x y'],
    ['/ä'],
    ['/x#y'],
    ['/@evil.example'],
    ['https://evil.example/'],
    [`/${'x'.repeat(5000)}`],
  ])('is not connected to for %j', async (path) => {
    let connections = 0;
    const agent = new Agent();
    agent.createConnection = () => {
      connections += 1;
      return connect({ host: '127.0.0.1', port: 9 });
    };
    const host = new MediaHost(HOST_OPTIONS, agent);
    await expect(read(host, path)).rejects.toMatchObject({ code: 'whatsapp/media-no-address' });
    expect(connections).toBe(0);
  });

  it('must have a certificate for its own name', async () => {
    const emulator = await startTlsEmulator();
    const port = Number(new URL(emulator.mediaUrl).port);
    const agent = new Agent();
    agent.createConnection = () => connect({ host: '127.0.0.1', port, servername: 'mmg.whatsapp.net' });
    const media = await emulator.putMedia({ kind: 'image', size: 10 });
    await expect(read(new MediaHost(HOST_OPTIONS, agent), media.directPath)).rejects.toMatchObject({
      code: 'whatsapp/media-unreachable',
    });
    expect(await emulator.requests()).toEqual([]);
  });

  it('is asked for the rest only, when a connection breaks', async () => {
    const emulator = await startTlsEmulator();
    const media = await emulator.putMedia({ kind: 'image', size: 1_000_000 });
    await emulator.setMediaFault(media.directPath, { fault: 'reset', afterBytes: 300_000, times: 2 });
    const whole = [...encryptedOf(makeBlob('image', null, 1_000_000))].reduce((sum, { length }) => sum + length, 0);
    expect(await read(hostOf(emulator), media.directPath)).toBe(whole);
    const requests = await emulator.requests();
    expect(requests.map(({ status }) => status)).toEqual([200, 206, 206]);
    expect(requests.reduce((sum, { bytesSent }) => sum + bytesSent, 0)).toBeLessThan(1.5 * whole);
  });

  it('is given up for this time when it breaks off again and again without a byte', async () => {
    const emulator = await startTlsEmulator();
    const media = await emulator.putMedia({ kind: 'image', size: 1000, fault: { fault: 'reset', afterBytes: 0 } });
    await expect(read(hostOf(emulator), media.directPath)).rejects.toMatchObject({
      code: 'whatsapp/media-unreachable',
      kind: 'retry',
    });
    expect(await emulator.requests()).toHaveLength(1);
  });

  it('may not trickle for longer than a file may take', async () => {
    const emulator = await startTlsEmulator();
    const media = await emulator.putMedia({
      kind: 'image',
      size: 1_000_000,
      fault: { fault: 'trickle', bytesPerSecond: 100 },
    });
    await expect(read(hostOf(emulator, { totalMs: 400 }), media.directPath)).rejects.toMatchObject({
      code: 'whatsapp/media-unreachable',
    });
  });

  it('is not asked any more once the reader has left', async () => {
    const emulator = await startTlsEmulator();
    const media = await emulator.putMedia({ kind: 'image', size: 50_000_000 });
    for await (const chunk of hostOf(emulator).fetch(media.directPath, 60_000_000, never)) {
      if (chunk.length > 0) break;
    }
    await expect.poll(async () => (await emulator.requests())[0]?.bytesSent ?? 0).toBeLessThan(40_000_000);
  });

  it.each([
    [404, 'whatsapp/media-absent'],
    [401, 'whatsapp/media-absent'],
    [429, 'whatsapp/media-unreachable'],
    [500, 'whatsapp/media-unreachable'],
    [204, 'whatsapp/media-unreachable'],
    [307, 'whatsapp/media-no-address'],
  ])('answers %i', async (status, code) => {
    const emulator = await startTlsEmulator();
    const media = await emulator.putMedia({ kind: 'image', size: 10, fault: { fault: 'status', status } });
    await expect(read(hostOf(emulator), media.directPath)).rejects.toMatchObject({ code });
  });
});
