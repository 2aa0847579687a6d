// SPDX-License-Identifier: AGPL-3.0-or-later

// Stands between connectors and the store, where no cloud does it. Lets through what the archiver granted, one PUT of one media
// object by its presigned address, and nothing else: no reading, no listing, no other key, no request with a credential. Whether the
// grant is genuine, and whether the bytes are the granted ones, the store itself says.

import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    listen: { type: 'string', default: '8333' },
    host: { type: 'string', default: '0.0.0.0' },
    store: { type: 'string' },
    prefix: { type: 'string' },
  },
});

const store = new URL(values.store ?? '');
const prefix = values.prefix ?? '/';
/** `<prefix><hh>/<sha256>`, as the archiver names media; anything encoded, doubled or climbing does not match. */
const NAME = /^[0-9a-f]{2}\/[0-9a-f]{64}$/;
/** What a presigned address consists of. Any other parameter would ask for another operation. */
const PARAMETER =
  /^(?:x-amz-(?:algorithm|credential|date|expires|signature|signedheaders|content-sha256|security-token)|x-id)$/i;
const IDLE_MS = 60_000;

function isGranted({ method, url = '', headers }: IncomingMessage): boolean {
  const [path = '', query = '', ...more] = url.split('?');
  if (method !== 'PUT' || more.length > 0 || headers.authorization !== undefined) return false;
  if (!path.startsWith(prefix) || !NAME.test(path.slice(prefix.length))) return false;
  const names = [...new URLSearchParams(query).keys()];
  return names.every((name) => PARAMETER.test(name)) && names.some((name) => name.toLowerCase() === 'x-amz-signature');
}

async function handle(incoming: IncomingMessage, answer: ServerResponse): Promise<void> {
  if (!isGranted(incoming)) {
    answer.writeHead(403, { connection: 'close' }).end();
    return;
  }
  // `Host` is signed: the store must see the name that the connector used.
  const { method, url, headers } = incoming;
  const onward = request({ host: store.hostname, port: store.port, method, path: url, headers, timeout: IDLE_MS });
  onward.on('timeout', () => onward.destroy(new Error('idle')));
  answer.on('close', () => onward.destroy());
  const answered = new Promise<IncomingMessage>((resolve, reject) =>
    onward.on('response', resolve).on('error', reject),
  );
  answered.catch(() => undefined);
  // An early refusal ends the pipe with an error of its own; the answer says why.
  await pipeline(incoming, onward).catch(() => undefined);
  const response = await answered;
  answer.writeHead(response.statusCode ?? 502, { 'content-type': response.headers['content-type'] ?? 'text/plain' });
  await pipeline(response, answer);
}

const server = createServer((incoming, answer) => {
  handle(incoming, answer).catch(() => {
    if (!answer.headersSent) answer.writeHead(502);
    answer.end();
  });
});
server.listen(Number(values.listen), values.host, () => console.log('listening'));
process.once('SIGTERM', () => server.close()).once('SIGINT', () => server.close());
