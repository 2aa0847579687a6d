// SPDX-License-Identifier: AGPL-3.0-or-later
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AppStateChange, Burst, MediaReference, Sent, WhatsAppEmulator, WhatsAppEmulatorOptions } from './api.ts';
import { AppState } from './app-state.ts';
import type { QueueEntry } from './book.ts';
import { NO_FAULTS } from './faults.ts';
import type { Switches } from './faults.ts';
import { Gate } from './gate.ts';
import { linkReady } from './link-ready.ts';
import { MediaHost } from './media-host.ts';
import { makeNoiseAuthority } from './noise.ts';
import { Pairing } from './pairing.ts';
import { Phone } from './phone.ts';
import { Queue, plainEntry } from './queue.ts';
import { Sender } from './sender.ts';
import { listen } from './server.ts';
import type { Listening } from './server.ts';
import { strike } from './strike.ts';
import { SERVER, node } from './wire.ts';
import type { WireNode } from './wire.ts';
import { World } from './world.ts';
import type { LinkedDevice } from './world.ts';

/** The parts, and what more than one method needs of them. */
class Parts {
  readonly nowMs = Date.now;
  readonly nowSeconds = (): number => Math.floor(Date.now() / 1000);
  readonly authority = makeNoiseAuthority(this.nowSeconds());
  readonly foreign = makeNoiseAuthority(this.nowSeconds());
  readonly world = new World();
  readonly switches: Switches = { ...NO_FAULTS };
  readonly appState = new AppState(this.nowSeconds);
  readonly pairing = new Pairing(this.world, this.nowSeconds);
  readonly pace = new Map<string, number>();
  readonly queue: Queue;
  readonly sender: Sender;
  readonly media: MediaHost;
  readonly phone: Phone;
  readonly gate: Gate;
  listening: Listening | null = null;
  readonly #tls: boolean;

  constructor({ historyFile, tls = false }: WhatsAppEmulatorOptions) {
    this.#tls = tls;
    const { world, nowSeconds, appState, pairing, switches, nowMs } = this;
    this.queue = new Queue(nowMs, historyFile ?? null);
    this.media = new MediaHost(() => this.mediaUrl);
    this.sender = new Sender({ world, queue: this.queue, nowSeconds, deliver: (entry) => this.gate.deliver(entry) });
    this.phone = new Phone({
      sender: this.sender,
      media: this.media,
      appState,
      nowSeconds,
      push: (device, content) => this.gate.deliver(this.queue.add(device, content)),
    });
    this.gate = new Gate({
      world,
      queue: this.queue,
      pairing,
      sender: this.sender,
      phone: this.phone,
      appState,
      switches,
      mediaHost: () => `127.0.0.1:${this.port}`,
      nowMs,
    });
  }

  get port(): number {
    return this.listening?.port ?? 0;
  }

  get mediaUrl(): string {
    return `${this.#tls ? 'https' : 'http'}://127.0.0.1:${this.port}`;
  }

  get url(): string {
    return `${this.#tls ? 'wss' : 'ws'}://127.0.0.1:${this.port}/ws/chat`;
  }

  devices(number: string): readonly LinkedDevice[] {
    return this.world.account(number).devices.filter(({ unlinked }) => !unlinked);
  }

  push(number: string, content: WireNode): readonly number[] {
    const stanza = { ...content, attrs: { id: randomBytes(8).toString('hex').toUpperCase(), ...content.attrs } };
    return this.devices(number).map((device) => {
      const entry = this.queue.add(device, stanza);
      this.gate.deliver(entry);
      return entry.serial;
    });
  }

  book(number: string | undefined): readonly QueueEntry[] {
    const { entries } = this.queue;
    return entries.filter((entry) => number === undefined || entry.number === number).map(plainEntry);
  }

  async release(number: string): Promise<void> {
    const perSecond = this.pace.get(number);
    const startedMs = performance.now();
    let released = 0;
    for (const entry of this.queue.held(number)) {
      if (perSecond !== undefined) {
        const waitMs = startedMs + (released * 1000) / perSecond - performance.now();
        if (waitMs > 1) await sleep(waitMs);
      }
      const connection = this.gate.connectionOf(entry.owner);
      if (connection !== null) await connection.writable();
      entry.held = false;
      this.gate.deliver(entry);
      released += 1;
    }
  }

  unlink(number: string): void {
    const [conflict, code] = ['device_removed' as const, 401];
    for (const connection of this.gate.connections(number)) {
      if (strike(connection, { fault: 'stream-error', code, conflict })) this.gate.endSoon(connection);
    }
    for (const device of this.devices(number)) {
      device.unlinked = true;
      this.queue.dropAll(device);
    }
  }

  async changeAppState(number: string, changes: readonly AppStateChange[]): Promise<void> {
    const changed = await this.appState.change(number, changes);
    const collections = [...changed].map(([name, version]) => node('collection', { name, version: String(version) }));
    this.push(
      number,
      node('notification', { from: SERVER, type: 'server_sync', t: String(this.nowSeconds()) }, collections),
    );
  }

  snapshotAppState(number: string, collection: string): MediaReference {
    const put: MediaReference[] = [];
    this.appState.snapshot(number, collection, (bytes) => {
      const reference = this.media.put({ kind: 'md-app-state', bytes });
      put.push(reference);
      return reference;
    });
    const [reference] = put;
    if (reference === undefined) throw new Error('no snapshot');
    return reference;
  }

  async prepare(burst: Burst): Promise<readonly number[]> {
    if (burst.perSecond !== undefined) this.pace.set(burst.to, burst.perSecond);
    return await this.sender.prepare(burst);
  }

  async shareAppStateKey(number: string): Promise<Sent> {
    return await this.sender.sendPeer(number, this.appState.keyShare(number));
  }
}

/** Starts an emulator in this process, on the loopback interface. */
export async function startWhatsAppEmulator(options: WhatsAppEmulatorOptions = {}): Promise<WhatsAppEmulator> {
  const parts = new Parts(options);
  const { world, gate, switches } = parts;
  for (const preset of options.accounts ?? []) world.addAccount(preset);
  for (const preset of options.people ?? []) world.addPerson(preset);
  parts.listening = await listen({
    port: options.port ?? 0,
    tls: options.tls ?? false,
    onRequest: (request, response) => void parts.media.serve(request, response),
    onSocket: (socket) => gate.accept(socket, switches.foreignRoot ? parts.foreign : parts.authority),
    refuses: () => switches.refuseConnections,
  });
  return emulatorOf(parts);
}

function emulatorOf(parts: Parts): WhatsAppEmulator {
  const { world, gate, queue, switches, sender, phone, media, pairing } = parts;
  return {
    url: parts.url,
    mediaUrl: parts.mediaUrl,
    noiseRoot: parts.authority.rootPublic,
    caCertificate: parts.listening?.caCertificate ?? null,
    addAccount: async (preset) => void world.addAccount(preset),
    addPerson: async (preset) => void world.addPerson(preset),
    addGroup: async (preset) => world.addGroup(preset, parts.nowSeconds()).jid,
    changeGroup: async (jid, change) => void Object.assign(world.groups.get(jid) ?? {}, change),
    scanQr: async (qr, number) => await pairing.scan(qr, world.account(number)),
    typePairingCode: async (code, number) => await pairing.typeCode(code, world.account(number)),
    linkReady: async (number, { preKeys = 20 } = {}) =>
      linkReady(world, world.account(number), preKeys, parts.nowSeconds()),
    unlink: async (number) => parts.unlink(number),
    send: async (sending) => await sender.send(sending),
    prepareBurst: async (burst) => await parts.prepare(burst),
    release: async (number) => await parts.release(number),
    push: async (number, content) => parts.push(number, content),
    pushOnce: async (number, content) => {
      const open = gate.connections(number);
      for (const connection of open) connection.send(content);
      return open.length > 0;
    },
    redeliver: async (serials) => {
      for (const entry of serials.map((serial) => queue.entry(serial))) {
        queue.reopen(entry);
        gate.deliver(entry);
      }
    },
    putMedia: async (file) => media.put(file),
    setMediaFault: async (path, fault) => media.setFault(path, fault),
    setReupload: async (number, value) => void (world.account(number).reupload = value),
    sendHistory: async (number, chunk) => await phone.sendHistory(number, chunk),
    setHistoryOnDemand: async (number, content) => void (world.account(number).historyOnDemand = content),
    shareAppStateKey: async (number) => await parts.shareAppStateKey(number),
    changeAppState: async (number, changes) => await parts.changeAppState(number, changes),
    snapshotAppState: async (number, collection) => parts.snapshotAppState(number, collection),
    drop: async (number) => {
      for (const connection of gate.connections(number)) connection.kill();
    },
    fault: async (number, fault) => {
      for (const connection of gate.connections(number)) if (strike(connection, fault)) gate.endSoon(connection);
    },
    refuseLogins: async (refusal, number) => gate.refuse(refusal, number),
    setSwitches: async (changes) => void Object.assign(switches, changes),
    book: async (number) => parts.book(number),
    receipted: async (number) => parts.book(number).filter(({ state }) => state === 'receipted'),
    seen: async (number) => gate.seen.filter((one) => number === undefined || one.number === number),
    requests: async () => media.requests.map((request) => ({ ...request })),
    isConnected: async (number) => gate.connections(number).some(({ active }) => active),
    logins: async (number) => world.account(number).logins,
    connected: async (number) => await queue.until(() => gate.connections(number).some(({ active }) => active)),
    answered: async (serials) =>
      await queue.until(() => serials.every((serial) => queue.entry(serial).state !== 'on-server')),
    drained: async (number) =>
      await queue.until(() => world.account(number).devices.every((device) => queue.isEmpty(device))),
    [Symbol.asyncDispose]: async () => {
      gate.killAll();
      await parts.listening?.close();
    },
  };
}
