// SPDX-License-Identifier: AGPL-3.0-or-later

import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { normalise } from '../../../src/connectors/signal/normalise.ts';
import type { ContentCapture } from '../../../src/connectors/connector.ts';
import { startSignalEmulator } from '../../emulators/signal/emulator.ts';
import { goldenAccount, goldenCases, understandGolden } from './golden.ts';
import { Capturing, temporaryDir } from './harness.ts';
import { MemorySink } from '../../support/memory-sink.ts';
import { eventually } from '../../support/eventually.ts';

/** The research corpus, where it is at hand: one line each, ending with the payload. */
const corpus = new URL('../../../../shared/fixtures/signal-envelopes.jsonl', import.meta.url);

interface Case {
  readonly name: string;
  readonly payload: string;
}

function corpusCases(): Case[] {
  const lines = readFileSync(corpus, 'utf8').split('\n');
  return lines
    .filter((line) => line !== '')
    .map((line) => ({
      name: (JSON.parse(line) as { case: string }).case,
      payload: line.slice(line.indexOf('"payload":') + 10, -1),
    }));
}

/** What each case of the corpus is. */
const KINDS: Readonly<Record<string, string>> = {
  'data.text.dm': 'message in direct',
  'data.text.group.mention.styles': 'message in group',
  'data.attachments': 'message in direct',
  'data.longtext': 'message in direct',
  'data.quote': 'message in direct',
  'data.reaction.add': 'reaction in direct',
  'data.reaction.remove': 'reaction in group',
  'data.sticker': 'message in direct',
  'data.remoteDelete': 'delete in direct',
  edit: 'edit in direct',
  'data.expirationUpdate': 'timer in direct',
  'data.expirationOff.group': 'group-update in group',
  'data.viewOnce': 'message in direct',
  'data.group.update': 'group-update in group',
  'data.group.callUpdate': 'empty in group',
  'data.profileKeyUpdate': 'empty in direct',
  'data.contacts': 'message in direct',
  'data.preview': 'message in direct',
  'data.payment': 'message in direct',
  'data.pollCreate': 'message in group',
  'data.pollVote': 'poll-vote in group',
  'data.pollTerminate': 'poll-end in group',
  'data.pinMessage': 'pin in group',
  'data.unpinMessage': 'unpin in group',
  'data.adminDelete': 'delete in group',
  'story.text': 'story in story',
  'story.file.group': 'story in story',
  'data.storyReply': 'message in direct',
  'sync.sent.dm': 'message out direct',
  'sync.sent.group.attachment': 'message out group',
  'sync.sent.noteToSelf': 'message out self',
  'sync.sent.edit': 'edit out direct',
  'sync.sent.viewOnce': 'message out direct',
  'sync.sent.remoteDelete': 'delete out direct',
  'sync.sent.reaction': 'reaction out direct',
  'sync.sentStory': 'story out story',
  'sync.read': 'read-sync none -',
  'sync.contacts': 'sync none -',
  'sync.blocked': 'block-list none -',
  'sync.empty': 'sync none -',
  'call.offer': 'call in direct',
  'call.hangup': 'call in direct',
  'call.ice': 'call in direct',
  'receipt.delivery': 'receipt in -',
  'receipt.read': 'receipt in -',
  'receipt.viewed': 'receipt in -',
  'typing.started.group': 'typing in group',
  'exception.invalidMessage': 'undecryptable in unknown',
  'exception.noSession': 'undecryptable in unknown',
  'exception.untrustedIdentity': 'undecryptable in unknown',
  'exception.noSender': 'undecryptable in unknown',
};

test.each(goldenCases())('understands $name as its golden pair says', ({ raw, out }) => {
  expect(understandGolden(raw)).toEqual(JSON.parse(readFileSync(out, 'utf8')));
});

test('has a golden pair for every kind that a frame can be', () => {
  const kinds = new Set(goldenCases().flatMap(({ raw }) => normalise(raw, goldenAccount).map(({ view }) => view.kind)));
  expect([...kinds].toSorted()).toEqual([
    'block-list',
    'call',
    'delete',
    'edit',
    'empty',
    'group-update',
    'message',
    'pin',
    'poll-end',
    'poll-vote',
    'reaction',
    'read-sync',
    'receipt',
    'story',
    'sync',
    'timer',
    'typing',
    'undecryptable',
    'unknown',
    'unpin',
  ]);
});

/** Without the corpus the golden pairs stand in: the test never has nothing to do. */
const cases: readonly Case[] = existsSync(corpus)
  ? corpusCases()
  : goldenCases().map(({ name, raw }) => ({ name, payload: JSON.stringify(JSON.parse(raw.toString())) }));
const caseAccount = existsSync(corpus) ? '+12025550100' : goldenAccount;

test('understands each case of the corpus as the kind it is', () => {
  const found = cases.map(({ name, payload }) => {
    const views = normalise(Buffer.from(payload), caseAccount).map(({ view }) => view);
    return [name, views.map(({ kind, direction, chat }) => `${kind} ${direction} ${chat?.type ?? '-'}`).join(' + ')];
  });
  const expected = existsSync(corpus) ? KINDS : Object.fromEntries(goldenKinds());
  expect(Object.fromEntries(found)).toEqual(expected);
});

function goldenKinds(): [string, string][] {
  return goldenCases().map(({ name, out }) => {
    const views = (JSON.parse(readFileSync(out, 'utf8')) as { view: ContentCapture['view'] }[]).map(({ view }) => view);
    return [name, views.map(({ kind, direction, chat }) => `${kind} ${direction} ${chat?.type ?? '-'}`).join(' + ')];
  });
}

/** All cases through one intake alone: what is archived. */
async function throughIntake(intake: 'webhook' | 'journal' | 'websocket'): Promise<ContentCapture[]> {
  const emulator = await startSignalEmulator({ dataDir: await temporaryDir(), accounts: [{ number: caseAccount }] });
  await using _emulator = emulator;
  const sink = new MemorySink();
  const capturing = new Capturing(emulator, { intakes: [intake], accounts: new Map([[caseAccount, sink]]) });
  await capturing.run();
  if (intake === 'websocket') await eventually(() => emulator.webSocketCount).toBe(1);
  // The emulator takes what a signal-cli could have written: something with an envelope.
  for (const { payload } of cases.filter((one) => one.payload.includes('"envelope":'))) {
    await emulator.receive(caseAccount, payload);
  }
  const count = emulator.history.length;
  await eventually(() => new Set(sink.messages.map(({ raw }) => Buffer.from(raw).toString())).size).toBe(count);
  await capturing.stop();
  return sink.messages;
}

test('archives the same view and the same bytes of every case, whichever of the three intakes brings it', async () => {
  const [webhook, journal, websocket] = await Promise.all([
    throughIntake('webhook'),
    throughIntake('journal'),
    throughIntake('websocket'),
  ]);
  const content = (captures: readonly ContentCapture[]): unknown[] =>
    captures.map(({ native, view, raw }) => ({ native, view, raw: Buffer.from(raw).toString() }));
  expect(content(webhook).length).toBeGreaterThanOrEqual(50);
  expect(content(journal)).toEqual(content(webhook));
  expect(content(websocket)).toEqual(content(webhook));
  expect(new Set(webhook.map(({ via }) => via))).toEqual(new Set(['webhook']));
  expect(new Set(journal.map(({ via }) => via))).toEqual(new Set(['journal']));
  expect(new Set(websocket.map(({ via }) => via))).toEqual(new Set(['websocket']));
});
