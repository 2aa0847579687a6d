// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { View, ViewBody } from '../../src/record/message.ts';
import { foldLine, standingReactions } from '../../src/search/fold.ts';
import type { LineRecord } from '../../src/search/line.ts';
import { ANA, BEN, message, MINUTE_MS, MONDAY_MS, refTo, viewOf } from './kit.ts';

const PEOPLE = { ana: 1, ben: 2, cleo: 3 } as const;
const at = (minutes: number): number => MONDAY_MS + minutes * MINUTE_MS;

let leaf = 0;
function record(
  body: ViewBody,
  minutes: number,
  who: keyof typeof PEOPLE = 'ben',
  by: keyof typeof PEOPLE = 'ana',
): LineRecord {
  leaf += 1;
  const view: View = viewOf(ANA, body, { by: BEN, atMs: at(minutes) });
  return {
    leaf,
    id: '',
    atMs: at(minutes) + 500,
    account: PEOPLE[by],
    sender: PEOPLE[who],
    view,
    defect: null,
    clear: null,
  };
}

const TARGET = refTo(BEN, at(0));
const edit = (text: string): ViewBody => ({ kind: 'edit', target: TARGET, content: { text } });
const react = (emoji: string, removed = false): ViewBody => ({ kind: 'reaction', target: TARGET, emoji, removed });

describe('a message', () => {
  it('keeps all versions, the deletion, and everything that was put on it', () => {
    const file = { id: 'f', contentType: 'image/png', fileName: 'a.png', size: 3, place: 'attachment' } as const;
    const object = { key: '00', size: 3, sha256: 'ab' };
    const line = foldLine([
      record(message('draft', { attachments: [file] }), 0),
      record(edit('second'), 1),
      record(edit('final'), 2),
      record({ kind: 'delete', target: TARGET, by: 'admin' }, 9, 'cleo'),
      record(react('👍'), 3, 'ana'),
      record(react('❤️'), 4, 'ana'),
      record(react('👍'), 3, 'cleo'),
      record(react('👍', true), 5, 'cleo'),
      record({ kind: 'receipt', state: 'read', targets: [TARGET] }, 6, 'ana'),
      record({ kind: 'attachment', target: TARGET, attachment: file, object }, 7),
      record({ kind: 'poll-vote', target: TARGET, options: [0], count: 1 }, 1, 'ana'),
      record({ kind: 'poll-vote', target: TARGET, options: [1], count: 2 }, 2, 'ana'),
      record({ kind: 'pin', target: TARGET, forSeconds: 60 }, 8, 'cleo'),
    ]);
    expect(line.versions.map(({ content }) => content.text)).toEqual(['draft', 'second', 'final']);
    expect(line.deleted).toEqual({ by: 'admin', person: PEOPLE.cleo, atMs: at(9) });
    expect(line.reactions).toHaveLength(4);
    expect(standingReactions(line.reactions)).toMatchObject([{ person: PEOPLE.ana, emoji: '❤️' }]);
    expect(line.votes).toEqual([{ person: PEOPLE.ana, options: [1], atMs: at(2) }]);
    expect(line.receipts).toEqual([{ person: PEOPLE.ana, state: 'read', atMs: at(6) }]);
    expect(line.marks).toMatchObject([{ kind: 'pin', person: PEOPLE.cleo }]);
    expect(line.files).toEqual([{ attachment: file, held: { size: 3, sha256: 'ab', leaf: 10 } }]);
    expect(line).toMatchObject({ kind: 'message', author: PEOPLE.ben, sentAtMs: at(0) });
  });

  it('is one, with everything on it once, when two accounts captured it', () => {
    const all = [message('one'), edit('two'), react('👍')].flatMap((body, minutes) => [
      record(body, minutes, 'ben', 'ana'),
      record(body, minutes, 'ben', 'cleo'),
    ]);
    const line = foldLine(all);
    expect(line.versions.map(({ content }) => content.text)).toEqual(['one', 'two']);
    expect(line.reactions).toHaveLength(1);
    expect(line.capturedBy.map(({ account }) => account)).toEqual([PEOPLE.ana, PEOPLE.cleo]);
    expect(line.leaves).toHaveLength(6);
  });

  it('that was never captured is a line with what speaks of it', () => {
    const line = foldLine([
      record(edit('only the edit'), 1),
      record({ kind: 'delete', target: TARGET, by: 'sender' }, 2),
    ]);
    expect(line).toMatchObject({ kind: 'never-captured', author: PEOPLE.ben, deleted: { by: 'sender' } });
    expect(line.versions.map(({ content }) => content.text)).toEqual(['only the edit']);
  });

  it('names a record of it that could not be read', () => {
    const unread: LineRecord = { ...record(message(''), 0), view: null, defect: 'pack-missing' };
    expect(foldLine([unread])).toMatchObject({ kind: 'unreadable', defects: ['pack-missing'] });
  });

  it('is the same in whatever order its records came into the hand', () => {
    const bodies = fc.constantFrom<ViewBody>(
      message('a'),
      edit('b'),
      edit('c'),
      react('x'),
      react('y', true),
      { kind: 'delete', target: TARGET, by: 'sender' },
      { kind: 'receipt', state: 'delivered', targets: [TARGET] },
      { kind: 'keep', target: TARGET, kept: true },
    );
    const who = fc.constantFrom('ana', 'ben', 'cleo');
    const records = fc.array(fc.tuple(bodies, fc.nat(5), who, who), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(records, fc.nat(), (parts, seed) => {
        const made = parts.map(([body, minutes, sender, account]) => record(body, minutes, sender, account));
        const shuffled = made.toSorted((a, b) => ((a.leaf * (seed + 7)) % 13) - ((b.leaf * (seed + 7)) % 13));
        const line = foldLine(shuffled);
        expect(line).toEqual(foldLine(made));
        // Items in, items out.
        expect(line.leaves).toEqual(made.map((one) => one.leaf));
      }),
    );
  });
});

describe('a call', () => {
  it('is one line with each of its events once, from both sides', () => {
    const event = (name: string): ViewBody => ({ kind: 'call', event: name, callId: '7', callType: 'AUDIO' });
    const line = foldLine([
      record(event('offer'), 0, 'ben', 'ana'),
      record(event('offer'), 0, 'ben', 'cleo'),
      record(event('hangup'), 3, 'ana', 'cleo'),
    ]);
    expect(line.kind).toBe('call');
    expect(line.events.map(({ view }) => view?.kind === 'call' && view.event)).toEqual(['offer', 'hangup']);
  });
});
