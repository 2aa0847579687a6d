// SPDX-License-Identifier: AGPL-3.0-or-later
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { IndexDb } from '../../src/search/index-db.ts';
import { parseQuery } from '../../src/search/query-parse.ts';
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
  ORIGIN,
  positionAt,
  refTo,
} from './kit.ts';

/** Where one implementation of {@link IndexDb} keeps its data; a fresh place for every test. */
export interface IndexSubject {
  openForWriting(): Promise<IndexDb>;
  openForReading(): Promise<IndexDb>;
  clear(): Promise<void>;
}

const at = (minutes: number): number => MONDAY_MS + minutes * MINUTE_MS;

/** A small office: two accounts that share a group, a direct conversation, and everything that can happen to a message. */
export function office(): LogWriter {
  const log = new LogWriter();
  log.capture(ANA, message('the seal of container 4471 is broken'), { by: BEN, chat: HARBOUR, atMs: at(1) });
  log.capture(BEN, message('the seal of container 4471 is broken'), { by: BEN, chat: HARBOUR, atMs: at(1) });
  log.cut();
  log.capture(ANA, message('put it in the report'), { by: ANA, chat: HARBOUR, atMs: at(2) });
  const edit = {
    kind: 'edit',
    target: refTo(BEN, at(1)),
    content: { text: 'the seal of container 4472 is broken' },
  } as const;
  log.capture(ANA, edit, { by: BEN, chat: HARBOUR, atMs: at(3) });
  log.capture(BEN, edit, { by: BEN, chat: HARBOUR, atMs: at(3) });
  log.cut();
  log.capture(ANA, message('leave it out'), { by: CLEO, chat: direct(CLEO), atMs: at(4) });
  log.capture(
    ANA,
    { kind: 'delete', target: refTo(CLEO, at(4)), by: 'sender' },
    { by: CLEO, chat: direct(CLEO), atMs: at(5) },
  );
  const file = { id: 'f1', contentType: 'image/jpeg', fileName: 'gate-3.jpg', size: 10, place: 'attachment' } as const;
  log.capture(ANA, message('検査は木曜日です', { attachments: [file] }), { by: CLEO, chat: HARBOUR, atMs: at(6) });
  log.capture(
    ANA,
    { kind: 'reaction', target: refTo(CLEO, at(6)), emoji: '👍', removed: false },
    { by: BEN, chat: HARBOUR, atMs: at(7) },
  );
  log.gap(ANA, { cause: 'backend-outage', scope: 'account', state: 'open', from: '2026-11-16T09:08:00Z' });
  log.capture(ANA, { kind: 'unknown', reason: 'a kind of tomorrow' }, { by: BEN, chat: HARBOUR, atMs: at(9) });
  return log.cut();
}

export function indexContract(name: string, subject: () => IndexSubject): void {
  describe(`${name} as an index`, () => {
    let db: IndexDb;
    beforeEach(async () => {
      db = await subject().openForWriting();
    });
    afterEach(async () => {
      await db[Symbol.asyncDispose]();
      await subject().clear();
    });

    it('says nothing of itself before it was written to', async () => {
      expect(await db.state()).toBeNull();
      await expect(ask(db, '')).rejects.toMatchObject({ code: 'search/index-missing' });
    });

    it('says with every answer up to which checkpoint it is complete', async () => {
      const { segments } = office();
      await applyAll(db, segments.slice(0, 2));
      expect((await ask(db, 'broken')).state.position.size).toBe(segments[1]?.end);
      await db.apply(segments.slice(2), positionAt(segments.at(-1)?.end ?? 0));
      const { state } = await ask(db, 'broken');
      expect(state).toMatchObject({ position: { size: segments.at(-1)?.end, origin: ORIGIN }, unreadable: 0 });
    });

    it('refuses segments that do not follow, and those of another log, and is as before', async () => {
      const { segments } = office();
      await applyAll(db, segments.slice(0, 1));
      const refusal = { code: 'search/index-order' };
      await expect(db.apply(segments.slice(2), positionAt(99))).rejects.toMatchObject(refusal);
      await expect(db.apply(segments.slice(0, 1), positionAt(segments[0]?.end ?? 0))).rejects.toMatchObject(refusal);
      const other = positionAt(segments[1]?.end ?? 0, 'other.example/log');
      await expect(db.apply(segments.slice(1, 2), other)).rejects.toMatchObject(refusal);
      expect((await db.state())?.position.size).toBe(segments[0]?.end);
      await applyAll(db, segments.slice(1));
      expect(await db.count(parseQuery('report'))).toBe(1);
    });

    it('answers the same whether segments came one by one or all at once', async () => {
      const { segments } = office();
      await applyAll(db, segments, 1);
      const apart = await everything(db);
      await db[Symbol.asyncDispose]();
      await subject().clear();
      db = await subject().openForWriting();
      await applyAll(db, segments);
      expect(await everything(db)).toEqual(apart);
    });

    it('keeps what was taken in for the next process', async () => {
      await applyAll(db, office().segments);
      await db[Symbol.asyncDispose]();
      db = await subject().openForReading();
      expect(await found(db, 'report')).toEqual(['put it in the report']);
    });

    it('shows a reading process each step whole, while it is open', async () => {
      const { segments } = office();
      await applyAll(db, segments.slice(0, 1));
      await using reading = await subject().openForReading();
      expect(await found(reading, 'report')).toEqual([]);
      await applyAll(db, segments.slice(1));
      expect(await found(reading, 'report')).toEqual(['put it in the report']);
    });

    it('folds the same message from two accounts, and an edit into what it edits', async () => {
      await applyAll(db, office().segments);
      const { hits } = await ask(db, 'container');
      expect(hits).toMatchObject([
        { text: 'the seal of container 4472 is broken', copies: 2, edited: true, deleted: false },
      ]);
      // What was first written is found as well.
      expect(await db.count(parseQuery('4471'))).toBe(1);
    });

    const CASES: readonly [query: string, texts: readonly string[]][] = [
      ['seal broken', ['the seal of container 4472 is broken']],
      ['"broken seal"', []],
      ['"seal of container"', ['the seal of container 4472 is broken']],
      ['repo*', ['put it in the report']],
      ['report OR leave', ['leave it out', 'put it in the report']],
      ['it -report', ['leave it out']],
      ['(report OR leave) from:Cleo', ['leave it out']],
      ['from:ben kind:message', ['the seal of container 4472 is broken']],
      ['from:angstrom kind:message', ['the seal of container 4472 is broken']],
      [`from:${CLEO.number} it`, ['leave it out']],
      ['to:ana leave', ['leave it out']],
      ['custodian:ben', ['the seal of container 4472 is broken', '']],
      ['in:"harbour watch" report', ['put it in the report']],
      ['in:cleo kind:message', ['leave it out']],
      ['木曜', ['検査は木曜日です\ngate-3.jpg']],
      ['検', ['検査は木曜日です\ngate-3.jpg']],
      ['gate-3.jpg', ['検査は木曜日です\ngate-3.jpg']],
      ['has:image', ['検査は木曜日です\ngate-3.jpg']],
      ['has:reaction', ['検査は木曜日です\ngate-3.jpg']],
      ['has:missing-file', ['検査は木曜日です\ngate-3.jpg']],
      ['edited:yes', ['the seal of container 4472 is broken']],
      ['deleted:yes', ['leave it out']],
      ['kind:gap', ['backend-outage']],
      ['kind:unknown', ['a kind of tomorrow']],
      ['app:whatsapp', []],
      ['it on:2026-11-16', ['leave it out', 'put it in the report']],
      ['it before:2026-11-16T09:04', ['put it in the report']],
      ['it after:2026-11-16T09:02', ['leave it out']],
      ['it on:2026-11-15', []],
      ['report OR (it after:2026-11-16T09:03)', ['leave it out', 'put it in the report']],
      ['kind:message -(on:2026-11-16T09:04 OR seal OR 検査)', ['put it in the report']],
    ];
    it.each(CASES)('finds by %s', async (query, texts) => {
      await applyAll(db, office().segments);
      expect(await found(db, query)).toEqual(texts);
      expect(await db.count(parseQuery(query))).toBe(texts.length);
    });

    it('names the names in a query that nobody bears', async () => {
      await applyAll(db, office().segments);
      expect((await ask(db, 'from:nobody OR in:nowhere')).unmatched).toEqual(['from:nobody', 'in:nowhere']);
    });

    it('gives pages by time that stay in step while the index grows', async () => {
      const log = new LogWriter();
      for (let n = 0; n < 7; n += 1) log.capture(ANA, message(`report ${n}`), { by: BEN, chat: HARBOUR, atMs: at(n) });
      log.cut();
      log.capture(ANA, message('report late'), { by: BEN, chat: HARBOUR, atMs: at(99) });
      log.cut();
      await applyAll(db, log.segments.slice(0, 1));
      const first = await ask(db, 'report', { limit: 3 });
      await applyAll(db, log.segments.slice(1));
      const second = await ask(db, 'report', { limit: 3, after: first.next });
      const third = await ask(db, 'report', { limit: 3, after: second.next });
      const texts = [first, second, third].flatMap(({ hits }) => hits.map(({ text }) => text));
      expect(texts).toEqual([6, 5, 4, 3, 2, 1, 0].map((n) => `report ${n}`));
      expect(third.next).toBeNull();
      expect((await ask(db, 'report', { order: 'oldest', limit: 2 })).hits.map(({ text }) => text)).toEqual([
        'report 0',
        'report 1',
      ]);
    });

    it('refuses a page by relevance once the index has grown, and a mark it never gave', async () => {
      const { segments } = office();
      await applyAll(db, segments.slice(0, 2));
      const first = await ask(db, 'seal OR report', { order: 'relevance', limit: 1 });
      expect(first.next).not.toBeNull();
      expect((await ask(db, 'seal OR report', { order: 'relevance', limit: 1, after: first.next })).hits).toHaveLength(
        1,
      );
      await applyAll(db, segments.slice(2));
      const refusal = { code: 'search/page' };
      await expect(
        ask(db, 'seal OR report', { order: 'relevance', limit: 1, after: first.next }),
      ).rejects.toMatchObject(refusal);
      await expect(ask(db, 'seal', { order: 'relevance', after: 'x' })).rejects.toMatchObject(refusal);
      await expect(ask(db, 'seal', { after: 'x' })).rejects.toMatchObject(refusal);
    });

    it('lists gaps as rows, closed ones with their end', async () => {
      const log = new LogWriter();
      const open = log.gap(ANA, { cause: 'unlinked', scope: 'account', state: 'open', from: '2026-11-16T10:00:00Z' });
      log.gap(ANA, {
        cause: 'unlinked',
        scope: 'account',
        state: 'closed',
        to: '2026-11-16T11:00:00Z',
        ref: log.idOf(open),
      });
      log.gap(BEN, { cause: 'restart', scope: 'account', state: 'open', from: '2026-11-16T12:00:00Z' });
      await applyAll(db, log.cut().segments);
      expect(await db.gaps(null)).toMatchObject([
        {
          cause: 'unlinked',
          state: 'closed',
          sinceMs: Date.UTC(2026, 10, 16, 10),
          untilMs: Date.UTC(2026, 10, 16, 11),
        },
        { cause: 'restart', state: 'open', untilMs: null },
      ]);
    });

    it('counts what a query finds by what it is: each list adds up to all of it', async () => {
      await applyAll(db, office().segments);
      const request = { zone: 'UTC', span: 'month', most: 10 } as const;
      const facets = await db.facets(parseQuery(''), request);
      expect(facets.total).toBe(await db.count(parseQuery('')));
      const sum = (counts: readonly { count: number }[]): number => counts.reduce((all, { count }) => all + count, 0);
      for (const list of [facets.kinds, facets.apps, facets.conversations.counts, facets.times]) {
        expect(sum(list)).toBe(facets.total);
      }
      for (const { value, count } of facets.kinds) {
        expect([value, await db.count(parseQuery(`kind:${value}`))]).toEqual([value, count]);
      }
      for (const { value, count } of facets.conversations.counts) {
        expect([value.title, await db.count(parseQuery(`in:#${value.id}`))]).toEqual([value.title, count]);
      }
      expect(facets.state.position.size).toBe((await db.state())?.position.size);
      const { authors, unmatched } = await db.facets(parseQuery('seal in:nobody OR seal'), request);
      expect(authors.counts).toMatchObject([{ value: { name: BEN.name }, count: 1 }]);
      expect(unmatched).toEqual(['in:nobody']);
      const few = await db.facets(parseQuery(''), { ...request, most: 1 });
      expect([few.conversations.counts.length, few.conversations.others]).toEqual([
        1,
        facets.conversations.counts.length - 1,
      ]);
    });

    it('counts days as clocks of the zone asked for show them', async () => {
      const log = new LogWriter();
      const midnight = Date.UTC(2026, 10, 17);
      for (const atMs of [midnight - 1000, midnight, midnight + 4 * 3_600_000, midnight + 6 * 3_600_000]) {
        log.capture(ANA, message('x'), { by: BEN, chat: HARBOUR, atMs });
      }
      await applyAll(db, log.cut().segments);
      const times = async (zone: string, span: 'day' | 'month'): Promise<unknown> =>
        (await db.facets(parseQuery('x'), { zone, span, most: 1 })).times.map(({ value, count }) => [value, count]);
      expect(await times('UTC', 'day')).toEqual([
        ['2026-11-16', 1],
        ['2026-11-17', 3],
      ]);
      expect(await times('America/New_York', 'day')).toEqual([
        ['2026-11-16', 3],
        ['2026-11-17', 1],
      ]);
      expect(await times('Asia/Kathmandu', 'month')).toEqual([['2026-11', 4]]);
      expect(await times('Pacific/Kiritimati', 'day')).toEqual([['2026-11-17', 4]]);
      await expect(times('Nowhere/Land', 'day')).rejects.toMatchObject({ code: 'search/query' });
    });

    it('has no lines of a conversation that is not there', async () => {
      await applyAll(db, office().segments);
      await expect(db.lines(9999, { after: null, limit: 10 })).rejects.toMatchObject({ code: 'search/not-found' });
    });
  });
}

/** All that an index can be asked, to compare two of them. */
export async function everything(db: IndexDb): Promise<unknown> {
  const conversations = await db.conversations();
  const pages = await Promise.all(
    conversations.map(async ({ id }) => (await db.lines(id, { after: null, limit: 1000 })).lines),
  );
  const { hits } = await ask(db, '', { limit: 1000 });
  return { conversations, pages, hits, gaps: await db.gaps(null), state: await db.state() };
}
