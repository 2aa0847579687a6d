// SPDX-License-Identifier: AGPL-3.0-or-later

import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { AttachmentStore } from './attachments.ts';
import { Faults } from './faults.ts';
import { frameOf, type Payload } from './frame.ts';
import { newMessage, type EmulatedMessage } from './history.ts';
import { Journal } from './journal.ts';
import { LinkDesk, type Scan, type ScanResult } from './link.ts';
import { SeededRandom } from './random.ts';
import { RestProcess } from './rest-process.ts';
import type { ReceiveOptions, SignalEmulatorOptions } from './options.ts';
import type { SeenRequest } from './rest-server.ts';
import { SignalCli, type Parcel } from './signal-cli.ts';
import { World, type Group, type Identity } from './world.ts';

const redialAttempts = 15;

/** Starts the emulator on 127.0.0.1. The accounts of the options are linked and connected from the start. */
export async function startSignalEmulator(options: SignalEmulatorOptions): Promise<SignalEmulator> {
  const emulator = new SignalEmulator(options);
  await emulator.startProcess({ redialMs: 0 });
  return emulator;
}

/**
 * A container with signal-cli-rest-api, the Signal server behind it and the phone beside it. `receive` is Signal's side,
 * `url` the container's, `faults` what can go wrong.
 */
export class SignalEmulator implements AsyncDisposable {
  readonly faults = new Faults();
  readonly world: World;
  /** Every message ever sent to an account, in order, wherever it stands. */
  readonly messages: EmulatedMessage[] = [];
  /** Every REST and WebSocket request, in order. */
  readonly requests: SeenRequest[] = [];
  /** Why the process last ended by itself: 1 after it gave up on the daemon or died of a request. */
  exitCode: number | null = null;
  readonly #options: SignalEmulatorOptions;
  readonly #random: SeededRandom;
  readonly #journal: Journal;
  readonly #attachments: AttachmentStore;
  readonly #daemon: SignalCli;
  readonly #links: LinkDesk;
  readonly #process: RestProcess;
  #generation = 0;
  #redial: NodeJS.Timeout | undefined;

  constructor(options: SignalEmulatorOptions) {
    const { faults, messages } = this;
    this.#options = options;
    this.#random = new SeededRandom(options.seed ?? 1);
    const nowMs = options.nowMs ?? Date.now;
    const trustMode = options.trustNewIdentities ?? 'on-first-use';
    this.world = new World({ random: this.#random, trustMode, nowMs });
    for (const preset of options.accounts ?? []) this.world.addAccount(preset);
    this.#journal = new Journal({
      path: join(options.dataDir, 'log', 'out.log'),
      maxBytes: options.journalMaxBytes ?? 50 * 1024 * 1024,
      backups: options.journalBackups ?? 10,
    });
    this.#attachments = new AttachmentStore({ dir: join(options.dataDir, 'attachments'), faults });
    this.#daemon = new SignalCli({
      world: this.world,
      faults,
      journal: this.#journal,
      attachments: this.#attachments,
      messages,
      onCrash: () => this.restartDaemon(),
    });
    this.#links = new LinkDesk({ faults, world: this.world, random: this.#random });
    this.#process = new RestProcess({
      port: options.port ?? 0,
      mode: options.mode ?? 'json-rpc',
      version: options.version ?? 'unset',
      pingIntervalMs: options.pingIntervalMs ?? 54_000,
      linesPerFrame: options.linesPerFrame ?? 40,
      socketBufferBytes: options.socketBufferBytes ?? 4 * 1024 * 1024,
      commandTimeoutMs: options.commandTimeoutMs ?? 120_000,
      webhookUrl: options.webhookUrl,
      world: this.world,
      faults,
      random: this.#random,
      attachments: this.#attachments,
      daemon: this.#daemon,
      links: this.#links,
      seen: this.requests,
      daemonGeneration: () => this.#generation,
      onFatal: () => void this.#die(),
    });
    faults.onReachable = () => this.#daemon.pump();
  }

  /** `http://127.0.0.1:<port>`, the same over restarts. */
  get url(): string {
    return `http://127.0.0.1:${this.#process.port}`;
  }

  webSocketUrl(number: string): string {
    return `${this.url.replace('http', 'ws')}/v1/receive/${encodeURIComponent(number)}`;
  }

  get journalPath(): string {
    return this.#journal.path;
  }

  get attachmentsDir(): string {
    return this.#attachments.dir;
  }

  /** WebSockets open now. */
  get webSocketCount(): number {
    return this.#process.webSocketCount;
  }

  get webhookUrl(): string | undefined {
    return this.#process.webhookUrl;
  }

  set webhookUrl(url: string | undefined) {
    this.#process.webhookUrl = url;
  }

  /** The judge of loss: what signal-cli acknowledged to Signal, with the intakes that got it. Nobody sends it again. */
  get history(): readonly EmulatedMessage[] {
    return this.messages.filter((message) => message.state === 'acknowledged');
  }

  /**
   * A message arrives. Resolves when the REST process is through with it, webhook included, or at once when it stays on
   * the server, is dropped or finds no REST process. Awaited one by one, messages are spaced as single messages are.
   */
  async receive(account: string, payload: Payload, options: ReceiveOptions = {}): Promise<EmulatedMessage> {
    const { parcel, done } = this.#parcel(account, payload, options);
    this.#daemon.send([parcel]);
    await done;
    await nextTurn();
    return parcel.message;
  }

  /** Messages arrive together, in one piece, as after an outage. Resolves when all of them have been through. */
  async receiveBurst(account: string, payloads: readonly Payload[]): Promise<readonly EmulatedMessage[]> {
    const made = payloads.map((payload) => this.#parcel(account, payload, {}));
    this.#daemon.send(made.map(({ parcel }) => parcel));
    await Promise.all(made.map(({ done }) => done));
    await nextTurn();
    return made.map(({ parcel }) => parcel.message);
  }

  /**
   * A message that cannot be decrypted: only an exception with its header comes. `resend` is the sender's answer to the
   * request to send again: the message itself, with the same timestamp.
   */
  async receiveUndecryptable(
    account: string,
    payload: Payload,
    exception: { readonly message: string; readonly type: string } = {
      message: 'org.signal.libsignal.protocol.InvalidMessageException: invalid Whisper message: decryption failed',
      type: 'ProtocolInvalidMessageException',
    },
  ): Promise<{ readonly gap: EmulatedMessage; readonly resend: () => Promise<EmulatedMessage> }> {
    const { header } = frameOf(account, payload);
    const gap = await this.receive(account, { exception, envelope: header });
    return { gap, resend: () => this.receive(account, payload) };
  }

  /** The phone removed this device: the number is gone from the accounts, its sockets stay open and silent. */
  unlink(number: string): void {
    this.world.account(number).registered = false;
    this.#daemon.forget(number);
  }

  /** Linked again in place, without the ceremony of a scan. */
  relink(number: string): void {
    this.world.account(number).registered = true;
  }

  /** The owner blocks a contact on the phone: from here on signal-cli drops what the contact sends, silently. */
  blockContact(number: string, uuidOrNumber: string): void {
    this.world.contact(number, uuidOrNumber).blocked = true;
  }

  unblockContact(number: string, uuidOrNumber: string): void {
    this.world.contact(number, uuidOrNumber).blocked = false;
  }

  changeIdentity(number: string, uuidOrNumber: string): Identity {
    return this.world.changeIdentity(number, uuidOrNumber);
  }

  updateGroup(number: string, internalId: string, change: Partial<Omit<Group, 'internalId' | 'revision'>>): Group {
    return this.world.updateGroup(number, internalId, change);
  }

  touchPrimary(number: string, atMs: number): void {
    this.world.touchPrimary(number, atMs);
  }

  /** The phone scans a link URI that the API gave out. */
  async scanLink(uri: string, scan: Scan): Promise<ScanResult> {
    return await this.#links.scan(uri, scan);
  }

  /** Holds the lock that all WebSocket writes share. Returns the release. */
  stallWebSockets(): () => void {
    return this.#process.stallWebSockets();
  }

  /** signal-cli stops. Sockets stay open, pending REST calls hang, new ones are 500 without a body. */
  stopDaemon(): void {
    this.#generation += 1;
    this.#daemon.stop();
    this.#links.forgetAll();
    clearTimeout(this.#redial);
    this.#redial = setTimeout(() => void this.#die(), redialAttempts * this.#redialIntervalMs);
  }

  /**
   * signal-cli starts and fetches at once what waited on the server. The REST process finds it `redialMs` later; until
   * then messages reach out.log only.
   */
  startDaemon(options: { readonly redialMs?: number } = {}): void {
    const redialMs = options.redialMs ?? this.#redialIntervalMs;
    clearTimeout(this.#redial);
    const connect = (): void => {
      this.#daemon.connection = this.#process.connection;
    };
    if (redialMs <= 0) connect();
    else this.#redial = setTimeout(connect, redialMs);
    this.#daemon.start();
  }

  restartDaemon(options: { readonly redialMs?: number } = {}): void {
    this.stopDaemon();
    this.startDaemon(options);
  }

  /** The container ends without warning: connections are cut, unread lines are lost, messages wait on the server. */
  async exitProcess(): Promise<void> {
    this.stopDaemon();
    clearTimeout(this.#redial);
    this.#attachments.cancelLate();
    await this.#process.stop();
    this.#journal.close();
  }

  /** The container starts again: same port, same data directory. The daemon fetches before the REST process finds it. */
  async startProcess(options: { readonly redialMs?: number } = {}): Promise<void> {
    this.exitCode = null;
    this.#journal.open();
    await this.#process.start();
    if (this.#options.mode !== 'normal') this.startDaemon(options);
  }

  rotateJournal(): void {
    this.#journal.rotate();
  }

  /** Appends text to out.log as it is. */
  writeJournal(text: string): void {
    this.#journal.write(text);
  }

  /** Resolves when the REST process has handled every line it has. */
  async whenIdle(): Promise<void> {
    await this.#process.whenIdle();
    await nextTurn();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.exitProcess();
  }

  get #redialIntervalMs(): number {
    return this.#options.redialIntervalMs ?? 2000;
  }

  async #die(): Promise<void> {
    this.exitCode = 1;
    await this.exitProcess();
  }

  #parcel(account: string, payload: Payload, options: ReceiveOptions): { parcel: Parcel; done: Promise<void> } {
    const frame = frameOf(account, payload);
    const { promise, resolve } = Promise.withResolvers<void>();
    const message = newMessage(account, frame.facts.timestamp, frame.params);
    const { attachments = [], copies = 1 } = options;
    return { parcel: { frame, message, attachments, copies, done: resolve }, done: promise };
  }
}
