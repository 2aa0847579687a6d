// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdtempSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { EntryBox } from '../../src/access/entry-box.ts';
import { entryIdHex } from '../../src/record/entry.ts';

it('signed entries wait in the order in which they were put, whatever their ids are, until the log has them', () => {
  const spool = mkdtempSync(join(tmpdir(), 'holdfast-entries-'));
  try {
    const box = new EntryBox(spool);
    const lines = Array.from({ length: 12 }, (_, n) => `{"n":${n}}`);
    lines.forEach((line, n) => {
      box.put(line);
      utimesSync(join(spool, 'entries', `${entryIdHex(line)}.entry`), n, n);
    });
    expect(box.waiting()).toEqual(lines);
    box.sweep(() => lines.slice(0, 5).map((line) => ({ id: entryIdHex(line) })));
    expect(box.waiting()).toEqual(lines.slice(5));
  } finally {
    rmSync(spool, { recursive: true, force: true });
  }
});
