// SPDX-License-Identifier: AGPL-3.0-or-later
import { z } from 'zod';
import { approvalText, parseHoldDocument } from '../../record/hold.ts';
import type { Proposal } from '../../matters/hold-desk.ts';
import { route } from '../route.ts';

const id = z.string().regex(/^[0-9a-f]{64}$/);
const inPath = z.strictObject({ approval: id });
const signature = z.strictObject({
  key: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .meta({ description: 'Id of the officer’s key.' }),
  sig: z
    .string()
    .regex(/^[A-Za-z0-9+/]{86}==$/)
    .meta({ description: 'Ed25519 over `text`, UTF-8.' }),
});
const approvalForm = z
  .strictObject({
    approval: id.meta({ description: 'SHA-256 of what is signed.' }),
    hold: z.string(),
    what: z.enum(['placed', 'extended', 'released']),
    reference: z.string(),
    at: z.string(),
    expires: z.iso.datetime().meta({ description: 'The archiver takes it until then.' }),
    state: z.enum(['open', 'approved', 'expired']),
    needed: z.int().meta({ description: 'Officers whose word it takes.' }),
    by: z.array(signature),
    packs: z.int(),
    files: z.int(),
  })
  .meta({ id: 'Approval' });

export const approvalsRoute = route({
  method: 'GET',
  path: '/approvals',
  permission: 'holds',
  summary: 'What waits for officers, and what they have approved and the log does not hold yet',
  forms: { answer: z.strictObject({ approvals: z.array(approvalForm) }) },
  answer: async ({ signal }, { index, holds }) => {
    const proposals = holds.proposals(await index.askActs('holds', [], signal));
    return {
      deeds: [{ act: 'report', what: 'approvals', matter: null, items: proposals.length }],
      body: { approvals: proposals.map(told) },
    };
  },
});

export const approvalRoute = route({
  method: 'GET',
  path: '/approvals/:approval',
  permission: 'holds',
  summary:
    'What an officer signs: `entry` and `document` are the file that `holdfast hold sign` takes, `text` what is signed',
  forms: {
    params: inPath,
    answer: z.strictObject({
      approval: approvalForm,
      text: z.string(),
      entry: z.looseObject({ t: z.literal('hold') }),
      document: z.string(),
    }),
  },
  answer: async ({ params }, { holds }) => {
    const found = holds.proposal(params.approval);
    const { entry, document } = found.approval;
    return {
      deeds: [{ act: 'report', what: 'approval', matter: null, items: 1 }],
      body: { approval: told(found), text: approvalText(entry), entry: { ...entry }, document },
    };
  },
});

export const approveRoute = route({
  method: 'POST',
  path: '/approvals/:approval',
  permission: 'approve',
  summary: 'Add what officers signed; with enough of them it is on its way to the log',
  forms: { params: inPath, body: z.strictObject({ by: z.array(signature).min(1).max(8) }), answer: approvalForm },
  answer: async ({ params, body }, { holds }) => {
    holds.proposal(params.approval);
    return {
      deeds: [{ act: 'report', what: 'hold approval', matter: null, items: body.by.length }],
      done: async () => told(holds.approve(params.approval, body.by)),
    };
  },
});

export const withdrawRoute = route({
  method: 'DELETE',
  path: '/approvals/:approval',
  permission: 'hold',
  summary: 'Take back what waits for officers; what the log holds stays',
  forms: { params: inPath, answer: z.strictObject({ approval: id }) },
  answer: async ({ params: { approval } }, { holds }) => {
    holds.proposal(approval);
    return {
      deeds: [{ act: 'report', what: 'hold proposal withdrawn', matter: null, items: 1 }],
      done: async () => {
        holds.withdraw(approval);
        return { approval };
      },
    };
  },
});

function told({
  id: approval,
  approval: { entry, document },
  needed,
  expiresMs,
  state,
}: Proposal): z.input<typeof approvalForm> {
  const { packs, media } = parseHoldDocument(document);
  return {
    approval,
    hold: entry.hold,
    what: entry.state,
    reference: entry.matter,
    at: entry.at,
    expires: new Date(expiresMs).toISOString(),
    state,
    needed,
    by: entry.by.map(({ key, sig }) => ({ key, sig })),
    packs: packs.length,
    files: media.length,
  };
}
