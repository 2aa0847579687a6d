// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import type { IndexDb } from '../../src/search/index-db.ts';
import { parseQuery } from '../../src/search/query-parse.ts';
import type { IndexSnapshot } from '../../src/search/snapshot.ts';
import {
  ANA,
  applyAll,
  BEN,
  CLEO,
  HARBOUR,
  LogWriter,
  message,
  MINUTE_MS,
  MONDAY_MS,
  positionAt,
  refTo,
} from './kit.ts';

export interface SnapshotSubject {
  readonly db: IndexDb;
  snapshot(): IndexSnapshot;
}

function talk(): LogWriter {
  const log = new LogWriter();
  const at = (minutes: number): { by: typeof BEN; chat: typeof HARBOUR; atMs: number } => ({
    by: BEN,
    chat: HARBOUR,
    atMs: MONDAY_MS + minutes * MINUTE_MS,
  });
  log.capture(ANA, { kind: 'group', state: { members: [ANA, BEN] } }, { chat: HARBOUR, atMs: MONDAY_MS });
  log.capture(ANA, message('first'), at(2));
  log.capture(BEN, message('first'), at(2));
  // Captured later, said earlier.
  log.capture(ANA, message('before it'), at(1));
  log.gap(ANA, { cause: 'unlinked', scope: 'account', state: 'open' });
  return log.cut();
}

/** What every implementation of {@link IndexSnapshot} must hold. */
export function snapshotContract(make: () => Promise<SnapshotSubject & AsyncDisposable>): void {
  describe('a snapshot of an index', () => {
    it('is of one state, whatever is taken in meanwhile', async () => {
      await using subject = await make();
      const log = talk();
      await applyAll(subject.db, log.segments);
      await using snapshot = subject.snapshot();
      const [conversation = 0] = await snapshot.conversationsCalled('Harbour Watch');
      const before = await snapshot.outline(conversation);
      const content = { text: 'changed' };
      const target = refTo(BEN, MONDAY_MS + 2 * MINUTE_MS);
      log.capture(ANA, { kind: 'edit', target, content }, { by: BEN, chat: HARBOUR, atMs: MONDAY_MS + 3 * MINUTE_MS });
      log.capture(ANA, message('after'), { by: CLEO, chat: HARBOUR, atMs: MONDAY_MS + 4 * MINUTE_MS });
      const [, later] = log.cut().segments;
      await subject.db.apply(later === undefined ? [] : [later], positionAt(later?.end ?? 0));
      expect((await subject.db.state())?.position.size).toBeGreaterThan(snapshot.state.position.size);
      expect(await snapshot.outline(conversation)).toEqual(before);
      const lines = await snapshot.lines(
        conversation,
        before.map(({ id }) => id),
      );
      expect(lines.map(({ shown }) => shown.line.versions.length)).toEqual([0, 1, 1]);
      expect((await snapshot.matching(parseQuery('changed OR after'))).lines).toEqual([]);
      await using anew = subject.snapshot();
      expect((await anew.matching(parseQuery('changed OR after'))).lines.length).toBe(2);
    });

    it('gives lines by time, with all their records, and finds them by any record', async () => {
      await using subject = await make();
      const log = talk();
      await applyAll(subject.db, log.segments);
      await using snapshot = subject.snapshot();
      const [conversation = 0] = await snapshot.conversationsCalled('Harbour Watch');
      const outline = await snapshot.outline(conversation);
      expect(outline.map(({ kind, atMs }) => [kind, (atMs - MONDAY_MS) / MINUTE_MS])).toEqual([
        ['group', 0],
        ['message', 1],
        ['message', 2],
      ]);
      const ids = outline.map(({ id }) => id).toReversed();
      const [first] = await snapshot.lines(conversation, ids);
      expect(first?.shown).toEqual((await subject.db.lines(conversation, { after: null, limit: 10 })).lines.at(-1));
      expect(first?.records.map(({ id }) => id).length).toBe(2);
      const copy = first?.records[1]?.id ?? '';
      const found = await snapshot.ofRecords(new Set([copy, 'f'.repeat(64)]));
      expect([...found]).toEqual([[copy, { line: ids[0], conversation }]]);
      expect(await snapshot.gaps([conversation])).toEqual(await subject.db.gaps(conversation));
      expect(await snapshot.conversation(9999)).toBe(null);
    });
  });
}
