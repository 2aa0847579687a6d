// SPDX-License-Identifier: AGPL-3.0-or-later
import type { IncomingHttpHeaders } from 'node:http';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isPermission } from '../../src/base/permission.ts';
import type { Authenticator } from '../../src/web/authenticator.ts';

/** One way to sign on. */
export interface AuthenticatorSubject {
  readonly authenticator: Authenticator;
  /** Headers of somebody known, anew with each call where there may be more than one of them. */
  readonly known: () => Promise<IncomingHttpHeaders>;
  /** Whether a browser sends the credential by itself. */
  readonly isByBrowser: boolean;
}

export function authenticatorContract(name: string, subject: () => AuthenticatorSubject): void {
  describe(`${name} as an authenticator`, () => {
    it('knows whoever it should, as one user of one session, who may do what there is', async () => {
      const { authenticator, known } = subject();
      const headers = await known();
      const identity = await authenticator.authenticate(headers);
      expect(identity?.user).toMatch(/^.{1,400}$/);
      expect(identity?.session).toMatch(/^[0-9a-f]{32}$/);
      expect([...(identity?.permissions ?? [])].every(isPermission)).toBe(true);
      expect(await authenticator.authenticate(headers)).toEqual(identity);
    });

    it('gives a proof to credentials that browsers send by themselves, and to no other', async () => {
      const { authenticator, known, isByBrowser } = subject();
      const identity = await authenticator.authenticate(await known());
      expect(identity?.proof === null).toBe(!isByBrowser);
    });

    it('knows nobody by a credential of which a letter is another one, is missing or too many', async () => {
      const { authenticator, known } = subject();
      const headers = await known();
      for (const name of ['authorization', 'cookie'] as const) {
        const right = headers[name];
        if (right === undefined) continue;
        const at = Array.from(right).flatMap((_, n) => (n % Math.ceil(right.length / 40) === 0 ? [n] : []));
        for (const n of at) {
          const letter = right[n] === 'A' ? 'B' : 'A';
          const wrong = [right.slice(0, n) + letter + right.slice(n + 1), right.slice(0, n) + right.slice(n + 1)];
          for (const value of wrong) {
            const identity = await authenticator.authenticate({ ...headers, [name]: value });
            // The last letter of base64 may say the same in another way, and the name of a cookie’s neighbour nothing.
            if (identity !== null)
              expect([n, identity.session]).not.toEqual([n, (await authenticator.authenticate(headers))?.session]);
          }
        }
      }
    });

    it('knows nobody by anything else that a request may hold, and throws at nothing', async () => {
      const { authenticator } = subject();
      const value = fc.oneof(
        fc.string({ maxLength: 300 }),
        fc.string({ maxLength: 300 }).map((text) => `Bearer ${text}`),
        fc.base64String().map((text) => `Bearer ${text}.${text}.${text}`),
        fc.base64String().map((text) => `__Host-holdfast-session=${text}; holdfast-session=${text}`),
        fc.constantFrom(
          '',
          'Bearer',
          'Bearer ',
          'Bearer ..',
          'Basic Og==',
          '='.repeat(10_000),
          `Bearer ${'a.'.repeat(9000)}`,
        ),
      );
      const headers = fc.record(
        { authorization: value, cookie: value, host: value, 'x-user': value },
        { requiredKeys: [] },
      );
      await fc.assert(
        fc.asyncProperty(headers, async (asked) => {
          expect(await authenticator.authenticate(asked)).toBeNull();
        }),
        { numRuns: 200 },
      );
      expect(await authenticator.authenticate({})).toBeNull();
    });
  });
}
