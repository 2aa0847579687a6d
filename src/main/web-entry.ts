// SPDX-License-Identifier: AGPL-3.0-or-later
import { readSecret } from '../base/secrets.ts';
import type { SignOnSettings, WebSettings } from '../base/web-settings.ts';
import { NO_SESSIONS } from '../web/authenticator.ts';
import { OneUser, openToken } from '../web/one-user.ts';
import type { WebServerParts } from '../web/server.ts';
import { Provider } from '../web/sign-on/provider.ts';
import { Sessions } from '../web/sign-on/sessions.ts';
import { SignOn } from '../web/sign-on/sign-on.ts';
import { readCertificates } from './certificates.ts';
import { systemUser } from './system-user.ts';

/** Who may come in, and how they are told apart. */
type Entry = Pick<WebServerParts, 'authenticator' | 'sessions' | 'signOn'>;

/** One user of one machine. */
export function byToken(file: string): Entry {
  return { authenticator: new OneUser(openToken(file), systemUser()), sessions: NO_SESSIONS, signOn: null };
}

/** Whoever the agency's identity provider vouches for. */
export function bySignOn(settings: SignOnSettings, address: string): Entry {
  const { issuer, client, secret, ca, audience, user, groups, scopes, roles, idle, longest } = settings;
  const provider = new Provider({
    issuer,
    client,
    secret: secret === undefined ? null : readSecret(secret).trim(),
    ca: ca === undefined ? null : pemOf(ca),
    audience: audience ?? null,
    userClaim: user,
    groupsClaim: groups,
    scopes,
    grants: roles,
  });
  const sessions = new Sessions({ idleMs: idle, longestMs: longest }, Date.now);
  const signOn = new SignOn({ provider, sessions, address });
  return { authenticator: signOn, sessions, signOn };
}

export function tlsOf(web: WebSettings | undefined): WebServerParts['tls'] {
  if (web?.tls === undefined) return null;
  return { cert: pemOf(web.tls.certificate), key: readSecret(web.tls.key) };
}

/** Throws `config/key-unusable` for what holds no certificate. */
function pemOf(file: string): string {
  return readCertificates(file)
    .map((certificate) => certificate.toString())
    .join('');
}
