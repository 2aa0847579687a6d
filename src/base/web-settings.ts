// SPDX-License-Identifier: AGPL-3.0-or-later
import { z } from 'zod';
import { duration } from './duration.ts';
import { PERMISSIONS, ROLE_NAMES } from './permission.ts';

const path = z.string().min(1);
const LOOPBACK = new Set(['127.0.0.1', '[::1]', 'localhost']);

/** Without TLS only where nobody is on the way. */
function isSafe(address: string): boolean {
  const url = URL.parse(address);
  return url !== null && (url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.has(url.hostname)));
}

/** `https://host[:port]` and nothing behind it, as browsers write it. */
function isOrigin(address: string): boolean {
  return URL.parse(address)?.origin === address;
}

const grant = z
  .strictObject({
    group: z.string().min(1).max(200).describe('What the provider’s claim holds for whoever is meant.'),
    role: z.enum(ROLE_NAMES).optional().describe('What they may do, by its name in src/web/README.md.'),
    permissions: z.array(z.enum(PERMISSIONS)).min(1).optional().describe('Or permission by permission.'),
    matters: z
      .array(z.string().regex(/^[0-9a-f]{32}$/, 'expected the id of a matter'))
      .min(1)
      .optional()
      .describe('They see only what is tagged in these matters.'),
  })
  .refine(({ role, permissions }) => (role === undefined) !== (permissions === undefined), {
    message: 'expected either `role` or `permissions`',
  });

const signOn = z
  .strictObject({
    issuer: z
      .url()
      .refine(isSafe, 'expected https://, or http:// on this machine')
      .describe('The OpenID Connect provider, as it calls itself.'),
    client: z.string().min(1).max(200).describe('Id of this reader at the provider.'),
    secret: path.optional().describe('File with the client’s secret; a public client, by PKCE alone, if left out.'),
    ca: path.optional().describe('PEM of the authorities to trust for the provider instead of the system’s.'),
    audience: z
      .string()
      .min(1)
      .max(200)
      .optional()
      .describe('What access tokens of programs must be for. Left out, only people sign on. Not the client’s id.'),
    user: z
      .string()
      .min(1)
      .max(100)
      .default('preferred_username')
      .describe('Claim with the name that stands in the record of looks, in front of the provider’s own `sub`.'),
    groups: z
      .string()
      .min(1)
      .max(200)
      .default('groups')
      .describe('Claim with the groups; `a.b` for a claim within another.'),
    scopes: z.array(z.string().min(1)).default(['openid', 'profile']).describe('What is asked of the provider.'),
    roles: z.array(grant).min(1).describe('Which group may do what; whoever is in none may not sign on.'),
    idle: duration.prefault('30m').describe('A sign-on ends after this long without a request …'),
    longest: duration.prefault('12h').describe('… and after this long in any case.'),
  })
  .refine(({ audience, client }) => audience !== client, {
    path: ['audience'],
    message: 'expected another one than `client`: an ID token must not pass for an access token',
  })
  .describe('Signing on by the agency’s identity provider. Left out, whoever holds the token may do everything.');
export type SignOnSettings = z.output<typeof signOn>;

/** How the reader's API is served. */
export const webSettings = z
  .strictObject({
    host: z
      .string()
      .min(1)
      .default('127.0.0.1')
      .describe('Address to listen on. Beyond this machine only with `tls` and `signOn`.'),
    port: z.int().min(0).max(65_535).default(8470).describe('0 takes a free one.'),
    address: z
      .url()
      .refine(isSafe, 'expected https://, or http:// on this machine')
      .refine(isOrigin, 'expected https://host, with a port if it has one, and nothing behind it')
      .optional()
      .describe('What browsers call it, e.g. https://reader.agency.example; needed for `tls` and `signOn`.'),
    tls: z
      .strictObject({
        certificate: path.describe('PEM: its certificate, then what stands between it and its authority.'),
        key: path.describe('Its private key, mode 0600.'),
      })
      .optional()
      .describe('TLS by this process. Left out, it listens on this machine only, for a proxy of this machine’s.'),
    signOn: signOn.optional(),
    token: path
      .optional()
      .describe(
        'Without `signOn`: file with the token, mode 0600, made if it is not there; `web.token` in the index’s directory if left out.',
      ),
    exports: path
      .optional()
      .describe(
        'A directory of mode 0700 for exports that are ordered by the API, on a local, encrypted disk: they are plaintext. Made if it is not there; if left out, beside the index’s directory, by its name with `-exports`.',
      ),
  })
  .refine(({ host, tls, signOn: by }) => isLoopback(host) || (tls !== undefined && by !== undefined), {
    path: ['host'],
    message: 'expected 127.0.0.1 or ::1 without `tls` and `signOn`',
  })
  .refine(({ address, tls, signOn: by }) => address !== undefined || (tls === undefined && by === undefined), {
    path: ['address'],
    message: 'needed for `tls` and `signOn`',
  })
  .refine(({ address, tls }) => tls === undefined || address === undefined || address.startsWith('https:'), {
    path: ['address'],
    message: 'expected https:// with `tls`',
  })
  .describe('Serves the API while `holdfast read` follows the log.');
export type WebSettings = z.output<typeof webSettings>;

function isLoopback(host: string): boolean {
  return host === '127.0.0.1' || host === '::1';
}
