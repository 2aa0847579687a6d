// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Deed } from '../../src/access/act.ts';
import { directoryDeeds } from '../../src/matters/directory-csv.ts';
import { matterId } from '../../src/matters/find-matter.ts';
import { targetsOf } from '../../src/matters/targets.ts';
import { termReport, termReportCsv, type TermCounter } from '../../src/matters/term-report.ts';
import { parseQuery } from '../../src/search/query-parse.ts';
import { SqliteIndex } from '../../src/search/sqlite-index.ts';
import { ANA, applyAll, BEN, found, HARBOUR, LogWriter, message, viewOf } from '../search/kit.ts';
import { act, at, BEGUN, did, HOLD, MATTER, read, talk } from './kit.ts';

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

describe('a matter', () => {
  it('collects custodians, searches, notes and holds, and is found by name or id', async () => {
    const { log, leaves } = talk();
    did(log, BEGUN);
    did(log, { act: 'custodian', matter: MATTER, custodian: 'Ana Ruiz', on: true });
    did(log, { act: 'custodian', matter: MATTER, custodian: 'Gone', on: true });
    did(log, { act: 'custodian', matter: MATTER, custodian: 'gone', on: false });
    did(log, { act: 'saved-search', matter: MATTER, name: 'Seals', query: 'seal' });
    did(log, {
      act: 'note',
      matter: MATTER,
      text: 'ask counsel',
      target: { what: 'message', leaf: leaves[0] as number },
    });
    did(log, { act: 'hold', hold: HOLD, matter: MATTER, scope: { by: 'search', query: 'saved:seals' } });
    did(log, { ...BEGUN, state: 'closed' } as Deed);
    await read(db, log);
    expect(db.acts.matters()).toMatchObject([
      {
        name: 'Harbour Case',
        state: 'closed',
        custodians: ['Ana Ruiz'],
        searches: [{ name: 'Seals', query: 'seal' }],
        notes: [{ text: 'ask counsel', user: 'ines' }],
        holds: [{ hold: HOLD, scope: { by: 'search', query: 'saved:seals' } }],
      },
    ]);
    expect([matterId(db.acts, 'hárbour case'), matterId(db.acts, MATTER.slice(0, 8))]).toEqual([MATTER, MATTER]);
    expect(() => matterId(db.acts, 'another')).toThrow(/matters\/not-found/);
    expect((await found(db, 'saved:seals')).length).toBe(3);
  });

  it('whose saved search names itself comes to nothing, and hangs nowhere', async () => {
    const { log } = talk();
    did(log, BEGUN);
    did(log, { act: 'saved-search', matter: MATTER, name: 'loop', query: 'saved:loop OR alpha' });
    await read(db, log);
    expect(await found(db, 'saved:loop')).toEqual(['alpha seal']);
  });

  it('counts what each search finds: in all, by itself, and in how many conversations; by custodian', async () => {
    const { log } = talk();
    await read(db, log);
    const counter: TermCounter = { count: (one) => db.count(one), families: async (one) => db.acts.families(one) };
    const terms = [
      { name: 'seals', query: 'seal' },
      { name: '=alpha', query: 'alpha' },
    ];
    const counts = await termReport(counter, terms, [BEN.number]);
    expect(counts).toEqual([
      { term: 'seals', custodian: null, hits: 3, unique: 2, families: 2 },
      { term: 'seals', custodian: BEN.number, hits: 0, unique: 0, families: 0 },
      { term: '=alpha', custodian: null, hits: 1, unique: 0, families: 1 },
      { term: '=alpha', custodian: BEN.number, hits: 0, unique: 0, families: 0 },
    ]);
    const csv = termReportCsv(counts);
    expect(csv.split('\r\n')[0]).toBe('term,custodian,hits,unique,families');
    expect(csv).toContain("'=alpha");
    expect(csv).not.toMatch(/(?:^|,)[=+]/m);
  });

  it('takes only what is in the archive for a target', async () => {
    const { log, leaves } = talk();
    await read(db, log);
    const nothing = { leaf: [], range: [], conversation: [] };
    expect(await targetsOf(db, { ...nothing, leaf: [String(leaves[1])], conversation: ['harbour watch'] })).toEqual([
      { what: 'message', leaf: leaves[1] },
      { what: 'conversation', leaf: leaves[0] },
    ]);
    expect(await targetsOf(db, { ...nothing, search: 'seal' })).toHaveLength(3);
    for (const leaf of ['999', '-1', '1e3', "1' OR 1", '']) {
      await expect(targetsOf(db, { ...nothing, leaf: [leaf] })).rejects.toThrow(/matters\/target/);
    }
  });
});

describe('the directory', () => {
  const rows = [
    { identifier: ANA.number, custodian: 'Jones, Field Office', fromMs: null, toMs: at(2) - 1 },
    { identifier: ANA.number, custodian: 'Smith', fromMs: at(2), toMs: null },
  ];

  it('tells whose an account was at the time of each message', async () => {
    const { log } = talk();
    for (const deed of directoryDeeds(rows)) did(log, deed);
    await read(db, log);
    expect(await found(db, 'custodian:jones kind:message')).toEqual(['bravo seal', 'alpha seal']);
    expect(await found(db, 'custodian:smith seal')).toEqual(['echo seal']);
    expect(await found(db, 'custodian:"field office" -alpha kind:message')).toEqual(['bravo seal']);
    const [harbour] = await db.conversationsCalled('harbour watch');
    const { lines } = await db.lines(harbour as number, { after: null, limit: 10 });
    expect(lines.map(({ custodians }) => custodians)).toEqual([
      ['Jones, Field Office'],
      ['Jones, Field Office'],
      ['Smith'],
      ['Smith'],
    ]);
  });

  it('is in force once all of it is there, and the newest whole one counts', async () => {
    const { log } = talk();
    const many = Array.from({ length: 150 }, (_, n) => ({
      identifier: `+1${n}`,
      custodian: `c${n}`,
      fromMs: null,
      toMs: null,
    }));
    const parts = directoryDeeds(many);
    for (const deed of directoryDeeds(rows)) did(log, deed);
    did(log, parts[1] as Deed);
    await read(db, log);
    expect(db.acts.directory()?.rows).toEqual(rows);
    did(log, parts[0] as Deed);
    const next = log.cut().segments.at(-1);
    await db.apply(next === undefined ? [] : [next], {
      origin: 'archive.example/log',
      size: next?.end ?? 0,
      edge: [],
      manifests: [],
      at: '',
    });
    expect(db.acts.directory()?.rows).toEqual(many);
  });
});

describe('what a hold keeps', () => {
  it('is every pack and every file of the lines it covers, and none of others', async () => {
    const log = new LogWriter();
    const [mine, yours] = ['1', '2'].map((digit) => digit.repeat(64)) as [string, string];
    log.record(ANA, {
      view: viewOf(ANA, message('mine'), { by: ANA, chat: HARBOUR }),
      objects: [mine, 'a'.repeat(64)],
    });
    const first = log.cut().segments[0]?.end ?? 0;
    log.record(BEN, { view: viewOf(BEN, message('yours'), { by: BEN, chat: HARBOUR, atMs: at(1) }), objects: [yours] });
    const [one, two] = log.cut().segments;
    const packed = [
      { ...one, packs: [{ hash: mine, first: 0, end: first }] },
      { ...two, packs: [{ hash: yours, first, end: two?.end ?? 0 }] },
    ] as Parameters<typeof applyAll>[1];
    await applyAll(db, packed);
    expect(db.acts.kept({ by: 'search', query: 'mine' })).toEqual({
      packs: [mine],
      media: [mine, 'a'.repeat(64)],
      lines: 1,
    });
    expect(db.acts.kept({ by: 'search', query: 'mine OR yours' }).packs).toEqual([mine, yours]);
    expect(db.acts.kept({ by: 'custodian', custodian: BEN.number })).toMatchObject({ media: [yours] });
    const [hit] = (await db.search(parseQuery('yours'), { order: 'newest', limit: 1, after: null })).hits;
    expect(db.acts.kept({ by: 'record', leaf: hit?.leaf ?? -1 })).toEqual({ packs: [yours], media: [yours], lines: 1 });
    expect(db.acts.kept({ by: 'conversation', leaf: hit?.leaf ?? -1 })).toMatchObject({
      packs: [mine, yours],
      lines: 2,
    });
    expect(db.acts.kept({ by: 'record', leaf: 999 })).toEqual({ packs: [], media: [], lines: 0 });
  });
});

describe('an act', () => {
  it('that stands in the log twice counts once, and one of a form nobody knows is a line that says so', async () => {
    const { log } = talk();
    const once = act({ act: 'login' });
    log.record(ANA, { type: 'access', act: once });
    log.record(ANA, { type: 'access', act: once });
    log.record(ANA, { type: 'access', defect: 'no-view' });
    await read(db, log);
    expect(db.acts.accessLog({ limit: 10, after: null }).acts).toHaveLength(1);
    expect((await db.state())?.unreadable).toBe(1);
    expect(await found(db, 'kind:unreadable')).toHaveLength(1);
  });

  it('is paged, and found by who did it and what it is about', async () => {
    const { log, leaves } = talk();
    for (let n = 0; n < 5; n += 1) {
      did(log, { act: 'search', query: `q${n}`, order: 'newest', hits: 1, shown: [leaves[n] as number] });
    }
    await read(db, log);
    const first = db.acts.accessLog({ limit: 3, after: null });
    const second = db.acts.accessLog({ limit: 3, after: first.next });
    const queries = [...first.acts, ...second.acts].map(({ deed }) => (deed.act === 'search' ? deed.query : ''));
    expect(queries).toEqual(['q4', 'q3', 'q2', 'q1', 'q0']);
    expect(db.acts.accessLog({ limit: 9, after: null, leaf: leaves[2] as number }).acts).toHaveLength(1);
    expect(db.acts.accessLog({ limit: 9, after: null, user: 'omar' }).acts).toEqual([]);
    expect(() => db.acts.accessLog({ limit: 9, after: 'x' })).toThrow(/search\/page/);
  });
});
