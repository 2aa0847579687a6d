// SPDX-License-Identifier: AGPL-3.0-or-later

import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Below the range from which systems take ports for outgoing connections (32768 and up on Linux). From that range a client
 * that keeps reconnecting to a stopped server would in time get the server's own port, connect to itself, and keep the
 * server from starting again.
 */
const FIRST_PORT = 20_000;
const LAST_PORT = 32_000;

/** A loopback port nobody listens on. It stays free by chance only: callers try again with another one. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const port = randomInt(FIRST_PORT, LAST_PORT);
    if (await isFree(port)) return port;
  }
  throw new Error(`no free loopback port found between ${FIRST_PORT} and ${LAST_PORT}`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}
