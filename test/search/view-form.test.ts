// SPDX-License-Identifier: AGPL-3.0-or-later
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { View } from '../../src/record/message.ts';
import { foldLine } from '../../src/search/fold.ts';
import { featuresOf, shownText, wordsOf } from '../../src/search/searchable.ts';
import { asView } from '../../src/search/view-form.ts';
import { ANA, BEN, message, viewOf } from './kit.ts';

const CONNECTORS = fileURLToPath(new URL('../../src/connectors/', import.meta.url));

/** Every view in a value, wherever it stands. */
function viewsIn(value: unknown): View[] {
  if (typeof value !== 'object' || value === null) return [];
  const isView = 'v' in value && value.v === 1 && 'kind' in value && 'account' in value;
  return isView ? [value as View] : Object.values(value).flatMap(viewsIn);
}

const golden = readdirSync(CONNECTORS, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.out.json'))
  .flatMap((path) => viewsIn(JSON.parse(readFileSync(join(CONNECTORS, path), 'utf8'))).map((view) => ({ path, view })));

describe('the form of a view', () => {
  it('is that of every view of the connectors’ golden pairs, and each makes a line', () => {
    expect(new Set(golden.map(({ path }) => path.split('/')[0])).size).toBeGreaterThan(1);
    expect(golden.length).toBeGreaterThan(60);
    expect(golden.filter(({ view }) => asView(view) === null).map(({ path }) => path)).toEqual([]);
    for (const { view } of golden) {
      const line = foldLine([{ leaf: 0, id: '', atMs: 0, account: 1, sender: 2, view, defect: null, clear: null }]);
      expect(line.leaves).toEqual([0]);
      expect([typeof wordsOf(line), typeof shownText(line), Array.isArray(featuresOf(line))]).toEqual([
        'string',
        'string',
        true,
      ]);
    }
  });

  it('is refused where a member that is read is of another kind', () => {
    const view = viewOf(ANA, message('x'), { by: BEN });
    expect(asView(view)).toBe(view);
    const wrong = [
      null,
      [],
      'view',
      { ...view, kind: 7 },
      { ...view, account: null },
      { ...view, sender: { id: 7 } },
      { ...view, sentAtMs: '1' },
      { ...view, chat: { type: 'group', id: {} } },
      { ...view, content: { text: 7 } },
      { ...view, content: { text: 'x', attachments: {} } },
      { ...view, content: { text: 'x', quote: null } },
      { ...view, kind: 'edit' },
      { ...view, kind: 'receipt', state: 'read', targets: [{ author: null, sentAtMs: 1 }] },
    ];
    expect(wrong.map(asView)).toEqual(wrong.map(() => null));
  });
});
