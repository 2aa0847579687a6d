// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../../support/eventually.ts';
import { MemorySink } from '../../../support/memory-sink.ts';
import { MediaKit } from './kit.ts';

const bytes = Buffer.from('a picture, in a manner of speaking');

describe('a file on the media host', () => {
  it('is fetched, checked and archived, and nothing of it remains to be done', async () => {
    const kit = await MediaKit.start();
    const media = await kit.emulator.putMedia({ kind: 'image', bytes });
    const found = await kit.capture(media);
    expect(found.media).toHaveLength(1);
    await eventually(() => kit.sink.media.length).toBe(1);
    await eventually(() => kit.phases).toEqual([]);
    const [record] = kit.sink.media;
    expect(record?.bytes.equals(bytes)).toBe(true);
    expect(record?.view).toMatchObject({ kind: 'attachment', target: { id: found.view.id } });
    expect(kit.gaps).toEqual([]);
    expect(kit.events.alarms).toEqual([]);
  });

  it('is fetched from the one host there is, whatever address the sender chose', async () => {
    const kit = await MediaKit.start();
    const media = await kit.emulator.putMedia({ kind: 'image', bytes });
    await kit.capture(media, { url: 'http://169.254.169.254/latest/meta-data' });
    await eventually(() => kit.sink.media.length).toBe(1);
    expect((await kit.emulator.requests()).map(({ host }) => host)).toEqual(['mmg.whatsapp.net']);
  });

  it.each([
    ['file:///etc/passwd'],
    ['http://169.254.169.254/latest/meta-data'],
    ['//evil.example/x'],
    ['/\\evil.example/x'],
    ['@evil.example/x'],
    ['/x y\r\nhost: evil.example'],
    ['https://evil.example/x'],
  ])('is not asked for under %j', async (directPath) => {
    const kit = await MediaKit.start();
    const media = await kit.emulator.putMedia({ kind: 'image', bytes });
    await kit.capture(media, { directPath, url: 'ftp://evil.example/x' });
    await eventually(() => kit.phases).toEqual(['asked']);
    expect(await kit.emulator.requests()).toEqual([]);
  });

  it('is fetched by the path of its address where there is no other path, still from the one host', async () => {
    const kit = await MediaKit.start();
    const media = await kit.emulator.putMedia({ kind: 'image', bytes });
    await kit.capture(media, { directPath: null, url: `https://evil.example${media.directPath}` });
    await eventually(() => kit.sink.media.length).toBe(1);
    expect((await kit.emulator.requests()).map(({ host }) => host)).toEqual(['mmg.whatsapp.net']);
  });

  it('is not fetched from where the host redirects to', async () => {
    const kit = await MediaKit.start();
    const media = await kit.emulator.putMedia({ kind: 'image', bytes });
    const other = await kit.emulator.putMedia({ kind: 'image', bytes });
    const location = `https://mmg.whatsapp.net${other.directPath}`;
    await kit.emulator.setMediaFault(media.directPath, { fault: 'redirect', location });
    await kit.capture(media);
    await eventually(() => kit.phases).toEqual(['asked']);
    expect(await kit.emulator.requests()).toHaveLength(1);
  });

  it.each([
    [{ fault: 'status', status: 503, times: 2 } as const],
    [{ fault: 'reset', afterBytes: 100_000, times: 3 } as const],
  ])('comes in the end after %j', async (fault) => {
    const kit = await MediaKit.start();
    const media = await kit.emulator.putMedia({ kind: 'image', size: 1_000_000 });
    await kit.emulator.setMediaFault(media.directPath, fault);
    await kit.capture(media);
    await eventually(() => kit.sink.media.length).toBe(1);
    const sha256 = createHash('sha256')
      .update(kit.sink.media[0]?.bytes ?? '')
      .digest();
    expect(sha256.equals(media.fileSha256)).toBe(true);
    expect(kit.gaps).toEqual([]);
  });

  it.each([
    [{ fault: 'mute' } as const],
    [{ fault: 'stall', afterBytes: 1000 } as const],
    [{ fault: 'reset', afterBytes: 10 } as const],
  ])('does not hold up other files with %j', async (fault) => {
    const kit = await MediaKit.start();
    const stuck = await kit.emulator.putMedia({ kind: 'image', size: 50_000 });
    await kit.emulator.setMediaFault(stuck.directPath, fault);
    await kit.capture(stuck);
    const media = await kit.emulator.putMedia({ kind: 'image', bytes });
    await kit.capture(media);
    await eventually(() => kit.sink.media.length).toBe(1);
    await eventually(() => kit.events.troubles.map(({ code }) => code)).toContain('whatsapp/media-unreachable');
    expect(kit.phases).toEqual(['pending']);
    await kit.emulator.setMediaFault(stuck.directPath, null);
    await eventually(() => kit.sink.media.length).toBe(2);
  });
});

describe('a file that is not what it should be', () => {
  it('is not archived when a byte differs, and the phone is asked for another', async () => {
    const kit = await MediaKit.start();
    await kit.connect();
    const media = await kit.emulator.putMedia({ kind: 'image', size: 100_000 });
    await kit.emulator.setMediaFault(media.directPath, { fault: 'flip', atByte: 50_000 });
    await kit.capture(media);
    await eventually(() => kit.sink.media.length).toBe(1);
    expect(kit.asked).toHaveLength(1);
    const sha256 = createHash('sha256')
      .update(kit.sink.media[0]?.bytes ?? '')
      .digest();
    expect(sha256.equals(media.fileSha256)).toBe(true);
    await eventually(() => kit.phases).toEqual([]);
  });

  it.each([
    [{ fault: 'truncate', atByte: 10_000 } as const],
    [{ fault: 'append', bytes: 32 } as const],
    [{ fault: 'truncate', atByte: 3 } as const],
  ])('is not archived with %j', async (fault) => {
    const kit = await MediaKit.start();
    const media = await kit.emulator.putMedia({ kind: 'image', size: 100_000 });
    await kit.emulator.setMediaFault(media.directPath, fault);
    await kit.capture(media);
    await eventually(() => kit.phases).toEqual(['asked']);
    expect(kit.sink.media).toEqual([]);
  });

  it('is kept after all, with a final gap, when it is authentic and nothing better will come', async () => {
    const kit = await MediaKit.start();
    await kit.connect();
    const media = await kit.emulator.putMedia({ kind: 'image', bytes });
    await kit.capture(media, { fileSha256: Buffer.alloc(32, 7) });
    await eventually(() => kit.gaps).toEqual(['attachment-mismatch final']);
    expect(kit.sink.media[0]?.bytes.equals(bytes)).toBe(true);
    expect(kit.events.alarmed('attachment-mismatch')).toBe(true);
    expect(kit.phases).toEqual(['lost']);
  });

  it.each([
    ['says that it is larger', { fault: 'content-length', bytes: 10_000_000 } as const],
    ['never ends', { fault: 'endless' } as const],
  ])('over the limit is a gap when it %s', async (_what, fault) => {
    const kit = await MediaKit.start({ options: { mostBytes: 1_000_000 } });
    const media = await kit.emulator.putMedia({ kind: 'image', bytes });
    await kit.emulator.setMediaFault(media.directPath, fault);
    await kit.capture(media);
    await eventually(() => kit.gaps).toEqual(['oversized final']);
    expect(kit.events.alarmed('attachment-oversized')).toBe(true);
    const [request] = await kit.emulator.requests();
    expect(request?.bytesSent).toBeLessThan(20_000_000);
  });
});

describe('a file that is gone', () => {
  it('is fetched from where the phone uploaded it although the process died on the answer, and not asked for again', async () => {
    const kit = await MediaKit.start();
    const { emulator, sink } = kit;
    kit.diesAtAnswer = true;
    await kit.connect();
    const media = await emulator.putMedia({ kind: 'image', bytes });
    await emulator.setMediaFault(media.directPath, { fault: 'status', status: 410 });
    await kit.capture(media);
    await eventually(() => kit.asked.length).toBe(1);
    await eventually(() => kit.phases).toEqual(['pending']);
    await kit.stop();
    // Offline: nobody can be asked.
    const next = await MediaKit.start({ emulator, sink });
    await eventually(() => sink.media.map((one) => Buffer.from(one.bytes))).toEqual([Buffer.from(bytes)]);
    expect(next.asked).toEqual([]);
  });

  it.each([404, 403, 410])('with %i is asked of the phone, and archived from its new place', async (status) => {
    const kit = await MediaKit.start();
    await kit.connect();
    const media = await kit.emulator.putMedia({ kind: 'image', bytes, fault: { fault: 'status', status } });
    const found = await kit.capture(media);
    await eventually(() => kit.sink.media.length).toBe(1);
    expect(kit.asked.map(({ tag, attrs }) => ({ tag, ...attrs }))).toEqual([
      { tag: 'receipt', id: found.view.id, to: '15550001111@s.whatsapp.net', type: 'server-error' },
    ]);
    expect(kit.gaps).toEqual([]);
  });

  it('waits for a connection before it is asked for', async () => {
    const kit = await MediaKit.start();
    const media = await kit.emulator.putMedia({ kind: 'image', bytes, fault: { fault: 'status', status: 404 } });
    await kit.capture(media);
    await eventually(() => kit.phases).toEqual(['asked']);
    expect(kit.asked).toEqual([]);
  });

  it('is asked for again while the phone is silent, with an open gap, which closes when it comes', async () => {
    const kit = await MediaKit.start({ options: { askAgainMs: 40 } });
    await kit.connect();
    await kit.emulator.setReupload('15550001111', 'silent');
    const media = await kit.emulator.putMedia({ kind: 'image', bytes, fault: { fault: 'status', status: 404 } });
    await kit.capture(media);
    await eventually(() => kit.gaps).toEqual(['attachment-missing open']);
    expect(kit.asked.length).toBeGreaterThan(1);
    await kit.emulator.setReupload('15550001111', 'uploads');
    await eventually(() => kit.gaps).toEqual(['attachment-missing open', 'attachment-missing closed']);
    expect(kit.sink.media).toHaveLength(1);
  });

  it('is lost, with a final gap and an alarm, when the phone has not got it', async () => {
    const kit = await MediaKit.start();
    await kit.connect();
    await kit.emulator.setReupload('15550001111', 'not-found');
    const media = await kit.emulator.putMedia({ kind: 'image', bytes, fault: { fault: 'status', status: 404 } });
    const found = await kit.capture(media);
    await eventually(() => kit.gaps).toEqual(['attachment-missing final']);
    expect(kit.events.alarmed('attachment-missing')).toBe(true);
    expect(kit.phases).toEqual(['lost']);
    expect(kit.queue.plan(kit.lane, found)).toEqual([]);
  });

  it('is lost when nobody has answered for long enough', async () => {
    let nowMs = Date.now();
    const kit = await MediaKit.start({ clock: () => nowMs, options: { askAgainMs: 40 } });
    await kit.connect();
    await kit.emulator.setReupload('15550001111', 'garbage');
    const media = await kit.emulator.putMedia({ kind: 'image', bytes, fault: { fault: 'status', status: 404 } });
    await kit.capture(media);
    await eventually(() => kit.asked.length).toBeGreaterThan(0);
    nowMs += 60_001;
    await eventually(() => kit.gaps).toEqual(['attachment-missing final']);
  });
});

describe('a restart', () => {
  it('goes on with what was planned and not fetched', async () => {
    const sink = new MemorySink();
    const before = await MediaKit.start({ sink });
    const media = await before.emulator.putMedia({ kind: 'image', bytes, fault: { fault: 'mute' } });
    await before.capture(media);
    await before.stop();
    expect(before.phases).toEqual(['pending']);
    await before.emulator.setMediaFault(media.directPath, null);
    const after = await MediaKit.start({ sink, emulator: before.emulator });
    await eventually(() => after.sink.media.length).toBe(1);
    await eventually(() => after.phases).toEqual([]);
  });
});

describe('what operators see', () => {
  it('names nobody and nothing', async () => {
    const kit = await MediaKit.start();
    const media = await kit.emulator.putMedia({ kind: 'image', bytes, fault: { fault: 'mute' } });
    await kit.capture(media);
    await eventually(() => kit.events.troubles.length).toBeGreaterThan(0);
    expect(kit.events.text).not.toContain(media.directPath.slice(0, 20));
    expect(kit.events.text).not.toContain('1555000');
  });
});
