// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { ViewBody } from '../../src/record/message.ts';
import { describeLine } from '../../src/search/describe.ts';
import { parseQuery } from '../../src/search/query-parse.ts';
import { asView } from '../../src/search/view-form.ts';
import { SqliteIndex } from '../../src/search/sqlite-index.ts';
import { ANA, applyAll, ask, BEN, found, HARBOUR, LogWriter, message, MONDAY_MS, viewOf } from './kit.ts';

const root = mkdtempSync(join(tmpdir(), 'holdfast-hostile-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let count = 0;

async function indexed(log: LogWriter): Promise<SqliteIndex> {
  const db = SqliteIndex.openForWriting(join(root, String((count += 1))));
  await applyAll(db, log.cut().segments);
  return db;
}

async function printed(db: SqliteIndex): Promise<string> {
  const lines: string[] = [];
  for (const { id } of await db.conversations()) {
    for (const shown of (await db.lines(id, { after: null, limit: 1000 })).lines) {
      const { who, said, below } = describeLine(shown);
      lines.push(who, ...said, ...below);
    }
  }
  return lines.join('\n');
}

const TEXTS = [
  '<script>alert(1)</script>',
  '=HYPERLINK("http://x","y")',
  '\u202Egnp.exe\u202C',
  '\u001B[2J\u001B]0;owned\u0007',
  '../../etc/passwd',
  'a'.repeat(2_000_000),
  `e${'\u0301'.repeat(1_000_000)}`,
  '\u0000\uFFFE\uD800 half',
  'meta : "all" OR text',
  '"; DROP TABLE line; --',
];

/** A member that its kind does not have, of another shape than where it belongs. */
const STRANGER = {
  kind: 'reaction' as const,
  app: 'signal' as const,
  direction: 'in' as const,
  account: { id: null, number: BEN.number },
  sender: null,
  chat: null,
  sentAtMs: null,
  serverAtMs: null,
  target: { author: { id: null, number: BEN.number }, sentAtMs: 0 },
  targets: null,
  emoji: '',
  removed: false,
};

describe('hostile content', () => {
  it('is found, and is printed without anything that acts', async () => {
    const log = new LogWriter();
    TEXTS.forEach((text, n) => {
      const file = {
        id: text,
        contentType: text,
        fileName: text,
        size: -1,
        caption: text,
        place: 'attachment',
      } as const;
      const by = { ...BEN, name: text.slice(0, 50) };
      log.capture(ANA, message(`marker${n} ${text}`, { attachments: [file] }), {
        by,
        chat: { ...HARBOUR, name: text.slice(0, 50) },
        atMs: MONDAY_MS + n,
      });
    });
    await using db = await indexed(log);
    for (const [n] of TEXTS.entries()) expect(await db.count(parseQuery(`marker${n}`))).toBe(1);
    const text = await printed(db);
    expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u202A-\u202E\u2066-\u2069]/u);
    expect(text).toContain('[U+202E]');
    expect(text).toContain('[U+001B]');
    expect(/\p{M}{6,}/u.test(text)).toBe(false);
  });

  it('cannot stand at a time it chose', async () => {
    const log = new LogWriter();
    [0, -1, 1e15, 8.64e15 + 1, Number.MAX_SAFE_INTEGER, MONDAY_MS + 1e12].forEach((sentAtMs, n) => {
      const view = viewOf(ANA, message(`odd ${n}`), { by: BEN, chat: HARBOUR });
      log.record(ANA, { view: { ...view, sentAtMs, serverAtMs: n % 2 === 0 ? null : sentAtMs } });
    });
    await using db = await indexed(log);
    const { hits } = await ask(db, 'odd on:2026-11-16');
    expect(hits.map(({ atMs }) => atMs)).toEqual(Array(6).fill(MONDAY_MS));
    await printed(db);
  });

  it('of any shape that is sealed as a view is a line, not an end', async () => {
    const json = fc.jsonValue({ maxDepth: 3 });
    const kinds = fc.constantFrom(
      'message',
      'edit',
      'delete',
      'reaction',
      'receipt',
      'poll-vote',
      'group',
      'group-update',
      'contacts',
      'call',
      'gap',
      'attachment',
      'timer',
      'nonsense',
    );
    const party = fc.oneof(
      json,
      fc.record({ id: fc.oneof(fc.string(), fc.constant(null)), number: fc.constantFrom(BEN.number, null) }),
    );
    const ref = fc.oneof(
      json,
      fc.record({ author: party, sentAtMs: fc.oneof(fc.maxSafeInteger(), fc.constant(null)) }),
    );
    const content = fc.oneof(
      json,
      fc.record(
        { text: fc.oneof(fc.string({ unit: 'binary' }), fc.constant(null)), quote: ref, contacts: fc.array(json) },
        { requiredKeys: ['text'] },
      ),
    );
    const times = fc.oneof(json, fc.double({ noNaN: true, noDefaultInfinity: true }), fc.constant(null));
    const chats = fc.oneof(
      json,
      fc.constant(null),
      fc.record({
        type: fc.constantFrom('direct', 'group', 'self', 'x'),
        id: fc.oneof(fc.string(), fc.constant(null)),
      }),
    );
    const views = fc.record(
      {
        kind: kinds,
        content,
        target: ref,
        targets: fc.oneof(json, fc.array(ref)),
        state: json,
        changes: json,
        chat: chats,
        sender: fc.oneof(party, fc.constant(null)),
        account: party,
        sentAtMs: times,
        serverAtMs: times,
        attachment: json,
        object: json,
        options: json,
        count: json,
        emoji: fc.string(),
        removed: fc.boolean(),
        by: fc.string(),
        direction: fc.constantFrom('in', 'none'),
        app: fc.constant('signal'),
        id: json,
      },
      { requiredKeys: ['kind', 'app', 'direction', 'account', 'sender', 'chat', 'sentAtMs', 'serverAtMs'] },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(views, { minLength: 1, maxLength: 5 }), async (all) => {
        const log = new LogWriter();
        for (const one of all) {
          const view = asView(one);
          log.record(ANA, view === null ? { defect: 'no-view' } : { view });
        }
        log.capture(ANA, message('sound'), { by: BEN, chat: HARBOUR });
        await using db = await indexed(log);
        expect(await found(db, 'sound from:ben')).toEqual(['sound']);
        expect((await db.state())?.records).toBe(all.length + 2);
        await printed(db);
      }),
      { numRuns: 150, examples: [[[STRANGER]]] },
    );
  });

  it('of a kind of tomorrow is a line that says so', async () => {
    const log = new LogWriter();
    log.capture(ANA, { kind: 'hologram', beam: 1 } as unknown as ViewBody, { by: BEN, chat: HARBOUR });
    await using db = await indexed(log);
    expect(await printed(db)).toContain('(hologram)');
  });
});
