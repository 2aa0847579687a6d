// SPDX-License-Identifier: AGPL-3.0-or-later
import { randomBytes } from 'node:crypto';
import { Agent } from 'node:https';
import type { proto } from '@whiskeysockets/baileys';
import { onTestFinished } from 'vitest';
import { HealthBook } from '../../../../src/connectors/health.ts';
import type { HealthReason } from '../../../../src/connectors/whatsapp/reasons.ts';
import { AccountLane } from '../../../../src/connectors/whatsapp/lane.ts';
import { MediaHost } from '../../../../src/connectors/whatsapp/media/host.ts';
import { MediaQueue } from '../../../../src/connectors/whatsapp/media/media-queue.ts';
import type { MediaQueueParts } from '../../../../src/connectors/whatsapp/media/media-queue.ts';
import { decodeWork } from '../../../../src/connectors/whatsapp/media/work.ts';
import { normaliseDecrypted, normaliseStanza } from '../../../../src/connectors/whatsapp/normalise.ts';
import type { Context, StanzaNode, Understood } from '../../../../src/connectors/whatsapp/normalise/input.ts';
import type { MediaReference, WhatsAppEmulator } from '../../../emulators/whatsapp/api.ts';
import { emulatorAgent } from '../../../emulators/whatsapp/emulator-agent.ts';
import { startWhatsAppEmulator } from '../../../emulators/whatsapp/emulator.ts';
import { StockClient } from '../../../emulators/whatsapp/stock-client.ts';
import { trustEmulator } from '../../../emulators/whatsapp/trust.ts';
import { RecordedEvents } from '../../../support/connector-events.ts';
import { MemorySink } from '../../../support/memory-sink.ts';

export const number = '15550001111';
export const account = `+${number}`;
export const bob = '15550002222';

export const OWN = { pn: `${number}@s.whatsapp.net`, lid: '900015550001111@lid' };
export const CONTEXT: Context = { own: OWN, counterpart: () => null, recall: () => null };

export const HOST_OPTIONS = { headersMs: 300, idleMs: 300, totalMs: 20_000 };
const OPTIONS = { mostBytes: 256 * 2 ** 20, askAgainMs: 60_000, giveUpMs: 60_000 };
const QUEUE = { atOnce: 4, retryMs: 20, backlogMs: 60_000 };

export interface KitOptions {
  readonly options?: Partial<MediaQueueParts['options']>;
  readonly sink?: MemorySink;
  readonly emulator?: WhatsAppEmulator;
  readonly clock?: () => number;
}

export async function startTlsEmulator(): Promise<WhatsAppEmulator> {
  const emulator = await startWhatsAppEmulator({
    tls: true,
    accounts: [{ number, name: 'Agency' }],
    people: [{ number: bob, name: 'Bob' }],
  });
  const distrust = trustEmulator(emulator.noiseRoot);
  onTestFinished(async () => {
    await emulator[Symbol.asyncDispose]();
    distrust();
  });
  return emulator;
}

/** A media queue of one account against the emulator's media host, with the stock client as its line to the phone. Ends with the test. */
export class MediaKit {
  readonly emulator: WhatsAppEmulator;
  readonly sink: MemorySink;
  readonly events = new RecordedEvents();
  readonly lane: AccountLane;
  readonly queue: MediaQueue;
  readonly late: boolean[] = [];
  /** Questions to the phone. */
  readonly asked: StanzaNode[] = [];
  /** The process dies when an answer of the phone is durable, before anything follows from it. */
  diesAtAnswer = false;
  #client: StockClient | null = null;
  readonly #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();

  private constructor(emulator: WhatsAppEmulator, { options = {}, sink, clock = Date.now }: KitOptions) {
    this.emulator = emulator;
    this.sink = sink ?? new MemorySink(clock);
    const { events } = this;
    const onFatal = (error: unknown): void => events.trouble('fatal', error);
    const health = new HealthBook<HealthReason>([account], clock, events);
    this.lane = new AccountLane({ account, sink: this.sink, clock, events, health, retryMs: 10, onFatal });
    this.queue = new MediaQueue({
      host: new MediaHost(HOST_OPTIONS, emulatorAgent(emulator)),
      options: { ...OPTIONS, ...options },
      phone: {
        own: () => (this.#client === null ? null : OWN.pn),
        send: async (_account, node) => await this.#send(node),
      },
      randomBytes,
      queue: QUEUE,
      clock,
      onLate: (_account, holds) => this.late.push(holds),
      onTrouble: (error) => events.trouble('attachment', error),
      onFatal,
    });
  }

  static async start(options: KitOptions = {}): Promise<MediaKit> {
    const kit = new MediaKit(options.emulator ?? (await startTlsEmulator()), options);
    kit.queue.resume(kit.lane);
    kit.#running = kit.queue.run(kit.#stop.signal);
    onTestFinished(async () => await kit.stop());
    return kit;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.#client?.end();
  }

  /** The account goes online, so that the phone can be asked. */
  async connect(): Promise<void> {
    const { url, caCertificate } = this.emulator;
    const client = new StockClient({
      url,
      state: await this.emulator.linkReady(number),
      config: { agent: new Agent({ ca: caCertificate ?? '' }), shouldSyncHistoryMessage: () => false },
    });
    await client.opened();
    client.socket.ws.on('CB:notification,type:mediaretry', (node: StanzaNode) => {
      void this.#answered(normaliseStanza({ node }, CONTEXT));
    });
    this.#client = client;
  }

  /** As the connector does it: what the answer tells is durable with it. */
  async #answered(all: readonly Understood[]): Promise<void> {
    for (const found of all) {
      await this.sink.deliver([], this.queue.plan(this.lane, found));
      if (this.diesAtAnswer) this.#stop.abort();
      else this.queue.begin(this.lane, found);
    }
  }

  async #send(node: StanzaNode): Promise<boolean> {
    if (this.#client === null) return false;
    this.asked.push(node);
    await this.#client.socket.sendNode(node as Parameters<StockClient['socket']['sendNode']>[0]);
    return true;
  }

  /** A message with a picture is captured: its record, and the plan for its file, in one transaction. */
  async capture(media: Partial<MediaReference>, change: proto.Message.IImageMessage = {}): Promise<Understood> {
    const message = { imageMessage: { ...media, mimetype: 'image/jpeg', ...change } };
    const { id, plaintext } = await this.emulator.send({ to: number, from: bob, message, mediaType: 'image' });
    const found = understand(id, plaintext);
    const { native, view, raw } = found;
    const session = this.queue.plan(this.lane, found);
    await this.sink.deliver([{ type: 'content', native, via: 'socket', atMs: this.lane.nowMs, view, raw }], session);
    this.queue.begin(this.lane, found);
    return found;
  }

  /** Phases of the works in the session state. */
  get phases(): string[] {
    return this.sink.sessionNames('media/').map((name) => decodeWork(this.sink.session(name))?.phase ?? '');
  }

  get gaps(): string[] {
    return this.sink.gaps.map(({ cause, state }) => `${cause} ${state}`);
  }
}

/** What the connector makes of a message from Bob. */
export function understand(id: string, plaintext: Uint8Array): Understood {
  const node: StanzaNode = {
    tag: 'message',
    attrs: { from: `${bob}@s.whatsapp.net`, id, t: '1764000000', type: 'media' },
    content: [{ tag: 'enc', attrs: { v: '2', type: 'msg' }, content: Buffer.from('ciphertext') }],
  };
  const padded = Buffer.concat([plaintext, Buffer.of(1)]);
  const [found] = normaliseDecrypted({ node, part: 0, plaintext: padded }, CONTEXT);
  if (found === undefined) throw new Error('nothing understood');
  return found;
}
