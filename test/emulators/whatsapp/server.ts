// SPDX-License-Identifier: AGPL-3.0-or-later
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { RequestListener, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';
import { selfSigned } from './certificate.ts';

export interface Listening {
  readonly port: number;
  readonly caCertificate: string | null;
  close(): Promise<void>;
}

/** The socket that clients connect to, and the media host, on one port of the loopback interface. */
export async function listen(options: {
  readonly port: number;
  readonly tls: boolean;
  readonly onRequest: RequestListener;
  readonly onSocket: (socket: WebSocket) => void;
  readonly refuses: () => boolean;
}): Promise<Listening> {
  const certificate = options.tls ? selfSigned(Date.now()) : null;
  const server: Server =
    certificate === null
      ? createHttpServer(options.onRequest)
      : createHttpsServer({ cert: certificate.cert, key: certificate.key }, options.onRequest);
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => {});
    if (options.refuses() || !(request.url ?? '').startsWith('/ws/chat')) socket.destroy();
    else sockets.handleUpgrade(request, socket, head, (upgraded) => options.onSocket(upgraded));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(options.port, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    caCertificate: certificate?.cert ?? null,
    close: async () => {
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
      server.closeAllConnections();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}
