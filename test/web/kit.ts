// SPDX-License-Identifier: AGPL-3.0-or-later
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { z } from 'zod';
import type { Actor, Deed } from '../../src/access/act.ts';
import type { SpooledAudit } from '../../src/access/spooled-audit.ts';
import type { Audit } from '../../src/access/audit.ts';
import { ExportDesk } from '../../src/export/desk/export-desk.ts';
import { HoldDesk } from '../../src/matters/hold-desk.ts';
import { ArchiveFiles } from '../../src/export/files/archive-files.ts';
import type { Config } from '../../src/base/config.ts';
import { trustText } from '../../src/export/proof/proof-files.ts';
import { exportThread } from '../../src/main/export-thread.ts';
import { openManifest, signersOf } from '../../src/record/manifest.ts';
import { QueryThreads } from '../../src/search/query-threads.ts';
import { openDirReader } from '../../src/verify/dir-reader.ts';
import { NO_SESSIONS, type Authenticator, type Identity } from '../../src/web/authenticator.ts';
import { PREFIX } from '../../src/web/document.ts';
import { OneUser } from '../../src/web/one-user.ts';
import type { Permission } from '../../src/base/permission.ts';
import type { Route } from '../../src/web/route.ts';
import { ROUTES } from '../../src/web/routes/all.ts';
import { WebServer, type WebServerParts } from '../../src/web/server.ts';
import { auditIn, type AuditKit } from '../access/kit.ts';
import { attachment, deliverFile, indexed } from '../export/kit.ts';
import { TalkingArchive } from '../search/archive-kit.ts';
import { ANA, BEN, CLEO, direct, HARBOUR, message, refTo } from '../search/kit.ts';
import { MANIFEST, TRUST, type ArchiveMaker } from '../support/archive-fixture.ts';
import { until } from '../support/e2e-process.ts';
import { ORIGIN, READER, ROOT } from '../vectors/keys.ts';

export const TOKEN = 'T'.repeat(43);
export const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);
export const PAGE = Buffer.from('<!doctype html><script>alert(1)</script>'.padEnd(200_000, ' '));
export const HARBOUR_LINES = 130;
export const HOSTILE = '<img src=x onerror=alert(1)> \u202Eevil \u0000 "}]}';

/** An archive as connectors and an archiver write it: a long conversation, files that lie, words that try. */
export async function makeOffice(directory: string): Promise<string> {
  await using archive = await TalkingArchive.start(directory);
  const { maker } = archive;
  const atMs = maker.nowMs - HARBOUR_LINES * 60_000;
  for (let n = 0; n < HARBOUR_LINES; n += 1) {
    await archive.capture(ANA, message(`berth ${n} of the harbour`), {
      by: BEN,
      chat: HARBOUR,
      atMs: atMs + n * 60_000,
    });
  }
  const target = refTo(BEN, atMs);
  await archive.capture(
    ANA,
    { kind: 'edit', target, content: { text: 'berth 0, edited' } },
    { by: BEN, chat: HARBOUR },
  );
  await maker.archive();
  await maker.hour();
  const files = [
    attachment('true', 'gate 3 – 検査.png', 'image/png', PNG.length),
    attachment('lies', '../../evil\u202Egnp.html', 'image/png', PAGE.length),
    attachment('gone', 'never came.pdf', 'application/pdf', 12),
  ];
  const at = maker.nowMs;
  await archive.capture(ANA, message('with files', { attachments: files }), { by: CLEO, chat: direct(CLEO), atMs: at });
  await archive.capture(ANA, message(HOSTILE), { by: CLEO, chat: direct(CLEO), atMs: at + 1000 });
  const [honest, liar] = files as [ReturnType<typeof attachment>, ReturnType<typeof attachment>];
  await deliverFile(archive, ANA, refTo(CLEO, at), honest, PNG);
  await deliverFile(archive, ANA, refTo(CLEO, at), liar, PAGE);
  await maker.gap(await archive.sink(ANA));
  await maker.archive();
  return archive.directory;
}

export interface Recorded {
  readonly deeds: readonly Deed[];
  readonly by: Pick<Actor, 'user' | 'session' | 'via'> | undefined;
}

/** A reader over a real archive, index and spool, served on loopback. */
export class WebOffice implements AsyncDisposable {
  readonly archive: string;
  readonly index: string;
  readonly recorded: Recorded[] = [];
  readonly troubles: string[] = [];
  readonly #parts = new AsyncDisposableStack();
  server!: WebServer;
  spool!: SpooledAudit;
  port = 0;
  /** Set to do something before a record is written. */
  beforeRecord: ((deeds: readonly Deed[]) => Promise<void>) | null = null;
  readonly exports: string;
  readonly trust: string;
  readonly key: string;

  constructor(directory: string, archive: string) {
    this.archive = archive;
    this.exports = join(directory, `exports-${randomBytes(4).toString('hex')}`);
    this.index = join(directory, `index-${randomBytes(4).toString('hex')}`);
    this.trust = join(directory, 'trust.json');
    this.key = join(directory, 'reader.key');
    writeFileSync(this.trust, trustText(TRUST));
    writeFileSync(this.key, READER.privateKey.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600 });
  }

  static async open(
    directory: string,
    archive: string,
    parts: Partial<WebServerParts> = {},
    kit: AuditKit & {
      readonly exports?: string;
      readonly holds?: HoldDesk;
      readonly port?: number;
      readonly timeStamps?: Config['timeStamps'];
    } = {},
  ): Promise<WebOffice> {
    const office = new WebOffice(directory, archive);
    const folder = kit.exports ?? office.exports;
    await indexed(archive, office.index);
    const spool = office.#parts.use(auditIn(join(directory, `spool-${randomBytes(4).toString('hex')}`), kit));
    office.spool = spool;
    const audit: Audit = {
      record: async (deeds, by) => {
        await office.beforeRecord?.(deeds);
        await spool.record(deeds, by);
        office.recorded.push({ deeds, by });
      },
      [Symbol.asyncDispose]: async () => undefined,
    };
    const index = office.#parts.use(new QueryThreads({ directory: office.index, threads: 2, mostWaiting: 500 }));
    const { trust, key } = office;
    const keys = { key, earlierKeys: [] };
    const run = exportThread({
      index: office.index,
      archive: pathToFileURL(archive).href,
      s3: null,
      trust,
      keys,
      timeStamps: kit.timeStamps ?? [],
    });
    const onTrouble = (code: string): void => void office.troubles.push(code);
    const exports = office.#parts.use(await ExportDesk.open({ folder, run, audit, clock: Date.now, onTrouble }));
    office.server = office.#parts.use(
      new WebServer({
        index,
        files: new ArchiveFiles(await openDirReader(archive), ORIGIN),
        exports,
        holds: kit.holds ?? desk(join(directory, 'desk'), Date.now),
        version: '0.0.0-test',
        audit,
        authenticator: new OneUser(TOKEN, 'ines'),
        sessions: NO_SESSIONS,
        signOn: null,
        address: null,
        tls: null,
        routes: ROUTES,
        clock: Date.now,
        onTrouble,
        ...parts,
      }),
    );
    office.port = await office.server.listen('127.0.0.1', kit.port ?? 0);
    return office;
  }

  /** Brings the index up to date with the archive, as the reading process does. */
  async grow(): Promise<void> {
    await indexed(this.archive, this.index);
  }

  /** What was recorded or decided travels to the log by the ordinary way, and from there into the index. */
  async archived({ archiver }: ArchiveMaker): Promise<void> {
    await until('all is archived', async () => {
      await archiver.flush();
      return (await this.spool.waiting()) === 0;
    });
    await this.grow();
  }

  async ask(path: string, init: RequestInit = {}): Promise<Response> {
    const { headers, ...rest } = init;
    return fetch(`http://127.0.0.1:${this.port}${path}`, {
      ...rest,
      headers: { authorization: `Bearer ${TOKEN}`, ...(headers as Record<string, string> | undefined) },
    });
  }

  async get<R extends Record<string, unknown>>(path: string): Promise<R> {
    const response = await this.ask(PREFIX + path);
    if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
    const body: unknown = await response.json();
    formOf(`GET ${path}`)?.parse(body);
    return body as R;
  }

  async search(body: Record<string, unknown>): Promise<SearchAnswer> {
    const response = await this.post('/search', body);
    if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
    const found: unknown = await response.json();
    formOf('POST /search')?.parse(found);
    return found as SearchAnswer;
  }

  async post(path: string, body: unknown): Promise<Response> {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    return this.ask(PREFIX + path, { method: 'POST', body: text, headers: { 'content-type': 'application/json' } });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.disposeAsync();
  }
}

/** Holds on this log, approved by the officers of the test's manifest. */
export function desk(spool: string, clock: () => number): HoldDesk {
  return new HoldDesk({
    spool,
    origin: ORIGIN,
    officers: () => signersOf(openManifest(MANIFEST, ROOT.key, ORIGIN), 'officer'),
    clock,
  });
}

export interface SearchAnswer {
  readonly total: number | null;
  readonly hits: readonly { readonly leaf: number; readonly snippet: readonly { text: string; hit: boolean }[] }[];
  readonly next: string | null;
  readonly index: { readonly checkpoint: number };
}

/** The form that an answer must have: every answer that a test gets is held against it. */
function formOf(asked: string): z.ZodType | undefined {
  const [method, path = ''] = asked.split(' ');
  const plain = path.split('?')[0] ?? '';
  const found = ROUTES.find((one) => {
    const pattern = new RegExp(`^${one.path.replaceAll(/:\w+/g, '[^/]+')}$`);
    return one.method === method && pattern.test(plain);
  });
  return found?.forms.answer;
}

/** An address of a route, with something in the places of its members. */
export function addressOf({ path }: Route): string {
  return PREFIX + path.replaceAll(/:\w+/g, '1');
}

/** A port that was free a moment ago: for servers that must know their address before they listen. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Somebody who may do these things only. */
export function only(...permissions: Permission[]): Authenticator {
  const identity: Identity = {
    user: 'few',
    session: 'f'.repeat(32),
    permissions: new Set(permissions),
    matters: null,
    proof: null,
  };
  return { authenticate: async () => identity };
}
