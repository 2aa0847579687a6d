// SPDX-License-Identifier: AGPL-3.0-or-later
import type { IncomingHttpHeaders } from 'node:http';
import { Failure } from '../base/failure.ts';

/** On every answer. Nothing here is a page: what a browser is shown directly may run nothing, load nothing and be framed by nobody. */
export const SAFE_HEADERS: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; sandbox",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

/** Under which addresses this server answers, as browsers write them: `https://reader.agency.example`. */
export type Origins = ReadonlySet<string>;

export function loopbackOrigins(port: number): Origins {
  return new Set(['127.0.0.1', 'localhost', '[::1]'].map((name) => `http://${name}:${port}`));
}

/** Somebody who was told once to come by TLS comes by nothing else. */
export const BY_TLS = { 'strict-transport-security': 'max-age=31536000' };

/** Throws `web/host` for a request under a name that somebody else points at this server. */
export function assertNamed({ host }: IncomingHttpHeaders, origins: Origins): void {
  const hosts = [...origins].map((origin) => new URL(origin).host);
  if (hosts.includes((host ?? '').toLowerCase())) return;
  throw new Failure('web/host', {
    expected: `one of ${hosts.join(', ')} as Host`,
    got: 'another name',
    fix: 'ask at the address that `holdfast read --serve` printed',
  });
}

/** Throws `web/origin` for a request that a page makes, rather than somebody who goes there: signing on begins on other sites. */
export function assertNavigates(headers: IncomingHttpHeaders): void {
  const mode = headers['sec-fetch-mode'];
  const isTop = headers['sec-fetch-dest'] === undefined || headers['sec-fetch-dest'] === 'document';
  if ((mode === undefined || mode === 'navigate') && isTop) return;
  throw new Failure('web/origin', { expected: 'somebody who goes there', got: 'a request of a page' });
}

/**
 * A page of somebody else's can have a browser ask here, under a name of its own that it points at this machine. Such a request says
 * so: in `Host`, in `Origin`, or in `Sec-Fetch-Site`. Throws `web/host`, `web/origin`.
 */
export function assertOwn(headers: IncomingHttpHeaders, origins: Origins): void {
  assertNamed(headers, origins);
  const { origin } = headers;
  const site = headers['sec-fetch-site'];
  const isOwn = origin === undefined || origins.has(origin);
  if (isOwn && (site === undefined || site === 'same-origin' || site === 'none')) return;
  throw new Failure('web/origin', { expected: 'a request of this server’s own pages', got: 'one of another site' });
}
