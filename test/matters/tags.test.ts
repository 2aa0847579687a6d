// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Deed } from '../../src/access/act.ts';
import { parseQuery } from '../../src/search/query-parse.ts';
import { SqliteIndex } from '../../src/search/sqlite-index.ts';
import { ANA, applyAll, BEN, found, HARBOUR, message } from '../search/kit.ts';
import { at, BEGUN, did, HOLD, read, tagged, talk } from './kit.ts';

let root: string;
let db: SqliteIndex;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'holdfast-matters-'));
  db = SqliteIndex.openForWriting(join(root, 'index'));
});
afterEach(async () => {
  await db[Symbol.asyncDispose]();
  rmSync(root, { recursive: true, force: true });
});

describe('tags', () => {
  it('on a message, a range and a conversation are found by tag and by matter', async () => {
    const { log, leaves } = talk();
    did(log, BEGUN);
    did(log, tagged('responsive', { what: 'message', leaf: leaves[0] as number }));
    did(log, tagged('privileged', { what: 'range', from: leaves[1] as number, to: leaves[2] as number }));
    did(log, tagged('issue-7', { what: 'conversation', leaf: leaves[4] as number }));
    await read(db, log);
    expect(await found(db, 'tag:responsive')).toEqual(['alpha seal']);
    expect(await found(db, 'tag:Privileged')).toEqual(['charlie', 'bravo seal']);
    expect(await found(db, 'tag:issue-7')).toEqual(['echo seal']);
    expect((await found(db, 'matter:"harbour case" seal')).toSorted()).toEqual([
      'alpha seal',
      'bravo seal',
      'echo seal',
    ]);
    expect(await found(db, 'seal -tag:privileged')).toEqual(['echo seal', 'alpha seal']);
    expect(await found(db, 'tag:responsive OR tag:issue-7')).toEqual(['echo seal', 'alpha seal']);
    expect(
      (await db.search({ text: '', root: { op: 'matter', value: 'none' } }, { order: 'newest', limit: 5, after: null }))
        .unmatched,
    ).toEqual(['matter:none']);
  });

  it('taken off are gone, and the later word counts in whatever order the words come', async () => {
    const { log, leaves } = talk();
    did(log, BEGUN);
    const target = { what: 'message', leaf: leaves[3] as number } as const;
    did(log, tagged('issue', target, false), at(60));
    did(log, tagged('issue', target, true), at(59));
    did(log, tagged('responsive', target, true), at(61));
    await read(db, log);
    expect(await found(db, 'tag:issue')).toEqual([]);
    expect(await found(db, 'tag:responsive')).toEqual(['delta']);
    expect(db.acts.matters()[0]?.tags.map(({ tag }) => tag)).toEqual(['responsive']);
  });

  it('of a conversation leave out the message that was taken out of it, until the whole is tagged anew', async () => {
    const { log, leaves } = talk();
    const [alpha, bravo, charlie, delta] = leaves as [number, number, number, number];
    const whole = { what: 'conversation', leaf: alpha } as const;
    const one = { what: 'message', leaf: bravo } as const;
    did(log, BEGUN);
    did(log, tagged('privileged', whole), at(60));
    did(log, tagged('privileged', one, false), at(61));
    did(log, { ...tagged('privileged', one, false), matter: HOLD } as Deed, at(70));
    await read(db, log);
    expect(await found(db, 'tag:privileged')).toEqual(['delta', 'charlie', 'alpha seal']);
    expect(await found(db, 'matter:"harbour case" bravo')).toEqual([]);
    expect(await db.count(parseQuery('tag:privileged'))).toBe(3);
    log.capture(ANA, message('golf'), { by: BEN, chat: HARBOUR, atMs: at(5) });
    did(log, tagged('privileged', { what: 'range', from: charlie, to: delta }, false), at(62));
    await read(db, log);
    expect(await found(db, 'tag:privileged')).toEqual(['golf', 'alpha seal']);
    did(log, tagged('privileged', one), at(63));
    await read(db, log);
    expect(await found(db, 'tag:privileged')).toEqual(['golf', 'bravo seal', 'alpha seal']);
    // Taken off as a whole: what was tagged by itself before that is off as well.
    did(log, tagged('privileged', whole, false), at(64));
    await read(db, log);
    expect(await found(db, 'tag:privileged')).toEqual([]);
    did(log, tagged('privileged', whole), at(65));
    await read(db, log);
    expect(await db.count(parseQuery('tag:privileged'))).toBe(5);
  });

  it('in one matter say nothing of the same tag in another', async () => {
    const { log, leaves } = talk();
    const one = { what: 'message', leaf: leaves[0] as number } as const;
    did(log, tagged('issue', one), at(60));
    did(log, { ...tagged('issue', one, false), matter: HOLD } as Deed, at(61));
    await read(db, log);
    expect(await found(db, 'tag:issue')).toEqual(['alpha seal']);
  });

  it('mean the same message in an index that was built anew, however its acts were cut into segments', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(5), { minLength: 1, maxLength: 12 }), fc.nat(6), async (picks, step) => {
        const { log, leaves } = talk();
        did(log, BEGUN);
        picks.forEach((pick, n) => {
          did(
            log,
            tagged(
              ['responsive', 'issue'][n % 2] as string,
              { what: 'message', leaf: leaves[pick] as number },
              n % 3 !== 2,
            ),
          );
          log.cut();
        });
        const answers = [];
        for (const chunk of [1 + step, 1000]) {
          const fresh = SqliteIndex.openForWriting(join(root, 'again'), { rebuild: true });
          await applyAll(fresh, log.cut().segments, chunk);
          answers.push([fresh.acts.matters(), await found(fresh, 'tag:issue'), await found(fresh, 'tag:responsive')]);
          await fresh[Symbol.asyncDispose]();
        }
        expect(answers[0]).toEqual(answers[1]);
      }),
      { numRuns: 15 },
    );
  });
});
