// SPDX-License-Identifier: AGPL-3.0-or-later
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { buffer } from 'node:stream/consumers';
import type { WebServerParts } from '../../src/web/server.ts';
import type { Grant } from '../../src/web/roles.ts';
import { Provider, type ProviderSettings } from '../../src/web/sign-on/provider.ts';
import { Sessions } from '../../src/web/sign-on/sessions.ts';
import { SignOn } from '../../src/web/sign-on/sign-on.ts';
import type { OpenIdProvider } from '../emulators/openid/provider.ts';

export const GRANTS: readonly Grant[] = [
  { group: 'readers', role: 'reader' },
  { group: 'reviewers', role: 'reviewer' },
  { group: 'records', role: 'records-officer' },
  { group: 'auditors', role: 'auditor' },
  { group: 'admins', role: 'administrator' },
];
export const IDLE_MS = 30 * 60_000;
export const LONGEST_MS = 12 * 3_600_000;

export function settingsFor(provider: OpenIdProvider, more: Partial<ProviderSettings> = {}): ProviderSettings {
  const { issuer, client, secret, audience } = provider;
  const claims = { userClaim: 'preferred_username', groupsClaim: 'groups' };
  return {
    issuer,
    client,
    secret,
    ca: null,
    audience,
    scopes: ['openid', 'profile'],
    grants: GRANTS,
    ...claims,
    ...more,
  };
}

export interface SignOnKit {
  readonly parts: Pick<WebServerParts, 'authenticator' | 'sessions' | 'signOn' | 'address'>;
  readonly signOn: SignOn;
  readonly sessions: Sessions;
}

export function signOnWith(settings: ProviderSettings, address: string, clock: () => number = Date.now): SignOnKit {
  const sessions = new Sessions({ idleMs: IDLE_MS, longestMs: LONGEST_MS }, clock);
  const signOn = new SignOn({ provider: new Provider(settings), sessions, address });
  return { parts: { authenticator: signOn, sessions, signOn, address }, signOn, sessions };
}

export interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Asks with exactly these headers: `fetch` adds some of its own, and follows where it is sent. */
export async function ask(
  url: string,
  { method = 'GET', headers = {}, body }: Asked = {},
  ca?: string,
): Promise<Response> {
  const start = url.startsWith('https:') ? httpsRequest : httpRequest;
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const asking = start(url, { method, headers, ...(ca === undefined ? {} : { ca, servername: '' }) }, resolve);
    asking.on('error', reject);
    asking.end(body);
  });
  const told = new Headers();
  for (const [name, value] of Object.entries(answer.headers))
    for (const one of Array.isArray(value) ? value : [value ?? '']) told.append(name, one);
  return new Response(await buffer(answer), { status: answer.statusCode ?? 0, headers: told });
}

/** A browser as far as it matters here: it keeps cookies and goes where it is sent, hop by hop. */
export class Browser {
  readonly #ca: string | undefined;
  readonly #cookies = new Map<string, string>();
  /** The whole `Set-Cookie` lines that it got. */
  readonly got: string[] = [];

  constructor(ca?: string) {
    this.#ca = ca;
  }

  get cookie(): string {
    return [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  async go(url: string, asked: Asked = {}): Promise<Response> {
    const response = await ask(url, { ...asked, headers: { cookie: this.cookie, ...asked.headers } }, this.#ca);
    for (const line of response.headers.getSetCookie()) {
      this.got.push(line);
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (line.includes('Max-Age=0')) this.#cookies.delete(name);
      else this.#cookies.set(name, value);
    }
    return response;
  }

  /** To the provider and back; resolves to where it came back to, not yet asked. */
  async toProvider(address: string): Promise<string> {
    const begun = await this.go(`${address}/sign-on`);
    if (begun.status !== 302) throw new Error(`${begun.status} ${await begun.text()}`);
    const there = await ask(begun.headers.get('location') ?? '', {}, this.#ca);
    return there.headers.get('location') ?? '';
  }

  async signOn(address: string): Promise<Response> {
    return await this.go(await this.toProvider(address), {
      headers: { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' },
    });
  }
}
