// SPDX-License-Identifier: AGPL-3.0-or-later
import { randomBytes } from 'node:crypto';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { putFile } from '../../src/spool/put-file.ts';
import { objectFiles } from '../support/spool-disk.ts';
import { rejectionOf, temporaryDirectory, until } from '../support/spool-kit.ts';
import { attachment, message } from '../support/spool-parts.ts';
import { readLog } from '../support/recovered.ts';
import { newFar, ShippingKit, type Far } from '../support/shipping-kit.ts';

const drained = (of: ShippingKit): Promise<void> => until('all is archived', () => of.spool.backlog() === 0);

async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server: Server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function fileOf(bytes: Buffer): string {
  const path = join(temporaryDirectory(), 'object');
  writeFileSync(path, bytes);
  return path;
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const NEVER = new AbortController().signal;

describe('putting a file', () => {
  it('sends exactly its bytes with exactly the granted headers', async () => {
    const bytes = randomBytes(5_000_000);
    const seen: [string | undefined, unknown, boolean][] = [];
    const url = await serve((request, response) => {
      void bodyOf(request).then((body) => {
        seen.push([request.method, request.headers['x-lock'], body.equals(bytes)]);
        response.end();
      });
    });
    await putFile(
      fileOf(bytes),
      { url: `${url}/object`, headers: { 'x-lock': 'yes', 'content-length': String(bytes.length) } },
      NEVER,
    );
    expect(seen).toEqual([['PUT', 'yes', true]]);
  });

  it('fails with what the server says, though it says so before it has read anything', async () => {
    for (const keepsReading of [true, false]) {
      const url = await serve((request, response) => {
        response.writeHead(403, { connection: 'close' }).end('no');
        if (keepsReading) request.resume();
      });
      const startMs = performance.now();
      const rejection = await putFile(fileOf(randomBytes(20_000_000)), { url, headers: {} }, NEVER).catch(
        (error: unknown) => error,
      );
      expect(rejection).toBeInstanceOf(Error);
      expect(performance.now() - startMs).toBeLessThan(10_000);
    }
  });

  it.each([
    [
      'the connection ends in the middle',
      (request: IncomingMessage) => void request.once('data', () => request.socket.destroy()),
    ],
    [
      'the connection ends before an answer',
      (request: IncomingMessage) => void request.resume().on('end', () => request.socket.destroy()),
    ],
    [
      'the answer is cut off',
      (request: IncomingMessage, response: ServerResponse) => {
        request.resume();
        response.writeHead(200, { 'content-length': '100' });
        response.write('x');
        setTimeout(() => request.socket.destroy(), 20);
      },
    ],
    ['the server never answers', () => undefined],
    ['the server reads and never answers', (request: IncomingMessage) => void request.resume()],
  ])('fails, and takes nothing for stored, when %s', async (_name, answer) => {
    const url = await serve(answer);
    expect(await rejectionOf(putFile(fileOf(randomBytes(3_000_000)), { url, headers: {} }, NEVER, 200))).not.toBeNull();
  });

  it('fails when there is no server, no file, or it is called off', async () => {
    const path = fileOf(randomBytes(1000));
    const url = await serve(() => undefined);
    expect(await rejectionOf(putFile(path, { url: 'http://127.0.0.1:1/', headers: {} }, NEVER))).toBe('ECONNREFUSED');
    expect(await rejectionOf(putFile(join(path, 'none'), { url, headers: {} }, NEVER))).not.toBeNull();
    const stop = new AbortController();
    const called = rejectionOf(putFile(path, { url, headers: {} }, stop.signal));
    stop.abort();
    expect(await called).not.toBeNull();
  });

  it('into a directory leaves the whole file or none', async () => {
    const bytes = randomBytes(100_000);
    const directory = temporaryDirectory();
    await putFile(fileOf(bytes), { url: pathToFileURL(join(directory, 'object')).href, headers: {} }, NEVER);
    expect(readFileSync(join(directory, 'object')).equals(bytes)).toBe(true);
    const missing = pathToFileURL(join(directory, 'none', 'object')).href;
    expect(await rejectionOf(putFile(fileOf(bytes), { url: missing, headers: {} }, NEVER))).toBe('ENOENT');
    expect(
      await rejectionOf(
        putFile(join(directory, 'nothing'), { url: pathToFileURL(join(directory, 'b')).href, headers: {} }, NEVER),
      ),
    ).toBe('ENOENT');
    expect(readdirSync(directory)).toEqual(['object']);
  });
});

describe('an object on its way', () => {
  /** A store that takes PUTs into the log’s objects, and fails as told. */
  async function store(far: Far, fails: (count: number) => number | null): Promise<{ puts: number }> {
    const seen = { puts: 0 };
    const url = await serve((request, response) => {
      seen.puts += 1;
      const status = fails(seen.puts);
      if (status !== null) return void response.writeHead(status, { connection: 'close' }).end();
      void bodyOf(request).then((body) => {
        writeFileSync(join(far.log.objects, (request.url ?? '').slice(1)), body);
        response.end();
      });
    });
    far.log.grant = ({ sha256, size }) => ({
      ...far.log.fileGrant({ sha256, size }),
      url: `${url}/${sha256}`,
      headers: { 'content-length': String(size) },
    });
    return seen;
  }

  it('is there before the batch that names it, however often the store refuses', async () => {
    const far = newFar();
    const seen = await store(far, (count) => (count <= 3 ? 503 : null));
    await using of = await ShippingKit.start(far, temporaryDirectory(), ['first'], { againAfterMs: 200 });
    await of.sink.deliverMedia(attachment('photo', randomBytes(300_000)));
    await of.sink.deliver([message('after')]);
    await drained(of);
    expect([seen.puts, far.log.violations]).toEqual([4, []]);
    expect(of.told.troubles).toContain('upload spool/upload');
    expect(of.spool.streams()).toHaveLength(1);
  });

  it('waits while grants are denied, and grants for one stream are not taken for another', async () => {
    const far = newFar();
    let denied = 0;
    far.log.grant = (object) => (denied < 3 ? ((denied += 1), 'archive/grant-limit') : far.log.fileGrant(object));
    await using of = await ShippingKit.start(far, temporaryDirectory(), ['first', 'second'], { againAfterMs: 200 });
    await Promise.all(of.sinks.map((sink, no) => sink.deliverMedia(attachment(`photo ${no}`, randomBytes(10_000)))));
    await drained(of);
    expect([far.log.violations, of.kit.fatal]).toEqual([[], []]);
    expect(of.told.troubles).toContain('upload spool/no-grant');
  });

  it('takes no grant for another size', async () => {
    const far = newFar();
    let count = 0;
    far.log.grant = (object) => ({ ...far.log.fileGrant(object), size: object.size + ((count += 1) === 1 ? 1 : 0) });
    await using of = await ShippingKit.start(far, temporaryDirectory(), ['first'], { againAfterMs: 200 });
    await of.sink.deliverMedia(attachment('photo', randomBytes(10_000)));
    await drained(of);
    expect(count).toBe(2);
  });

  it('goes in groups of grants where one batch names many', async () => {
    const far = newFar();
    await using of = await ShippingKit.start(far, temporaryDirectory(), ['first'], { againAfterMs: 200 });
    await Promise.all(
      Array.from({ length: 40 }, (_, at) => of.sink.deliverMedia(attachment(`photo ${at}`, randomBytes(2000)))),
    );
    await drained(of);
    expect(readdirSync(far.log.objects)).toHaveLength(40);
    expect(far.log.violations).toEqual([]);
  });

  it.each([
    ['is gone', (path: string) => rmSync(path)],
    [
      'rotted',
      (path: string) =>
        writeFileSync(
          path,
          Buffer.concat([Buffer.of(readFileSync(path)[0] === 0 ? 1 : 0), readFileSync(path).subarray(1)]),
        ),
    ],
  ])('whose file %s becomes a gap, and holds up nothing', async (_name, damage) => {
    const far = newFar();
    far.link.isAway = true;
    await using of = await ShippingKit.start(far, temporaryDirectory(), ['first'], {
      againAfterMs: 200,
      times: { headsTimeoutMs: 20, doubtPauseMs: 0 },
    });
    const bytes = randomBytes(50_000);
    await of.sink.deliver([message('before')]);
    await of.sink.deliverMedia(attachment('photo', bytes));
    await of.sink.deliver([message('after')]);
    damage(join(of.kit.directory, 'objects', objectFiles(of.kit.directory)[0] ?? ''));
    // The store checks what it is given, as S3 does by its headers.
    await store(far, () => null);
    const url = await serve((request, response) => {
      void bodyOf(request).then((body) => {
        const name = (request.url ?? '').slice(1);
        const fits = createHash('sha256').update(body).digest('hex') === name;
        if (fits) writeFileSync(join(far.log.objects, name), body);
        response.writeHead(fits ? 200 : 400).end();
      });
    });
    far.log.grant = ({ sha256, size }) => ({ ...far.log.fileGrant({ sha256, size }), url: `${url}/${sha256}` });
    far.link.isAway = false;
    await until('the account has another stream', () => of.told.opened.length === 2);
    await of.attachments.settled();
    await until(
      'the old stream is dealt with',
      () => of.spool.streams()[0]?.archivedSeq === of.spool.streams()[0]?.headSeq,
    );
    await drained(of);
    const log = await readLog(far.log);
    expect([...log.direct, ...log.orphaned].toSorted()).toEqual([
      'about photo',
      'raw bytes of after',
      'raw bytes of before',
    ]);
    expect(log.gaps.toSorted()).toEqual(['object-unreadable', 'spool-doubtful']);
    const gap = far.log.all().find(({ entry }) => entry.t === 'gap' && entry.cause === 'object-unreadable');
    expect(gap?.entry).toMatchObject({
      scope: 'attachment',
      state: 'final',
      tag: of.sink.tagOf(attachment('photo', bytes).native),
    });
    expect(far.log.violations).toEqual([]);
    expect(existsSync(far.log.objects)).toBe(true);
  });

  it('is called off when the shipper closes, and made by the next', async () => {
    const far = newFar();
    const directory = temporaryDirectory();
    const hangs = await serve(() => undefined);
    far.log.grant = (object) => ({ ...far.log.fileGrant(object), url: hangs });
    {
      await using of = await ShippingKit.start(far, directory);
      await of.sink.deliverMedia(attachment('photo', randomBytes(50_000)));
      await new Promise((resolve) => setTimeout(resolve, 200));
      const startMs = performance.now();
      await of.shipper[Symbol.asyncDispose]();
      expect(performance.now() - startMs).toBeLessThan(2000);
    }
    far.log.grant = null;
    await using of = await ShippingKit.start(far, directory);
    await drained(of);
    expect(far.log.violations).toEqual([]);
  });
});
