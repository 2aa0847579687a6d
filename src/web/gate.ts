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

/** Addresses under which this server answers, as browsers write them in `Host`. */
export type Hosts = ReadonlySet<string>;

export function loopbackHosts(port: number): Hosts {
  return new Set(['127.0.0.1', 'localhost', '[::1]'].map((name) => `${name}:${port}`));
}

/**
 * A page of somebody else's can have a browser ask here, under a name of its own that it points at this machine. Such a request says
 * so: in `Host`, in `Origin`, or in `Sec-Fetch-Site`. Throws `web/host`, `web/origin`.
 */
export function assertOwn(headers: IncomingHttpHeaders, hosts: Hosts): void {
  if (!hosts.has((headers.host ?? '').toLowerCase())) {
    throw new Failure('web/host', {
      expected: `one of ${[...hosts].join(', ')} as Host`,
      got: 'another name',
      fix: 'ask at the address that `holdfast read --serve` printed',
    });
  }
  const { origin } = headers;
  const site = headers['sec-fetch-site'];
  const isOwn = origin === undefined || [...hosts].some((host) => origin === `http://${host}`);
  if (isOwn && (site === undefined || site === 'same-origin' || site === 'none')) return;
  throw new Failure('web/origin', { expected: 'a request of this server’s own pages', got: 'one of another site' });
}
