// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import type { View, ViewBody } from '../../src/record/message.ts';
import { parseQuery } from '../../src/search/query-parse.ts';
import { SqliteIndex } from '../../src/search/sqlite-index.ts';
import { everything } from './contract.ts';
import {
  ANA,
  applyAll,
  ask,
  BEN,
  CLEO,
  direct,
  found,
  HARBOUR,
  LogWriter,
  message,
  MINUTE_MS,
  MONDAY_MS,
  refTo,
  viewOf,
  type TestPerson,
} from './kit.ts';

const root = mkdtempSync(join(tmpdir(), 'holdfast-people-'));
let directory = '';
let count = 0;
beforeEach(() => void (directory = join(root, String((count += 1)))));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const at = (minutes: number): number => MONDAY_MS + minutes * MINUTE_MS;

async function indexed(log: LogWriter): Promise<SqliteIndex> {
  const db = SqliteIndex.openForWriting(directory);
  await applyAll(db, log.cut().segments);
  return db;
}

/** A view in which somebody is named by one of the two ways only. */
function named(view: View, way: 'id' | 'number', who: TestPerson): View {
  const sender = way === 'id' ? { id: who.id, number: null } : { id: null, number: who.number };
  return { ...view, sender };
}

describe('people', () => {
  it('are one as soon as a view names them both ways, and so is what was filed under either', async () => {
    const log = new LogWriter();
    const said = viewOf(ANA, message('hello'), { by: BEN, chat: HARBOUR, atMs: at(0) });
    log.record(ANA, { view: named(said, 'id', BEN) });
    log.cut();
    // The other account knows the sender by number: for now that is somebody else.
    log.record(CLEO, { view: named({ ...said, account: { id: null, number: CLEO.number } }, 'number', BEN) });
    log.cut();
    const reaction: ViewBody = {
      kind: 'reaction',
      target: refTo({ id: null, number: BEN.number }, at(0)),
      emoji: '👍',
      removed: false,
    };
    log.capture(CLEO, reaction, { by: CLEO, chat: HARBOUR, atMs: at(1) });
    log.cut();
    log.capture(ANA, message('now by both'), { by: BEN, chat: HARBOUR, atMs: at(5) });
    await using db = await indexed(log);
    expect(await found(db, 'kind:message')).toEqual(['now by both', 'hello']);
    expect((await ask(db, 'hello has:reaction')).hits).toMatchObject([{ copies: 2 }]);
    expect(await db.count(parseQuery(`from:${BEN.number} hello`))).toBe(1);
    expect(await db.count(parseQuery(`from:"${BEN.id}" hello`))).toBe(1);
  });

  it('have one direct conversation, whichever side captured it', async () => {
    const log = new LogWriter();
    log.capture(ANA, message('to ben'), { by: ANA, chat: direct(BEN), atMs: at(0) });
    log.capture(BEN, message('to ben'), { by: ANA, chat: direct(ANA), atMs: at(0) });
    log.capture(BEN, message('to ana'), { by: BEN, chat: direct(ANA), atMs: at(1) });
    log.capture(ANA, message('to ana'), { by: BEN, chat: direct(BEN), atMs: at(1) });
    await using db = await indexed(log);
    const conversations = (await db.conversations()).filter(({ type }) => type === 'direct');
    expect(conversations).toMatchObject([{ lines: 2, title: 'Ana Ruiz – Ben Ångström' }]);
    expect((await ask(db, 'kind:message')).hits.map(({ copies }) => copies)).toEqual([2, 2]);
    expect(await found(db, 'to:ben')).toEqual(['to ben']);
  });

  it('bear the name of the time', async () => {
    const log = new LogWriter();
    log.capture(ANA, message('before'), { by: CLEO, chat: HARBOUR, atMs: at(0) });
    log.capture(ANA, message('after'), { by: { ...CLEO, name: 'Cleo Park' }, chat: HARBOUR, atMs: at(60) });
    log.capture(ANA, message('renamed group'), { by: CLEO, chat: { ...HARBOUR, name: 'Night Watch' }, atMs: at(90) });
    await using db = await indexed(log);
    const { hits } = await ask(db, 'kind:message', { order: 'oldest' });
    expect(hits.map(({ author, title }) => [author?.name, title])).toEqual([
      ['Cleo 田中', 'Harbour Watch'],
      ['Cleo Park', 'Harbour Watch'],
      ['Cleo 田中', 'Night Watch'],
    ]);
    expect(await db.count(parseQuery('from:park kind:message'))).toBe(3);
    expect(await db.count(parseQuery('in:"night watch" kind:message'))).toBe(3);
  });

  it('were members as of each message, also where that became known later', async () => {
    const log = new LogWriter();
    const group = (members: readonly TestPerson[]): ViewBody => ({
      kind: 'group',
      state: { group: { members: members.map(({ id }) => id) } },
    });
    log.capture(ANA, group([ANA, BEN]), { chat: HARBOUR, atMs: at(0) });
    log.capture(ANA, message('before cleo'), { by: BEN, chat: HARBOUR, atMs: at(1) });
    log.capture(ANA, message('with cleo'), { by: BEN, chat: HARBOUR, atMs: at(20) });
    log.cut();
    log.capture(ANA, group([ANA, BEN, CLEO]), { chat: HARBOUR, atMs: at(10) });
    // Nobody but these snapshots says who Cleo is.
    log.capture(ANA, message('hello'), { by: CLEO, chat: HARBOUR, atMs: at(30) });
    await using db = await indexed(log);
    expect(await found(db, 'to:cleo kind:message')).toEqual(['with cleo']);
    const [group_] = (await db.conversations()).filter(({ type }) => type === 'group');
    const { lines } = await db.lines(group_?.id ?? 0, { after: null, limit: 50 });
    const members = lines.flatMap(({ line, members: then }) => (line.kind === 'message' ? [then?.length] : []));
    expect(members).toEqual([2, 3, 3]);
  });
});

describe('lines', () => {
  it('stand where they belong when what speaks of them comes first', async () => {
    const log = new LogWriter();
    log.capture(
      ANA,
      { kind: 'receipt', state: 'read', targets: [refTo(BEN, at(3))] },
      { by: CLEO, chat: null, atMs: at(9) },
    );
    log.cut();
    log.capture(
      ANA,
      { kind: 'edit', target: refTo(BEN, at(4)), content: { text: 'third' } },
      { by: BEN, chat: HARBOUR, atMs: at(5) },
    );
    log.cut();
    log.capture(
      ANA,
      { kind: 'edit', target: refTo(BEN, at(3)), content: { text: 'second' } },
      { by: BEN, chat: HARBOUR, atMs: at(4) },
    );
    log.cut();
    log.capture(ANA, message('first'), { by: BEN, chat: HARBOUR, atMs: at(3) });
    await using db = await indexed(log);
    const { hits } = await ask(db, 'kind:message OR kind:never-captured');
    expect(hits).toMatchObject([{ text: 'third', atMs: at(3), edited: true }]);
    const { lines } = await db.lines(hits[0]?.conversation ?? 0, { after: null, limit: 10 });
    expect(lines.map(({ line }) => [line.versions.map(({ content }) => content.text), line.receipts.length])).toEqual([
      [['first', 'second', 'third'], 1],
    ]);
  });

  it('are found by what they were, where the message itself was never captured', async () => {
    const log = new LogWriter();
    log.capture(
      ANA,
      { kind: 'edit', target: refTo(BEN, at(1)), content: { text: 'only this' } },
      { by: BEN, chat: HARBOUR, atMs: at(4) },
    );
    log.capture(
      ANA,
      { kind: 'receipt', state: 'read', targets: [refTo(CLEO, at(2))] },
      { by: BEN, chat: null, atMs: at(5) },
    );
    await using db = await indexed(log);
    expect((await ask(db, 'kind:never-captured')).hits).toMatchObject([{ text: 'only this', edited: true }]);
  });
});

describe('an index built anew', () => {
  it('answers as one that grew, whatever was said in whatever order', async () => {
    const people = fc.constantFrom(ANA, BEN, CLEO);
    const times = fc.nat(6).map(at);
    const bodies = fc.oneof(
      fc.constantFrom('one', 'two', 'berth').map((text) => message(text)),
      fc
        .tuple(people, times)
        .map(([who, when]): ViewBody => ({ kind: 'edit', target: refTo(who, when), content: { text: 'edited' } })),
      fc
        .tuple(people, times)
        .map(([who, when]): ViewBody => ({ kind: 'delete', target: refTo(who, when), by: 'sender' })),
      fc
        .tuple(people, times)
        .map(([who, when]): ViewBody => ({ kind: 'receipt', state: 'read', targets: [refTo(who, when)] })),
      fc.tuple(people, times).map(([who, when]): ViewBody => {
        return { kind: 'reaction', target: refTo({ id: null, number: who.number }, when), emoji: 'x', removed: false };
      }),
      fc.constant<ViewBody>({ kind: 'group', state: { group: { members: [ANA.id, BEN.number] } } }),
      fc.constant<ViewBody>({ kind: 'call', event: 'offer', callId: '1', callType: null }),
    );
    const happening = fc.record({
      owner: fc.constantFrom(ANA, BEN),
      body: bodies,
      by: people,
      chat: fc.constantFrom(HARBOUR, direct(BEN), direct(CLEO), null),
      when: times,
      way: fc.constantFrom('id', 'number', 'both'),
      cut: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(happening, { minLength: 1, maxLength: 25 }), async (all) => {
        const log = new LogWriter();
        for (const { owner, body, by, chat, when, way, cut } of all) {
          const view = viewOf(owner, body, { by, chat, atMs: when });
          log.record(owner, { view: way === 'both' ? view : named(view, way, by), atMs: when });
          if (cut) log.cut();
        }
        log.cut();
        const answers: unknown[] = [];
        for (const step of [1, log.segments.length]) {
          const place = join(root, String((count += 1)));
          await using db = SqliteIndex.openForWriting(place);
          await applyAll(db, log.segments, step);
          answers.push([await everything(db), await ask(db, 'from:ana OR to:ben OR edited:yes OR has:reaction')]);
        }
        expect(answers[0]).toEqual(answers[1]);
      }),
      { numRuns: 60 },
    );
  });

  it('has a line for every record: items in, items out', async () => {
    const log = new LogWriter();
    for (let n = 0; n < 50; n += 1)
      log.capture(n % 2 === 0 ? ANA : BEN, message(`m${n % 9}`), { by: CLEO, chat: HARBOUR, atMs: at(n % 9) });
    log.gap(ANA, { cause: 'restart', scope: 'account', state: 'final' });
    log.record(BEN, { defect: 'does-not-open' });
    await using db = await indexed(log);
    const conversations = await db.conversations();
    const pages = await Promise.all(conversations.map(({ id }) => db.lines(id, { after: null, limit: 1000 })));
    const leaves = pages.flatMap(({ lines }) => lines.flatMap(({ line }) => line.leaves));
    const state = await db.state();
    expect(leaves.toSorted((a, b) => a - b)).toEqual(Array.from({ length: state?.records ?? 0 }, (_, n) => n));
  });
});
