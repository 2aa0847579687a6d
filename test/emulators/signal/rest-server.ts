// SPDX-License-Identifier: AGPL-3.0-or-later

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { NoConnection } from './daemon-calls.ts';
import { emptyReply, errorReply, notFoundReply, textReply, writeReply, type Reply } from './reply.ts';
import { routes, type RestParts, type Route } from './rest-routes.ts';
import type { WebSocketHub } from './websocket.ts';

/** A request as it came, for tests that must prove what a client does not do. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  /** 101 for a WebSocket, `null` while unanswered. */
  status: number | null;
}

export interface RestServerParts extends RestParts {
  readonly hub: WebSocketHub;
  readonly seen: SeenRequest[];
}

interface Match {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
}

/** The HTTP side of the REST process. */
export function createRestServer(parts: RestServerParts): Server {
  const server = createServer(
    { shouldUpgradeCallback: (request) => parts.mode === 'json-rpc' && upgradeRefusal(request) === null },
    (request, response) => void answer(parts, request, response),
  );
  // Go keeps idle connections open; closing them here would break clients that the real server does not break.
  server.keepAliveTimeout = 0;
  server.on('upgrade', (request, socket, head) => {
    const number = receiveNumber(request);
    if (number === null) {
      socket.end('HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 18\r\n\r\n404 page not found');
      return;
    }
    parts.seen.push({ method: 'GET', path: pathOf(request) ?? '', status: 101 });
    parts.hub.accept(request, socket, head, number);
  });
  return server;
}

async function answer(parts: RestServerParts, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = pathOf(request);
  const seen: SeenRequest = { method: request.method ?? '', path: path ?? request.url ?? '', status: null };
  parts.seen.push(seen);
  const hangs = path !== null && parts.faults.takeHang(path);
  const fails = path !== null && parts.faults.takeFailure(path);
  const reply = fails ? emptyReply(500) : await replyTo(parts, request, path).catch(rethrowUnlessGone(request));
  if (reply === null) return;
  // The command was carried out; only its answer got lost.
  if (hangs) return;
  seen.status = reply.status;
  writeReply(response, reply);
}

async function replyTo(parts: RestServerParts, request: IncomingMessage, path: string | null): Promise<Reply> {
  if (path === null) return textReply(400, '400 Bad Request');
  const method = request.method ?? '';
  const match = matchRoute(method, path);
  if (match === null) return redirectReply(method, path) ?? notFoundReply();
  if (path.startsWith('/v1/receive/') && parts.mode === 'json-rpc') return upgradeRefusalReply(request);
  const number = unescapedNumber(match.params['number']);
  if (number === null) return errorReply(400, "Couldn't process request - malformed number");
  const params = { ...match.params, number };
  const query = new URLSearchParams((request.url ?? '').split('?').slice(1).join('?'));
  try {
    return await match.route.handler({ params, query, body: await text(request) }, parts);
  } catch (error) {
    if (error instanceof NoConnection) return emptyReply(500);
    throw error;
  }
}

/** A client that went away while its request was being read gets no answer. */
function rethrowUnlessGone(request: IncomingMessage): (error: unknown) => null {
  return (error) => {
    if (!request.destroyed) throw error;
    return null;
  };
}

/** The path is decoded before it is matched, so an encoded slash separates as a plain one does. */
function pathOf(request: IncomingMessage): string | null {
  try {
    return decodeURIComponent((request.url ?? '').split('?')[0] ?? '');
  } catch {
    return null;
  }
}

function matchRoute(method: string, path: string): Match | null {
  const segments = path.split('/').slice(1);
  for (const route of routes) {
    if (route.method !== method || route.path.length !== segments.length) continue;
    const params: Record<string, string> = {};
    const isMatch = route.path.every((wanted, at) => {
      const segment = segments[at] ?? '';
      if (!wanted.startsWith(':')) return wanted === segment;
      params[wanted.slice(1)] = segment;
      return segment !== '';
    });
    if (isMatch) return { route, params };
  }
  return null;
}

/** A slash too many at the end is redirected away. */
function redirectReply(method: string, path: string): Reply | null {
  const target = path.replace(/\/$/, '');
  if (target === path || matchRoute(method, target) === null) return null;
  const status = method === 'GET' ? 301 : 307;
  const body = method === 'GET' ? `<a href="${target}">Moved Permanently</a>.\n\n` : '';
  const reply = textReply(status, body, 'text/html; charset=utf-8');
  return { ...reply, headers: { ...reply.headers, Location: target } };
}

function receiveNumber(request: IncomingMessage): string | null {
  const match = matchRoute('GET', pathOf(request) ?? '');
  return match?.route.path[1] === 'receive' ? unescapedNumber(match.params['number']) : null;
}

/** The handlers decode the number once more. */
function unescapedNumber(number: string | undefined): string | null {
  try {
    return decodeURIComponent(number ?? '');
  } catch {
    return null;
  }
}

function hasToken(header: string | undefined, token: string): boolean {
  return (header ?? '').split(',').some((part) => part.trim().toLowerCase() === token);
}

/** Why a request is no WebSocket handshake, in the words of the real server; `null` when it is one. */
function upgradeRefusal(request: IncomingMessage): string | null {
  const { headers } = request;
  const notWebSocket = 'websocket: the client is not using the websocket protocol: ';
  if (!hasToken(headers.connection, 'upgrade')) {
    return `${notWebSocket}'upgrade' token not found in 'Connection' header`;
  }
  if (!hasToken(headers.upgrade, 'websocket')) return `${notWebSocket}'websocket' token not found in 'Upgrade' header`;
  if (!hasToken(headers['sec-websocket-version'], '13')) {
    return "websocket: unsupported version: 13 not found in 'Sec-Websocket-Version' header";
  }
  return (headers['sec-websocket-key'] ?? '') === ''
    ? "websocket: not a websocket handshake: 'Sec-WebSocket-Key' header is missing or blank"
    : null;
}

function upgradeRefusalReply(request: IncomingMessage): Reply {
  const refusal = errorReply(400, upgradeRefusal(request) ?? '');
  return {
    status: 400,
    headers: {
      'Content-Type': 'text/plain; charset=utf-8',
      'Sec-Websocket-Version': '13',
      'X-Content-Type-Options': 'nosniff',
    },
    body: Buffer.concat([Buffer.from('Bad Request\n'), refusal.body]),
  };
}
