// SPDX-License-Identifier: AGPL-3.0-or-later
import { BufferJSON, Browsers, DisconnectReason, initAuthCreds, makeWASocket } from '@whiskeysockets/baileys';
import type {
  AuthenticationCreds,
  BaileysEventMap,
  SignalKeyStore,
  UserFacingSocketConfig,
  WASocket,
} from '@whiskeysockets/baileys';
import type { LinkedState } from './api.ts';
import { memoryKeys, quietLogger } from './key-memory.ts';

export interface StockClientOptions {
  readonly url: string;
  /** Absent: a new device, which shows a QR code. */
  readonly state?: LinkedState;
  readonly config?: Partial<UserFacingSocketConfig>;
  readonly onQr?: (qr: string) => void;
  /** Ask for a pairing code instead. */
  readonly pairingNumber?: string;
  readonly onPairingCode?: (code: string) => void;
}

/** The key store's content of a {@link LinkedState}. */
export function keysOf(state: LinkedState): SignalKeyStore {
  const revived = Object.entries(state.keys).map(([type, byId]) => [
    type,
    Object.fromEntries(Object.entries(byId).map(([id, json]) => [id, JSON.parse(json, BufferJSON.reviver) as unknown])),
  ]);
  return memoryKeys(Object.fromEntries(revived) as Record<string, Record<string, unknown>>);
}

export function credsOf(state: LinkedState): AuthenticationCreds {
  return JSON.parse(state.creds, BufferJSON.reviver) as AuthenticationCreds;
}

type Upsert = BaileysEventMap['messages.upsert']['messages'][number];

/** The unmodified client with nothing around it: what it does alone, for tests of the emulator and for comparison. */
export class StockClient {
  readonly creds: AuthenticationCreds;
  readonly keys: SignalKeyStore;
  readonly messages: Upsert[] = [];
  readonly events: { readonly name: string; readonly value: unknown }[] = [];
  /** Status codes with which connections ended. */
  readonly closed: number[] = [];
  readonly #options: StockClientOptions;
  readonly #waiting = new Set<() => void>();
  socket: WASocket;
  isOpen = false;

  constructor(options: StockClientOptions) {
    this.#options = options;
    this.creds = options.state === undefined ? initAuthCreds() : credsOf(options.state);
    this.keys = options.state === undefined ? memoryKeys() : keysOf(options.state);
    this.socket = this.#connect();
  }

  async until(condition: (client: StockClient) => boolean): Promise<void> {
    while (!condition(this)) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.add(resolve);
      await promise;
    }
  }

  async opened(): Promise<this> {
    await this.until(({ isOpen }) => isOpen);
    return this;
  }

  texts(): readonly (string | null)[] {
    return this.messages.map(({ message }) => message?.conversation ?? message?.extendedTextMessage?.text ?? null);
  }

  reconnect(): void {
    this.socket = this.#connect();
  }

  async end(): Promise<void> {
    await this.socket.end(undefined);
  }

  #connect(): WASocket {
    const socket = makeWASocket({
      auth: { creds: this.creds, keys: this.keys },
      logger: quietLogger,
      waWebSocketUrl: this.#options.url,
      browser: Browsers.windows('Desktop'),
      markOnlineOnConnect: false,
      ...this.#options.config,
    });
    socket.ev.process((events) => {
      for (const [name, value] of Object.entries(events)) this.events.push({ name, value });
      if (events['creds.update'] !== undefined) Object.assign(this.creds, events['creds.update']);
      if (events['messages.upsert'] !== undefined) this.messages.push(...events['messages.upsert'].messages);
      const update = events['connection.update'];
      if (update?.qr !== undefined) this.#onQr(socket, update.qr);
      if (update?.connection === 'open') this.isOpen = true;
      if (update?.connection === 'close') this.#onClose(update.lastDisconnect?.error);
      for (const resolve of this.#waiting) resolve();
      this.#waiting.clear();
    });
    return socket;
  }

  #onQr(socket: WASocket, qr: string): void {
    const { onQr, pairingNumber, onPairingCode } = this.#options;
    if (pairingNumber === undefined) onQr?.(qr);
    else void socket.requestPairingCode(pairingNumber).then((code) => onPairingCode?.(code));
  }

  #onClose(error: Error | undefined): void {
    this.isOpen = false;
    const status = (error as { output?: { statusCode?: number } } | undefined)?.output?.statusCode ?? 0;
    this.closed.push(status);
    if (status === DisconnectReason.restartRequired) this.socket = this.#connect();
  }
}
