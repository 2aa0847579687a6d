// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { webSettings, type WebSettings } from '../../src/base/web-settings.ts';

const SIGN_ON = `
  issuer: https://idp.agency.example/realms/agency
  client: holdfast-reader
  roles: [{ group: foia, role: reviewer }]
`.replaceAll('\n', '\n  ');
const WHOLE = `
host: 0.0.0.0
address: https://reader.agency.example
tls: { certificate: web.pem, key: web.key }
signOn:${SIGN_ON}`;

const read = (text: string): WebSettings => webSettings.parse(parse(text) ?? {});
function problemsOf(text: string): string[] {
  const found = webSettings.safeParse(parse(text) ?? {});
  return (found.error?.issues ?? []).map(({ path }) => path.join('.'));
}

describe('how the API is served', () => {
  it('is for this machine and a token, unless more is asked for', () => {
    expect(read('{}')).toEqual({ host: '127.0.0.1', port: 8470 });
  });

  it('is for an agency with TLS and a sign-on', () => {
    expect(read(WHOLE).signOn).toMatchObject({
      user: 'preferred_username',
      groups: 'groups',
      scopes: ['openid', 'profile'],
      idle: 30 * 60_000,
      longest: 12 * 3_600_000,
    });
  });

  it.each([
    ['beyond this machine without a sign-on', 'host: 0.0.0.0', ['host']],
    ['beyond this machine without TLS', WHOLE.replace(/tls: .*/, ''), ['host']],
    ['with TLS and without an address', 'tls: { certificate: a, key: b }', ['address']],
    ['with a sign-on and without an address', `signOn:${SIGN_ON}`, ['address']],
    [
      'by TLS under an address without it',
      `${WHOLE.replace('https://reader.agency.example', 'http://localhost:1')}`,
      ['address'],
    ],
    ['under an address that anybody may listen to', 'address: http://reader.agency.example', ['address']],
    ['under an address with something behind it', 'address: https://reader.agency.example/', ['address']],
    ['under an address with a path', 'address: https://reader.agency.example/x', ['address']],
    ['with a provider that anybody may listen to', WHOLE.replace('https://idp', 'http://idp'), ['signOn.issuer']],
    [
      'with ID tokens for access tokens',
      WHOLE.replace('client:', 'audience: holdfast-reader\n    client:'),
      ['signOn.audience'],
    ],
    ['with a group that may nothing', WHOLE.replace(', role: reviewer', ''), ['signOn.roles.0']],
    [
      'with a group of two minds',
      WHOLE.replace('role: reviewer', 'role: reviewer, permissions: [status]'),
      ['signOn.roles.0'],
    ],
    ['with a role that there is not', WHOLE.replace('reviewer', 'emperor'), ['signOn.roles.0.role']],
    [
      'with a permission that there is not',
      WHOLE.replace('role: reviewer', 'permissions: [everything]'),
      ['signOn.roles.0.permissions.0'],
    ],
    [
      'with a matter by its name',
      WHOLE.replace('role: reviewer', 'role: reviewer, matters: [Berth]'),
      ['signOn.roles.0.matters.0'],
    ],
    ['with nobody', WHOLE.replace('[{ group: foia, role: reviewer }]', '[]'), ['signOn.roles']],
  ])('is not %s', (_what, text, problems) => {
    expect(problemsOf(text)).toEqual(problems);
  });
});
