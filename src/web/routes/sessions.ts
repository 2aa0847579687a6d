// SPDX-License-Identifier: AGPL-3.0-or-later
import { z } from 'zod';
import { route } from '../route.ts';
import { hex128 } from './matters.ts';

const ended = z.strictObject({ ended: z.boolean().meta({ description: 'False where there was no such sign-on.' }) });

export const sessionsRoute = route({
  method: 'GET',
  path: '/sessions',
  permission: 'sessions',
  isLimited: true,
  summary: 'Who is signed on by a browser; programs show their token with every request',
  forms: {
    answer: z.strictObject({
      sessions: z.array(
        z.strictObject({ session: hex128, user: z.string(), since: z.iso.datetime(), seen: z.iso.datetime() }),
      ),
    }),
  },
  answer: async (_asked, { sessions }) => {
    const all = sessions.list().map(({ session, user, sinceMs, seenMs }) => {
      return { session, user, since: new Date(sinceMs).toISOString(), seen: new Date(seenMs).toISOString() };
    });
    return {
      deeds: [{ act: 'report', what: 'sessions', matter: null, items: all.length }],
      body: { sessions: all },
    };
  },
});

export const endSessionRoute = route({
  method: 'DELETE',
  path: '/sessions/:session',
  permission: 'sessions',
  isLimited: true,
  summary: 'End somebody’s sign-on',
  forms: { params: z.strictObject({ session: hex128 }), answer: ended },
  answer: async ({ params: { session } }, { sessions }) => {
    return {
      deeds: [{ act: 'report', what: `end of the session ${session}`, matter: null, items: 1 }],
      done: async () => ({ ended: sessions.end(session) }),
    };
  },
});

export const signOffRoute = route({
  method: 'POST',
  path: '/sign-off',
  permission: 'status',
  isLimited: true,
  summary: 'End your own sign-on',
  forms: { answer: ended },
  answer: async ({ identity: { session } }, { sessions }) => {
    return {
      deeds: [{ act: 'report', what: 'sign-off', matter: null, items: 1 }],
      done: async () => ({ ended: sessions.end(session) }),
    };
  },
});
