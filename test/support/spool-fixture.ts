// SPDX-License-Identifier: AGPL-3.0-or-later

import { createPrivateKey, createSecretKey, generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { buffer } from 'node:stream/consumers';
import { keyIdOf, parseSigningKeyText, signingKeyOf } from '../../src/record/key.ts';
import type { Manifest, RecipientRole } from '../../src/record/manifest.ts';
import { noteKey } from '../../src/record/note.ts';
import type { App } from '../../src/record/vocabulary.ts';
import type { View } from '../../src/record/message.ts';
import { openObject } from '../../src/seal/object.ts';
import { Opener } from '../../src/seal/open.ts';
import type { AccountSpool } from '../../src/spool/account.ts';
import { Spool, type SpoolOptions } from '../../src/spool/spool.ts';
import { WatermarkGate, WATERMARKS } from '../../src/spool/watermark.ts';

export const ORIGIN = 'log.example.gov/2026';

/** Keys of everybody, made once per test file. */
export interface SpoolKeys {
  readonly manifest: Manifest;
  readonly logKey: SpoolOptions['logKey'];
  readonly signingKey: KeyObject;
  readonly hostKey: KeyObject;
  readonly deploymentKey: KeyObject;
  readonly readerKey: KeyObject;
  readonly readerKid: string;
}

export function newSpoolKeys(): SpoolKeys {
  const signing = generateKeyPairSync('ed25519');
  const log = generateKeyPairSync('ed25519');
  const reader = newRecipient('reader');
  const escrow = newRecipient('escrow');
  const manifest: Manifest = {
    origin: ORIGIN,
    n: 0,
    at: '2026-11-22T00:00:00Z',
    previous: null,
    evaluation: true,
    recipients: [reader.recipient, escrow.recipient],
    signers: [{ role: 'connector', name: 'connector', pub: signingKeyOf(signing.privateKey).raw.toString('base64') }],
  };
  return {
    manifest,
    logKey: noteKey(ORIGIN, signingKeyOf(log.privateKey)),
    signingKey: signing.privateKey,
    hostKey: createSecretKey(randomBytes(32)),
    deploymentKey: createSecretKey(randomBytes(32)),
    readerKey: reader.privateKey,
    readerKid: reader.recipient.kid,
  };
}

function newRecipient(role: RecipientRole): { recipient: Manifest['recipients'][number]; privateKey: KeyObject } {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
  const kid = keyIdOf(publicKey.export({ format: 'der', type: 'spki' }));
  return { recipient: { role, kid, x, y }, privateKey };
}

/** What a connector in another process needs of the keys; the reader's stay here. */
export function encodeKeys({ manifest, logKey, signingKey, hostKey, deploymentKey }: SpoolKeys): string {
  return JSON.stringify({
    manifest,
    log: logKey.key.raw.toString('base64'),
    signing: signingKey.export({ format: 'pem', type: 'pkcs8' }),
    host: hostKey.export().toString('hex'),
    deployment: deploymentKey.export().toString('hex'),
  });
}

export function decodeKeys(text: string): SpoolKeys {
  const keys = JSON.parse(text) as Record<'log' | 'signing' | 'host' | 'deployment', string> & { manifest: Manifest };
  const secret = (hex: string): KeyObject => createSecretKey(Buffer.from(hex, 'hex'));
  const signingKey = createPrivateKey(keys.signing);
  return {
    manifest: keys.manifest,
    logKey: noteKey(ORIGIN, parseSigningKeyText(keys.log)),
    signingKey,
    hostKey: secret(keys.host),
    deploymentKey: secret(keys.deployment),
    readerKey: signingKey,
    readerKid: '',
  };
}

/** One record as a reader sees it. */
export interface OpenedView {
  readonly seq: number;
  readonly t: string;
  readonly cap: { readonly atMs: number; readonly via: string };
  readonly view: View;
  readonly raw: Buffer;
  /** Header members of a gap. */
  readonly header: Readonly<Record<string, unknown>>;
}

/** A real spool on disk, with an account's stream open. Opened again, it is what a crash or a stop left. */
export class SpoolFixture implements AsyncDisposable {
  readonly directory: string;
  readonly keys: SpoolKeys;
  readonly spool: Spool;
  /** Share of the volume in use; 0.95 makes `ready` wait. */
  usage = 0.1;

  private constructor(directory: string, keys: SpoolKeys, spool: Spool) {
    this.directory = directory;
    this.keys = keys;
    this.spool = spool;
  }

  static async open(options: {
    directory: string;
    keys: SpoolKeys;
    clock?: () => number;
    onFatal?: SpoolOptions['onFatal'];
  }): Promise<SpoolFixture> {
    const { directory, keys } = options;
    const usage = { of: (): number => 0.1 };
    const spool = await Spool.open({
      directory,
      origin: ORIGIN,
      ...keys,
      clock: options.clock ?? Date.now,
      gate: () =>
        new WatermarkGate(
          () => Promise.resolve({ used: usage.of() * 1000, total: 1000 }),
          WATERMARKS,
          () => undefined,
        ),
      onFatal: options.onFatal ?? ((failure) => console.error(failure.code)),
      events: { doubtful: () => undefined },
    });
    const fixture = new SpoolFixture(directory, keys, spool);
    usage.of = () => fixture.usage;
    return fixture;
  }

  /** The sink of an account; opens its stream if it has none. */
  async sink(app: App, account: string): Promise<AccountSpool> {
    const sink = this.spool.account(app, account, 'GRS-6.1-011');
    if (this.spool.currentStream(sink.acct) === undefined) {
      const last = this.spool.latestStream(sink.acct);
      await this.spool.openStream({ acct: sink.acct, app, role: 'account', last: null, lastGen: last?.gen ?? 0 });
    }
    return sink;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.spool[Symbol.asyncDispose]();
  }
}

/** Opens everything in a spool that nobody has open, with the reader's key: what an archive of it would hold. */
export async function readSpool(directory: string, keys: SpoolKeys): Promise<OpenedView[]> {
  const path = join(directory, 'spool.db');
  if (!existsSync(path)) return [];
  const db = new DatabaseSync(path);
  try {
    const opener = new Opener(keys.readerKey, keys.readerKid);
    for (const { document } of db.prepare('SELECT document FROM epochs').all() as { document: string }[])
      opener.addEpoch(document);
    const rows = db.prepare('SELECT rid, line, body FROM records WHERE body IS NOT NULL ORDER BY rid').all();
    const opened: OpenedView[] = [];
    for (const { line, body } of rows as { line: string; body: Uint8Array }[]) {
      const { entry, parts } = await opener.open(line, Buffer.from(body));
      const header = entry as unknown as OpenedView['header'] & { seq: number; t: string };
      opened.push({
        seq: header.seq,
        t: header.t,
        cap: JSON.parse(parts.cap.toString()) as OpenedView['cap'],
        view: JSON.parse(parts.view.toString()) as View,
        raw: parts.raw,
        header,
      });
    }
    return opened;
  } finally {
    db.close();
  }
}

/** The plaintext of a media object. */
export async function readObject(directory: string, header: OpenedView['header'], view: View): Promise<Buffer> {
  if (view.kind !== 'attachment') throw new TypeError('expected a view of an attachment');
  const [object] = header['obj'] as { h: string }[];
  const file = createReadStream(join(directory, 'objects', object?.h ?? ''));
  await once(file, 'open');
  const padded = await buffer(openObject(Buffer.from(view.object.key, 'hex'), file));
  return padded.subarray(0, view.object.size);
}
