// SPDX-License-Identifier: AGPL-3.0-or-later
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OneUser } from '../../src/web/one-user.ts';
import { grantedTo, groupsIn } from '../../src/web/roles.ts';
import { OpenIdProvider } from '../emulators/openid/provider.ts';
import { authenticatorContract } from './authenticator-contract.ts';
import { IDLE_MS, LONGEST_MS, settingsFor, signOnWith, type SignOnKit } from './sign-on-kit.ts';

let provider: OpenIdProvider;
let kit: SignOnKit;
let nowMs = Date.UTC(2026, 10, 22);
beforeAll(async () => {
  provider = await OpenIdProvider.start();
  kit = signOnWith(settingsFor(provider), 'https://reader.agency.example', () => nowMs);
});
afterAll(async () => {
  await provider?.[Symbol.asyncDispose]();
});

const ines = { user: 'ines', permissions: new Set(['status'] as const), matters: null };
const bearer = async (...claims: Parameters<OpenIdProvider['accessToken']>): Promise<{ authorization: string }> => ({
  authorization: `Bearer ${await provider.accessToken(...claims)}`,
});

authenticatorContract('one user with a token', () => ({
  authenticator: new OneUser('T'.repeat(43), 'ines'),
  known: async () => ({ authorization: `Bearer ${'T'.repeat(43)}` }),
  isByBrowser: false,
}));

authenticatorContract('an access token of the provider', () => ({
  authenticator: kit.signOn,
  known: () => bearer(),
  isByBrowser: false,
}));

authenticatorContract('a cookie', () => ({
  authenticator: kit.signOn,
  known: async () => ({ cookie: `__Host-holdfast-session=${kit.sessions.begin(ines)?.token ?? ''}` }),
  isByBrowser: true,
}));

describe('an access token', () => {
  it('names its user by the claim that people know and the one that is certain', async () => {
    const identity = await kit.signOn.authenticate(await bearer());
    expect(identity).toMatchObject({ user: 'ines (u-1)', matters: null });
    expect(identity?.permissions.has('search')).toBe(true);
    const strange = await kit.signOn.authenticate(await bearer({ preferred_username: 'in\u202Ees\n(u-2)' }));
    expect(strange?.user).toBe('in[U+202E]es (u-2) (u-1)');
    const long = await kit.signOn.authenticate(await bearer({ preferred_username: 'x'.repeat(5000) }));
    expect(long?.user).toMatch(/^x{300,} \(u-1\)$/);
    expect((await kit.signOn.authenticate(await bearer({ preferred_username: 7 })))?.user).toBe('u-1');
  });

  it.each([
    ['for another audience', { aud: 'holdfast-reader' }],
    ['by another issuer', { iss: 'https://idp.evil.example' }],
    ['that is over', { exp: Math.floor(Date.now() / 1000) - 60 }],
    ['that is not good yet', { nbf: Math.floor(Date.now() / 1000) + 600 }],
    ['without an end', { exp: undefined }],
    ['of nobody', { sub: undefined }],
    ['of somebody without a name', { sub: '' }],
    ['of somebody in no group', { groups: [] }],
    ['of somebody in groups that may nothing', { groups: ['everybody'] }],
    ['with groups that are no list of words', { groups: { readers: true } }],
  ])('%s is nobody’s', async (_what, claims) => {
    expect(await kit.signOn.authenticate(await bearer(claims))).toBeNull();
  });

  it.each(['another key', 'nobody'] as const)('signed by %s is nobody’s', async (by) => {
    expect(await kit.signOn.authenticate(await bearer({}, by))).toBeNull();
  });

  it('is one session for as long as it lasts, and beside a cookie it is the one that counts', async () => {
    const [first, second] = [await bearer(), await bearer()];
    const sessions = await Promise.all([first, first, second].map((one) => kit.signOn.authenticate(one)));
    expect(sessions[0]?.session).toBe(sessions[1]?.session);
    expect(sessions[0]?.session).not.toBe(sessions[2]?.session);
    const cookie = `__Host-holdfast-session=${kit.sessions.begin(ines)?.token ?? ''}`;
    expect((await kit.signOn.authenticate({ ...first, cookie }))?.user).toBe('ines (u-1)');
    expect(await kit.signOn.authenticate({ authorization: 'Bearer x.y.z', cookie })).toBeNull();
  });

  it('is asked about nobody while the provider is away: that is said, and passes', async () => {
    const other = await OpenIdProvider.start();
    const own = signOnWith(settingsFor(other), 'https://reader.agency.example');
    const token = { authorization: `Bearer ${await other.accessToken()}` };
    const { issuer } = other;
    await other[Symbol.asyncDispose]();
    await expect(own.signOn.authenticate(token)).rejects.toMatchObject({ code: 'web/provider', kind: 'retry' });
    await expect(own.signOn.authenticate({})).resolves.toBeNull();
    expect(issuer).toMatch(/^http:/);
    // One that was away is asked again: nothing of the failure is kept.
    const late = signOnWith(
      { ...settingsFor(provider), issuer: `${provider.issuer}/nowhere` },
      'https://reader.agency.example',
    );
    await expect(late.signOn.authenticate(token)).rejects.toMatchObject({ code: 'web/provider' });
  });

  it('is taken from nobody where programs may not ask', async () => {
    const people = signOnWith(settingsFor(provider, { audience: null }), 'https://reader.agency.example');
    expect(await people.signOn.authenticate(await bearer())).toBeNull();
  });
});

describe('a sign-on', () => {
  it('ends without a request for a while, and after a day in any case', () => {
    const { token = '' } = kit.sessions.begin(ines) ?? {};
    for (let passed = 0; passed + IDLE_MS / 2 < LONGEST_MS; passed += IDLE_MS / 2) {
      expect(kit.sessions.find(token)?.user).toBe('ines');
      nowMs += IDLE_MS / 2;
    }
    nowMs += IDLE_MS / 2;
    expect(kit.sessions.find(token)).toBeNull();
    const { token: idle = '' } = kit.sessions.begin(ines) ?? {};
    nowMs += IDLE_MS;
    expect(kit.sessions.find(idle)).toBeNull();
  });

  it('is ended by its id, which gives nobody its cookie', () => {
    const { token = '', identity } = kit.sessions.begin(ines) ?? {};
    expect(kit.sessions.list()).toMatchObject([{ session: identity?.session, user: 'ines' }]);
    expect(kit.sessions.find(identity?.session ?? '')).toBeNull();
    expect(kit.sessions.end(identity?.session ?? '')).toBe(true);
    expect(kit.sessions.end(identity?.session ?? '')).toBe(false);
    expect(kit.sessions.find(token)).toBeNull();
  });

  it('is of two cookies of one name neither', async () => {
    const { token = '' } = kit.sessions.begin(ines) ?? {};
    const cookie = `__Host-holdfast-session=${token}`;
    expect(await kit.signOn.authenticate({ cookie: `a=b; ${cookie}` })).not.toBeNull();
    expect(await kit.signOn.authenticate({ cookie: `${cookie}; ${cookie}` })).toBeNull();
    // Without the prefix a neighbour under the same domain may have put it there.
    expect(await kit.signOn.authenticate({ cookie: cookie.replace('__Host-', '') })).toBeNull();
  });
});

describe('groups', () => {
  const grants = [
    { group: 'a', role: 'reader', matters: ['1'.repeat(32)] },
    { group: 'b', permissions: ['access-log'], matters: ['2'.repeat(32)] },
    { group: 'c', role: 'administrator' },
  ] as const;

  it('add, and none takes away', () => {
    expect(grantedTo(new Set(['x']), grants)).toBeNull();
    expect(grantedTo(new Set(['a', 'b']), grants)).toEqual({
      permissions: new Set(['status', 'search', 'view', 'people', 'file', 'matters', 'directory', 'access-log']),
      matters: ['1'.repeat(32), '2'.repeat(32)],
    });
    expect(grantedTo(new Set(['c']), grants)).toEqual({ permissions: new Set(['status', 'sessions']), matters: null });
    // Something else without a limit does not lift one; the same without a limit does.
    expect(grantedTo(new Set(['a', 'c']), grants)?.matters).toEqual(['1'.repeat(32)]);
    const free = [...grants, { group: 'd', role: 'reviewer' }] as const;
    expect(grantedTo(new Set(['a', 'd']), free)?.matters).toBeNull();
    expect(grantedTo(new Set(['b', 'd']), free)?.matters).toEqual(['2'.repeat(32)]);
  });

  it('are found where the provider puts them', () => {
    expect(groupsIn({ groups: ['a', 7, 'b', ''] }, 'groups')).toEqual(new Set(['a', 'b']));
    expect(groupsIn({ groups: 'a' }, 'groups')).toEqual(new Set(['a']));
    expect(groupsIn({ realm_access: { roles: ['a'] } }, 'realm_access.roles')).toEqual(new Set(['a']));
    expect(groupsIn({ 'https://agency.example/roles': ['a'] }, 'https://agency.example/roles')).toEqual(new Set(['a']));
    for (const claim of ['groups', 'a.b', '__proto__', 'constructor.name'])
      expect(groupsIn({}, claim)).toEqual(new Set());
  });
});
