// SPDX-License-Identifier: AGPL-3.0-or-later
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A way to a port that can lose its connections as a firewall does that forgets them: open on both sides, and nothing passes. */
export async function openWay(to: number) {
  const sockets = new Set<Socket>();
  const isSilent = new WeakSet<Socket>();
  const server = createServer((near) => {
    const far = connect(to, '127.0.0.1');
    for (const [from, onto] of [[near, far] as const, [far, near] as const]) {
      sockets.add(from);
      from.on('data', (bytes) => isSilent.has(from) || onto.write(bytes));
      from.on('error', () => undefined);
      from.on('close', () => isSilent.has(from) || onto.destroy());
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    fallSilent: () => {
      for (const socket of sockets) isSilent.add(socket);
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
