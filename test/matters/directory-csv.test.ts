// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Failure } from '../../src/base/failure.ts';
import { directoryDeeds, readDirectory } from '../../src/matters/directory-csv.ts';

const HEAD = 'identifier,custodian,from,to\n';

describe('the directory’s file', () => {
  it('is read with its quotes, byte order mark, order of columns and days', () => {
    const text =
      '\uFEFFCustodian,Identifier,from,to\r\n"Jones, ""Jo""",+12025550100,2026-01-01,2026-06-30\r\nSmith,+12025550100,2026-07-01,\r\n';
    expect(readDirectory(text)).toEqual([
      {
        identifier: '+12025550100',
        custodian: 'Jones, "Jo"',
        fromMs: Date.UTC(2026, 0, 1),
        toMs: Date.UTC(2026, 6, 1) - 1,
      },
      { identifier: '+12025550100', custodian: 'Smith', fromMs: Date.UTC(2026, 6, 1), toMs: null },
    ]);
  });

  it.each([
    ['', 'row 1'],
    [HEAD, 'row 1'],
    ['name,number\nJones,1\n', 'row 1'],
    [`${HEAD}+1,Jones,,,\n`, 'row'],
    [`${HEAD}+1,Jones,2026-02-30,\n`, 'row 2'],
    [`${HEAD}+1,Jones,yesterday,\n`, 'row 2'],
    [`${HEAD}+1,Jones,2026-03-01,2026-02-01\n`, 'row 2'],
    [`${HEAD}+1,,,\n`, 'row 2'],
    [`${HEAD}+1,Jones,,\n+1,Smith,,\n`, 'row 3'],
    [`${HEAD}+1,${'x'.repeat(401)},,\n`, 'row 2'],
    [`${HEAD}+1,"Jones,,\n`, 'row'],
  ])('that is not as it must be is refused with its row, and not quoted: %j', (text, where) => {
    try {
      readDirectory(text);
    } catch (error) {
      const { code, detail, message } = error as Failure;
      expect([code, detail.where?.startsWith(where)]).toEqual(['matters/directory', true]);
      expect(message).not.toMatch(/Jones|Smith|xxxx/);
      return;
    }
    throw new Error('it was taken');
  });

  it('is taken or refused, whatever it holds', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), (text) => {
        try {
          expect(readDirectory(HEAD + text).length).toBeGreaterThan(0);
        } catch (error) {
          expect((error as Failure).code).toBe('matters/directory');
        }
      }),
    );
  });

  it('becomes acts that hold all of its rows, numbered', () => {
    const rows = Array.from({ length: 201 }, (_, n) => ({
      identifier: `+${n}`,
      custodian: 'c',
      fromMs: null,
      toMs: null,
    }));
    const deeds = directoryDeeds(rows);
    expect(deeds.map((deed) => (deed.act === 'directory' ? [deed.part, deed.of, deed.rows.length] : []))).toEqual([
      [1, 3, 100],
      [2, 3, 100],
      [3, 3, 1],
    ]);
  });
});
