// SPDX-License-Identifier: AGPL-3.0-or-later
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { ConnectorEvents } from '../../connector.ts';
import type { HealthBook } from '../../health.ts';
import type { HealthReason } from '../reasons.ts';
import type { AccountLane } from '../lane.ts';
import { decodeText, fields, parseJson, text } from '../json.ts';
import { Waker } from '../../waker.ts';

export interface WebSocketParts {
  readonly api: string;
  readonly lane: AccountLane;
  readonly lanes: ReadonlyMap<string, AccountLane>;
  readonly silenceMs: number;
  readonly retryMs: number;
  readonly downMs: number;
  readonly mostPendingBytes: number;
  readonly events: ConnectorEvents;
  readonly health: HealthBook<HealthReason>;
  /** The socket was down, or nobody can say what it missed: from when, until now. */
  readonly onGap: (lane: AccountLane, fromMs: number) => void;
  readonly clock: () => number;
}

const LONGEST_PAUSE_MS = 30_000;
/** How Node's WebSocket, which hides pings from its owner, tells of them. */
const PING = 'undici:websocket:ping';

/**
 * The second source: `/v1/receive/{number}`. The server drops what comes while a frame is being written, so it proves nothing
 * alone. Frames go on at once; nothing is worked out before the next one is taken.
 */
export class WebSocketIntake {
  readonly #parts: WebSocketParts;
  readonly #url: string;
  #pendingBytes = 0;
  #downSinceMs: number | null = null;

  constructor(parts: WebSocketParts) {
    this.#parts = parts;
    const base = new URL(parts.api);
    base.protocol = base.protocol === 'https:' ? 'wss:' : 'ws:';
    this.#url = `${base.href.replace(/\/$/, '')}/v1/receive/${encodeURIComponent(parts.lane.account)}`;
  }

  /** Keeps one socket open until the signal aborts. A socket that drops is state, not an error. */
  async run(signal: AbortSignal): Promise<void> {
    const { retryMs, clock, lane, onGap } = this.#parts;
    let pauseMs = retryMs;
    let lastMs: number | null = null;
    while (!signal.aborted) {
      const wasOpen = await this.#hold(signal, () => {
        if (lastMs !== null) onGap(lane, lastMs);
        this.#up();
      });
      if (wasOpen) {
        pauseMs = retryMs;
        lastMs = clock();
      }
      if (signal.aborted) return;
      this.#down();
      await new Waker().sleep(pauseMs, signal);
      pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
    }
  }

  /** One socket's life. Resolves when it is over: whether it ever opened. */
  async #hold(signal: AbortSignal, onOpen: () => void): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const socket = new WebSocket(this.#url);
    const end = (): void => {
      socket.close();
      resolve();
    };
    const silence = new Silence(this.#parts.silenceMs, end);
    const onPing = (message: unknown): void => {
      if ((message as { websocket?: unknown }).websocket === socket) silence.broken();
    };
    let wasOpen = false;
    socket.addEventListener('open', () => {
      wasOpen = true;
      silence.broken();
      onOpen();
    });
    socket.addEventListener('message', ({ data }: MessageEvent<unknown>) => {
      silence.broken();
      if (typeof data === 'string') this.#take(data, end);
    });
    socket.addEventListener('close', () => resolve());
    socket.addEventListener('error', () => resolve());
    subscribe(PING, onPing);
    signal.addEventListener('abort', end, { once: true });
    await promise;
    signal.removeEventListener('abort', end);
    unsubscribe(PING, onPing);
    silence[Symbol.dispose]();
    socket.close();
    return wasOpen;
  }

  /** A text frame is valid UTF-8, so its bytes come back exactly. */
  #take(frame: string, drop: () => void): void {
    const raw = Buffer.from(frame);
    this.#pendingBytes += raw.length;
    // This client cannot hold back its peer. The other intakes have what is dropped here.
    if (this.#pendingBytes > this.#parts.mostPendingBytes) drop();
    void this.#laneOf(raw)
      .submit({ frames: [{ raw, via: 'websocket' }] })
      .catch((error: unknown) => this.#parts.events.trouble('websocket', error))
      .finally(() => (this.#pendingBytes -= raw.length));
  }

  /** The server filters by account; a frame that names another one goes where it belongs. */
  #laneOf(raw: Uint8Array): AccountLane {
    const { lane, lanes } = this.#parts;
    if (lanes.size === 1) return lane;
    try {
      return lanes.get(text(fields(parseJson(decodeText(raw)))?.['account']) ?? '') ?? lane;
    } catch {
      return lane;
    }
  }

  #up(): void {
    this.#downSinceMs = null;
    this.#parts.health.set(this.#parts.lane.account, 'websocket-down', false);
  }

  #down(): void {
    const { clock, downMs, health, lane } = this.#parts;
    this.#downSinceMs ??= clock();
    if (clock() - this.#downSinceMs >= downMs) health.set(lane.account, 'websocket-down', true);
  }
}

/** Calls back when nothing was heard for too long: a peer that vanished says nothing. */
class Silence implements Disposable {
  readonly #timer: NodeJS.Timeout;

  constructor(afterMs: number, onSilence: () => void) {
    this.#timer = setTimeout(onSilence, afterMs);
  }

  broken(): void {
    this.#timer.refresh();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
