// SPDX-License-Identifier: AGPL-3.0-or-later
import { z } from 'zod';
import { indexForm, mark, pageSize, personForm } from '../forms.ts';
import { route } from '../route.ts';
import { toldIndex, toldNamed } from '../told.ts';

const MOST_PEOPLE = 500;
const USUAL_PEOPLE = 100;

export const peopleRoute = route({
  method: 'GET',
  path: '/people',
  permission: 'people',
  summary: 'Everybody the messengers named, with every name they had, in the order they were first seen',
  forms: {
    query: z.strictObject({ limit: pageSize(MOST_PEOPLE, USUAL_PEOPLE), after: mark }),
    answer: z.strictObject({ people: z.array(personForm), next: z.int().nullable(), index: indexForm }),
  },
  answer: async ({ query: { limit, after }, signal }, { index }) => {
    const { people, next, state } = await index.ask('people', [{ after: after ?? null, limit }], signal);
    const told = people.map((one) => ({ ...toldNamed(one), app: one.app, names: [...one.names] }));
    return {
      deeds: [{ act: 'view', leaf: null, lines: people.length }],
      body: { people: told, next, index: toldIndex(state) },
    };
  },
});
