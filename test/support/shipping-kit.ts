// SPDX-License-Identifier: AGPL-3.0-or-later
import { openManifest, signersOf, signManifest } from '../../src/record/manifest.ts';
import type { App } from '../../src/record/vocabulary.ts';
import { Attachments, type AttachTimes } from '../../src/spool/attach.ts';
import { Shipper, type ShipperEvents } from '../../src/spool/shipper.ts';
import type { SpoolOptions } from '../../src/spool/spool.ts';
import { CONNECTOR, ORIGIN, ROOT, type SigningPair } from '../vectors/keys.ts';
import { CheckingLog } from './checking-log.ts';
import { LossyLink } from './lossy-link.ts';
import { SpoolKit, temporaryDirectory } from './spool-kit.ts';
import { CLASS, MANIFEST } from './spool-parts.ts';

export const ARCHIVERS = signersOf(openManifest(signManifest(MANIFEST, ROOT.privateKey), ROOT.key, ORIGIN), 'archiver');

/** A log, and a link to it, that several spools may ship to. */
export interface Far {
  readonly log: CheckingLog;
  readonly link: LossyLink;
}

export function newFar(seed = 1, origin: string = ORIGIN): Far {
  const log = new CheckingLog(origin);
  const link = new LossyLink((job) => log.take(job), seed);
  log.reply = (to, text) => link.reply(to, text);
  log.objects = temporaryDirectory();
  return { log, link };
}

/** What a shipper told. */
export class Told implements ShipperEvents {
  shippedRecords = 0;
  readonly refusals: string[] = [];
  readonly troubles: string[] = [];
  readonly opened: string[] = [];

  shipped(records: number): void {
    this.shippedRecords += records;
  }
  archived(): void {}
  refused(code: string): void {
    this.refusals.push(code);
  }
  trouble(what: string, code: string): void {
    this.troubles.push(`${what} ${code}`);
  }
}

export interface ShippingOptions {
  readonly changes?: Partial<SpoolOptions> & { nowMs?: number };
  readonly againAfterMs?: number;
  readonly times?: AttachTimes;
  readonly pair?: SigningPair;
  /** Of all accounts. */
  readonly device?: string;
}

/** A spool with a shipper and its accounts, as a connector runs them. */
export class ShippingKit implements AsyncDisposable {
  readonly kit: SpoolKit;
  readonly shipper: Shipper;
  readonly attachments: Attachments;
  readonly told: Told;
  readonly sinks: ReturnType<SpoolKit['spool']['account']>[];

  private constructor(kit: SpoolKit, far: Far, accounts: readonly string[], options: ShippingOptions) {
    const { pair = CONNECTOR, againAfterMs = 300, times = { headsTimeoutMs: 2000, doubtPauseMs: 0 } } = options;
    const told = new Told();
    this.kit = kit;
    this.told = told;
    this.shipper = new Shipper({
      spool: kit.spool,
      uplink: far.link.uplink(kit.spool.keyId),
      signingKey: pair.privateKey,
      archivers: ARCHIVERS,
      clock: () => kit.nowMs,
      againAfterMs,
      events: told,
      onDoubt: (stream) => this.attachments.doubt(stream),
    });
    this.sinks = accounts.map((name) => kit.spool.account(appOf(name), name, CLASS, options.device));
    this.attachments = new Attachments(
      kit.spool,
      this.shipper,
      accounts.map((name, at) => ({ app: appOf(name), name, sink: this.sinks[at] as (typeof this.sinks)[number] })),
      () => kit.nowMs,
      { streamOpened: (account, _stream, cause) => told.opened.push(`${account} ${cause}`) },
      times,
    );
  }

  /** Opens the spool and starts shipping; accounts get their streams with {@link Attachments.attach}. */
  static async open(
    far: Far,
    directory: string,
    accounts: readonly string[] = ['first'],
    options: ShippingOptions = {},
  ): Promise<ShippingKit> {
    const { pair = CONNECTOR, changes = {} } = options;
    const kit = await SpoolKit.open(directory, { signingKey: pair.privateKey, ...changes });
    const shipping = new ShippingKit(kit, far, accounts, options);
    await shipping.shipper.start();
    return shipping;
  }

  /** Like {@link open}, attached. */
  static async start(...args: Parameters<typeof ShippingKit.open>): Promise<ShippingKit> {
    const shipping = await ShippingKit.open(...args);
    await shipping.attachments.attach();
    return shipping;
  }

  get sink(): ShippingKit['sinks'][number] {
    return this.sinks[0] as ShippingKit['sinks'][number];
  }

  get spool(): SpoolKit['spool'] {
    return this.kit.spool;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shipper[Symbol.asyncDispose]();
    await this.attachments.settled();
    await this.kit[Symbol.asyncDispose]();
  }
}

function appOf(name: string): App {
  return name === 'process' ? 'holdfast' : 'signal';
}
