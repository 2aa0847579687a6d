// SPDX-License-Identifier: AGPL-3.0-or-later

import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { AttachmentStore } from './attachments.ts';
import { DaemonCalls } from './daemon-calls.ts';
import type { Faults } from './faults.ts';
import type { LinkDesk } from './link.ts';
import { NormalReceive } from './normal-receive.ts';
import type { SeededRandom } from './random.ts';
import { ReceiveLoop } from './receive-loop.ts';
import type { Mode } from './rest-routes.ts';
import { createRestServer, type SeenRequest } from './rest-server.ts';
import type { Connection, SignalCli } from './signal-cli.ts';
import { Webhook } from './webhook.ts';
import { WebSocketHub } from './websocket.ts';
import type { World } from './world.ts';

export interface RestProcessParts {
  readonly port: number;
  readonly mode: Mode;
  readonly version: string;
  readonly pingIntervalMs: number;
  readonly linesPerFrame: number;
  readonly socketBufferBytes: number;
  readonly commandTimeoutMs: number;
  readonly webhookUrl: string | undefined;
  readonly world: World;
  readonly faults: Faults;
  readonly random: SeededRandom;
  readonly attachments: AttachmentStore;
  readonly daemon: SignalCli;
  readonly links: LinkDesk;
  readonly seen: SeenRequest[];
  readonly daemonGeneration: () => number;
  readonly onFatal: () => void;
}

/** What lives and dies with one run of the REST process. */
interface Run {
  readonly loop: ReceiveLoop;
  readonly hub: WebSocketHub;
  readonly webhook: Webhook;
  readonly server: Server;
}

/** The REST process: HTTP server, sockets, webhook and the loop that feeds them. May be stopped and started again. */
export class RestProcess {
  readonly #parts: RestProcessParts;
  #port: number;
  #webhookUrl: string | undefined;
  #run: Run | null = null;

  constructor(parts: RestProcessParts) {
    this.#parts = parts;
    this.#port = parts.port;
    this.#webhookUrl = parts.webhookUrl;
  }

  /** 0 before the first start. */
  get port(): number {
    return this.#port;
  }

  get webhookUrl(): string | undefined {
    return this.#webhookUrl;
  }

  set webhookUrl(url: string | undefined) {
    this.#webhookUrl = url;
    if (this.#run !== null) this.#run.webhook.url = url;
  }

  get webSocketCount(): number {
    return this.#run?.hub.size ?? 0;
  }

  get connection(): Connection | null {
    return this.#run?.loop ?? null;
  }

  async start(): Promise<void> {
    if (this.#run !== null) return;
    const { faults, random, daemon, pingIntervalMs, linesPerFrame, socketBufferBytes } = this.#parts;
    const hub = new WebSocketHub({ faults, pingIntervalMs });
    const webhook = new Webhook(this.#webhookUrl);
    const onRoom = (): void => daemon.pump();
    const loop = new ReceiveLoop({ faults, hub, webhook, random, linesPerFrame, socketBufferBytes, onRoom });
    const server = this.#server(hub, loop);
    server.listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    this.#port = (server.address() as AddressInfo).port;
    this.#run = { loop, hub, webhook, server };
  }

  async stop(): Promise<void> {
    const run = this.#run;
    if (run === null) return;
    this.#run = null;
    run.loop.stop();
    run.webhook.abort();
    run.hub.terminateAll();
    const closed = once(run.server, 'close');
    run.server.close();
    run.server.closeAllConnections();
    await closed;
  }

  stallWebSockets(): () => void {
    return this.#run?.hub.stall() ?? ((): void => undefined);
  }

  async whenIdle(): Promise<void> {
    await this.#run?.loop.whenIdle();
  }

  #server(hub: WebSocketHub, loop: ReceiveLoop): Server {
    const { world, faults, daemon, mode, version, links, attachments, seen, onFatal } = this.#parts;
    const { commandTimeoutMs, daemonGeneration } = this.#parts;
    const link = {
      // Normal mode has no daemon: each call runs signal-cli anew.
      get isConnected(): boolean {
        return mode === 'normal' || daemon.connection === loop;
      },
      get generation(): number {
        return daemonGeneration();
      },
      push: loop.push.bind(loop),
    };
    const take = daemon.take.bind(daemon);
    return createRestServer({
      mode,
      version,
      world,
      faults,
      links,
      attachments,
      hub,
      seen,
      onFatal,
      calls: new DaemonCalls({ faults, link }),
      normalReceive: new NormalReceive({ world, faults, take, commandTimeoutMs }),
      onTrust: (number) => daemon.retryLater(number),
    });
  }
}
