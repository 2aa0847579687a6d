// SPDX-License-Identifier: AGPL-3.0-or-later
import { z } from 'zod';
import { scopeForm, type HoldScope } from '../../access/act.ts';
import { Failure } from '../../base/failure.ts';
import type { HoldInLog, HoldOf } from '../../search/acts-db.ts';
import { keptQuery } from '../../search/kept-query.ts';
import type { QueryThreads } from '../../search/query-threads.ts';
import { holdCalled } from '../../matters/holds.ts';
import { route } from '../route.ts';
import { assertLines } from './decisions.ts';
import { hex128, inMatter, matterOf, toldMade } from './matters.ts';

/*
 * Asking for a hold is a decision of readers, and a record of theirs. What the store must keep is in force by the word of officers
 * alone, whose keys are never here: they sign what is proposed (approvals.ts).
 */

const inHold = z.strictObject({ hold: hex128 });
const proposed = z.strictObject({
  hold: hex128,
  approvals: z.array(z.string()).meta({ description: 'Ids of what officers are to sign; see /approvals.' }),
});
const entryForm = z.strictObject({
  leaf: z.int(),
  state: z.string(),
  at: z.iso.datetime(),
  officers: z.array(z.string()).meta({ description: 'Ids of the keys that approved it.' }),
});
const holdForm = z
  .strictObject({
    hold: hex128,
    matter: hex128,
    matterName: z.string(),
    scope: z.looseObject({ by: z.string() }),
    at: z.iso.datetime(),
    user: z.string(),
    log: z
      .strictObject({
        state: z.enum(['placed', 'extended', 'released']),
        reference: z.string(),
        packs: z.int(),
        files: z.int(),
        entries: z.array(entryForm),
      })
      .nullable()
      .meta({
        description: 'How it stands in the log; null while no officer’s approval is there: nothing is held yet.',
      }),
  })
  .meta({ id: 'Hold' });
/** Stands in clear in the log, for ever. */
const reference = z
  .string()
  .regex(/^[\w.,:/()# -]{1,120}$/)
  .optional()
  .meta({
    description: 'In clear in the log, for auditors: a docket number, never a name. The matter’s id if left out.',
  });

export const holdsRoute = route({
  method: 'GET',
  path: '/holds',
  permission: 'holds',
  summary: 'Holds: what they are on, and how they stand in the log',
  forms: { answer: z.strictObject({ holds: z.array(holdForm) }) },
  answer: async ({ signal }, { index }) => {
    const matters = await index.askActs('matters', [], signal);
    const logged = new Map((await index.askActs('holds', [], signal)).map((one) => [one.hold, one]));
    const holds = matters.flatMap(({ name, holds: own }) =>
      own.map((one) => toldHold(one, name, logged.get(one.hold) ?? null)),
    );
    return { deeds: [{ act: 'report', what: 'holds', matter: null, items: holds.length }], body: { holds } };
  },
});

export const placeHoldRoute = route({
  method: 'POST',
  path: '/matters/:matter/holds',
  permission: 'hold',
  summary: 'Ask for a hold on everything of a custodian, a conversation, a search or a message, now and to come',
  forms: {
    params: inMatter,
    body: z.strictObject({ scope: scopeForm, reference }),
    answer: z.strictObject({ ...proposed.shape, lines: z.int(), packs: z.int(), files: z.int() }),
  },
  answer: async ({ params: { matter }, body, signal }, { index, holds }) => {
    await matterOf(index, matter, signal);
    const { scope } = body;
    await assertScope(index, scope, signal);
    const kept = await index.askActs('kept', [scope], signal);
    const { hold, deed, approvals } = holds.place(kept, { matter, scope, reference: body.reference ?? matter });
    const { lines, packs, media } = kept;
    return {
      deeds: [deed],
      done: async () => {
        const counts = { lines, packs: packs.length, files: media.length };
        return { hold, approvals: holds.propose(approvals), ...counts };
      },
    };
  },
});

export const extendHoldRoute = route({
  method: 'POST',
  path: '/holds/:hold/extension',
  permission: 'hold',
  summary:
    'Propose what a hold covers by now and the log does not name; all of it, where no officer has approved it yet',
  forms: { params: inHold, answer: proposed },
  answer: async ({ params: { hold }, signal }, { index, holds }) => {
    const { scope, matter } = await definitionOf(index, hold, signal);
    const logged = (await index.askActs('holds', [], signal)).find((one) => one.hold === hold);
    const kept = await index.askActs('kept', [scope], signal);
    const approvals = logged === undefined ? holds.again(hold, kept, matter) : holds.extend(logged, kept);
    return {
      deeds: [{ act: 'report', what: 'hold extension', matter, items: approvals.length }],
      done: async () => ({ hold, approvals: approvals.length === 0 ? [] : holds.propose(approvals) }),
    };
  },
});

export const releaseHoldRoute = route({
  method: 'POST',
  path: '/holds/:hold/release',
  permission: 'hold',
  summary: 'Propose the release of a hold: two officers approve it',
  forms: { params: inHold, answer: proposed },
  answer: async ({ params: { hold }, signal }, { index, holds }) => {
    const release = holds.release(holdCalled(await index.askActs('holds', [], signal), hold));
    return {
      deeds: [{ act: 'report', what: 'hold release', matter: null, items: 1 }],
      done: async () => ({ hold, approvals: holds.propose([release]) }),
    };
  },
});

async function definitionOf(index: QueryThreads, id: string, signal: AbortSignal): Promise<HoldOf> {
  const all = (await index.askActs('matters', [], signal)).flatMap(({ holds }) => holds);
  const found = all.find(({ hold }) => hold === id);
  if (found !== undefined) return found;
  throw new Failure('matters/not-found', {
    expected: 'the id of a hold',
    got: 'one that none has',
    fix: 'see /api/v1/holds; a new one is there once it is archived and indexed',
  });
}

async function assertScope(index: QueryThreads, scope: HoldScope, signal: AbortSignal): Promise<void> {
  if (scope.by === 'search') keptQuery(scope.query);
  if (scope.by === 'record' || scope.by === 'conversation')
    await assertLines(index, [{ what: 'message', leaf: scope.leaf }], signal);
}

function toldHold(
  { hold, matter, scope, atMs, user }: HoldOf,
  matterName: string,
  logged: HoldInLog | null,
): z.input<typeof holdForm> {
  const log =
    logged === null
      ? null
      : {
          state: logged.state,
          reference: logged.reference,
          packs: logged.packs.length,
          files: logged.media.length,
          entries: logged.entries.map(({ leaf, state, atMs: at, officers }) => {
            return { leaf, state, at: new Date(at).toISOString(), officers: [...officers] };
          }),
        };
  return { hold, matter, matterName, scope: { ...scope }, ...toldMade({ atMs, user }), log };
}
