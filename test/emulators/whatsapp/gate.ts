// SPDX-License-Identifier: AGPL-3.0-or-later
import { setTimeout as sleep } from 'node:timers/promises';
import { extractE2ESessionFromRetryReceipt, proto } from '@whiskeysockets/baileys';
import { answer } from './answers.ts';
import type { AppState } from './app-state.ts';
import type { StanzaSeen } from './book.ts';
import { Connection } from './connection.ts';
import type { LoginRefusal, Switches } from './faults.ts';
import type { NoiseAuthority } from './noise.ts';
import type { Pairing } from './pairing.ts';
import type { Phone } from './phone.ts';
import type { LiveEntry, Queue } from './queue.ts';
import type { Sender } from './sender.ts';
import { SERVER, node } from './wire.ts';
import type { WireNode } from './wire.ts';
import { deviceLid } from './world.ts';
import type { LinkedDevice, World } from './world.ts';
import type { WebSocket } from 'ws';

export interface GateParts {
  readonly world: World;
  readonly queue: Queue;
  readonly pairing: Pairing;
  readonly sender: Sender;
  readonly phone: Phone;
  readonly appState: AppState;
  readonly switches: Switches;
  readonly mediaHost: () => string;
  readonly nowMs: () => number;
}

interface Refusal {
  readonly refusal: LoginRefusal;
  left: number;
}

/** The server's door: connections, logins, the offline batch, and what clients say. */
export class Gate {
  readonly #parts: GateParts;
  readonly #connections = new Set<Connection>();
  readonly #sentOn = new WeakMap<Connection, Set<number>>();
  readonly #refusals = new Map<string, Refusal>();
  readonly seen: StanzaSeen[] = [];

  constructor(parts: GateParts) {
    this.#parts = parts;
  }

  accept(socket: WebSocket, authority: NoiseAuthority): void {
    const connection = new Connection(socket, authority, {
      login: (from, payload) => this.#login(from, payload),
      node: (from, content) => this.#take(from, content),
      closed: (from) => {
        this.#connections.delete(from);
        this.#parts.pairing.forget(from);
        this.#parts.queue.changed();
      },
    });
    this.#connections.add(connection);
  }

  connections(number: string): readonly Connection[] {
    return [...this.#connections].filter(({ device, isOpen }) => isOpen && device?.account.number === number);
  }

  connectionOf(device: LinkedDevice): Connection | null {
    return [...this.#connections].find((connection) => connection.isOpen && connection.device === device) ?? null;
  }

  killAll(): void {
    for (const connection of this.#connections) connection.kill();
  }

  refuse(refusal: LoginRefusal | null, number = '*'): void {
    if (refusal === null) this.#refusals.delete(number);
    else this.#refusals.set(number, { refusal, left: refusal.times ?? Infinity });
  }

  /** Puts an entry on the wire if its device is there and had its offline batch. */
  deliver(entry: LiveEntry): void {
    const connection = this.connectionOf(entry.owner);
    if (connection !== null && connection.active) this.#write(connection, entry, false);
  }

  /** Ends a connection once the client has had time to read what was sent last. */
  endSoon(connection: Connection): void {
    setTimeout(() => connection.close(), 20).unref();
  }

  #write(connection: Connection, entry: LiveEntry, offline: boolean): void {
    this.#sentTo(connection).add(entry.serial);
    connection.sendEntry(this.#parts.queue, entry, offline);
  }

  #sentTo(connection: Connection): Set<number> {
    const known = this.#sentOn.get(connection);
    if (known !== undefined) return known;
    const fresh = new Set<number>();
    this.#sentOn.set(connection, fresh);
    return fresh;
  }

  #login(connection: Connection, payload: proto.ClientPayload): void {
    if (payload.devicePairingData) {
      this.#parts.pairing.start(connection);
      return;
    }
    const number = String(payload.username);
    const account = this.#parts.world.accounts.get(number);
    if (account !== undefined) account.logins += 1;
    const refusal = this.#refusal(number);
    const device = account?.devices.find((one) => one.device === payload.device);
    if (refusal !== null) {
      this.#refuseLogin(connection, refusal);
    } else if (device === undefined || device.unlinked || !device.noiseKey.equals(connection.clientKey)) {
      this.#refuseLogin(connection, { reason: 401 });
    } else {
      this.#welcome(connection, device);
    }
    this.#parts.queue.changed();
  }

  #refusal(number: string): LoginRefusal | null {
    const refusal = this.#refusals.get(number) ?? this.#refusals.get('*');
    if (refusal === undefined || refusal.left <= 0) return null;
    refusal.left -= 1;
    return refusal.refusal;
  }

  #refuseLogin(connection: Connection, { reason, code, expireSeconds, silent }: LoginRefusal): void {
    if (silent !== true) {
      connection.send(
        node('failure', {
          reason: String(reason),
          location: 'emulator',
          ...(code === undefined ? {} : { code: String(code) }),
          ...(expireSeconds === undefined ? {} : { expire: String(expireSeconds) }),
        }),
      );
    }
    this.endSoon(connection);
  }

  #welcome(connection: Connection, device: LinkedDevice): void {
    const other = this.connectionOf(device);
    if (other !== null) {
      other.send(node('stream:error', {}, [node('conflict', { type: 'replaced' })]));
      other.device = null;
      this.endSoon(other);
    }
    connection.device = device;
    const t = String(Math.floor(this.#parts.nowMs() / 1000));
    connection.send(node('success', { t, props: '27', lid: deviceLid(device), display_name: device.account.name }));
  }

  async #take(connection: Connection, content: WireNode): Promise<void> {
    const { device } = connection;
    const seen = {
      number: device?.account.number ?? null,
      device: device?.device ?? null,
      atMs: this.#parts.nowMs(),
      node: content,
      plaintext: null as Uint8Array | null,
    };
    this.seen.push(seen);
    if (connection.silent || this.#parts.pairing.take(connection, content)) return;
    switch (content.tag) {
      case 'receipt':
      case 'ack':
        if (device !== null) this.#takeReply(connection, device, content);
        return;
      case 'message':
        if (device !== null) seen.plaintext = await this.#takeMessage(connection, device, content);
        return;
      case 'iq':
        await this.#answer(connection, content);
        return;
      default:
    }
  }

  async #answer(connection: Connection, query: WireNode): Promise<void> {
    const { world, appState, switches, nowMs } = this.#parts;
    if (switches.ignoreQueries && query.attrs['xmlns'] !== 'w:p') return;
    if (switches.answerDelayMs > 0) await sleep(switches.answerDelayMs);
    await answer(
      {
        world,
        appState,
        mediaHost: this.#parts.mediaHost(),
        nowSeconds: () => Math.floor(nowMs() / 1000),
        activate: (from) => void this.#activate(from),
        unlinked: (device) => {
          device.unlinked = true;
          this.#parts.queue.dropAll(device);
        },
      },
      connection,
      query,
    );
  }

  #takeReply(connection: Connection, device: LinkedDevice, reply: WireNode): void {
    const { queue, phone, sender, switches } = this.#parts;
    const { type = '', id = '', to = SERVER } = reply.attrs;
    if (reply.tag === 'receipt' && type === 'server-error') phone.answerMediaRetry(device, reply);
    for (const entry of queue.answered(device, reply)) {
      queue.settle(entry, reply, switches.forgetReceipts);
      if (type !== 'retry' || reply.tag !== 'receipt' || !switches.resendOnRetry) continue;
      const found = extractE2ESessionFromRetryReceipt(reply);
      const keys =
        found === null ? device.bundle : { ...found, identity: found.identityKey, preKeys: preKeysOf(found) };
      void sender.resend(entry, keys, entry.retries);
    }
    if (reply.tag !== 'receipt') return;
    connection.send(node('ack', { class: 'receipt', id, from: to, ...(type === '' ? {} : { type }) }));
  }

  async #takeMessage(connection: Connection, device: LinkedDevice, message: WireNode): Promise<Uint8Array | null> {
    const { id = '', to = '' } = message.attrs;
    const t = String(Math.floor(this.#parts.nowMs() / 1000));
    connection.send(node('ack', { class: 'message', id, from: to, t }));
    const isToPhone = this.#parts.world.byJid(to) === device.account;
    return isToPhone ? await this.#parts.phone.take(device, message).catch(() => null) : null;
  }

  /** The offline batch, what came while it was sent, and the mark of its end. */
  async #activate(connection: Connection): Promise<void> {
    const { queue, switches } = this.#parts;
    const { device } = connection;
    if (device === null || connection.active) return;
    const sent = this.#sentTo(connection);
    const backlog = queue.waiting(device);
    if (backlog.length > 0) connection.send(offlinePreview(backlog.length));
    for (
      let batch = backlog;
      batch.length > 0;
      batch = queue.waiting(device).filter(({ serial }) => !sent.has(serial))
    ) {
      for (const entry of batch) {
        await connection.writable();
        this.#write(connection, entry, true);
      }
    }
    connection.active = true;
    queue.changed();
    if (switches.dropBeforeOfflineEnd) {
      await queue.until(() => backlog.every(({ state }) => state !== 'on-server') || !connection.isOpen);
      connection.kill();
    } else if (!switches.holdOfflineEnd) {
      connection.send(node('ib', { from: SERVER }, [node('offline', { count: String(backlog.length) })]));
    }
  }
}

function preKeysOf({
  preKey,
}: {
  preKey: { keyId: number; publicKey: Uint8Array } | undefined;
}): { keyId: number; publicKey: Uint8Array }[] {
  return preKey === undefined ? [] : [preKey];
}

function offlinePreview(count: number): WireNode {
  const counts = { count: String(count), message: String(count), notification: '0', receipt: '0', appdata: '0' };
  return node('ib', { from: SERVER }, [node('offline_preview', counts)]);
}
