// SPDX-License-Identifier: AGPL-3.0-or-later
import http from 'node:http';
import https from 'node:https';
import type { Duplex } from 'node:stream';

/**
 * Shorter than servers and load balancers keep idle connections. A connection that the server closes at the moment we send a PUT
 * is an unknown outcome, and that ends the process.
 */
const FREE_MS = 3_000;

export interface SocketOptions {
  readonly maxSockets: number;
  readonly connectTimeoutMs: number;
  /** How long a connection that nobody uses is kept. */
  readonly freeMs?: number;
  /** PEM of the authorities to trust instead of the system's. */
  readonly ca?: string;
}

export interface Agents {
  readonly httpAgent: http.Agent;
  readonly httpsAgent: https.Agent;
  close(): void;
}

/** Bounded keep-alive connections whose set-up has a deadline of its own, so that "never connected" is told from "no answer". */
export function openAgents({ maxSockets, connectTimeoutMs, freeMs = FREE_MS, ca }: SocketOptions): Agents {
  const shared = { keepAlive: true, maxSockets, maxFreeSockets: maxSockets };
  const httpAgent = tuned(new http.Agent(shared), 'connect', connectTimeoutMs, freeMs);
  const trust = ca === undefined ? {} : { ca };
  const secure = new https.Agent({ ...shared, ...trust, minVersion: 'TLSv1.2' });
  const httpsAgent = tuned(secure, 'secureConnect', connectTimeoutMs, freeMs);
  return {
    httpAgent,
    httpsAgent,
    close() {
      httpAgent.destroy();
      httpsAgent.destroy();
    },
  };
}

function tuned<A extends http.Agent>(
  agent: A,
  connected: 'connect' | 'secureConnect',
  connectTimeoutMs: number,
  freeMs: number,
): A {
  const connect = agent.createConnection.bind(agent);
  agent.createConnection = (options, callback) => {
    const socket = connect(options, callback);
    if (socket) limitConnecting(socket, connected, connectTimeoutMs);
    return socket;
  };
  const keep = agent.keepSocketAlive.bind(agent);
  agent.keepSocketAlive = (socket) => {
    const kept = keep(socket);
    // The agent closes a connection that times out, but only if nobody uses it.
    if ('setTimeout' in socket && typeof socket.setTimeout === 'function') socket.setTimeout(freeMs);
    return kept;
  };
  return agent;
}

function limitConnecting(socket: Duplex, connected: string, timeoutMs: number): void {
  const timer = setTimeout(() => {
    const late = Object.assign(new Error('not connected in time'), { code: 'ETIMEDOUT', syscall: 'connect' });
    socket.destroy(late);
  }, timeoutMs);
  const stop = () => {
    clearTimeout(timer);
  };
  socket.once(connected, stop);
  socket.once('close', stop);
}
