// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import type { View } from '../../src/record/message.ts';
import { membershipIn, titleIn } from '../../src/search/membership.ts';

const CHAT = { type: 'group', id: 'g1' } as const;
const MEMBERS = [{ id: 'a', number: '+12025550101', name: 'Ann' }];

function viewOf(body: object, chat: object = CHAT): View {
  const frame = { v: 1, app: 'signal', account: { id: 'own', number: null }, direction: 'none', chat, sender: null };
  return { ...frame, sentAtMs: null, serverAtMs: null, ...body } as unknown as View;
}

describe('what a view tells of its group', () => {
  it.each([
    ['in the snapshot', { id: 'g1', name: 'Night shift', members: MEMBERS }],
    ['in a member of the snapshot', { group: { id: 'g1', name: 'Night shift', members: MEMBERS } }],
  ])('is its title and its members, %s', (_where, state) => {
    const view = viewOf({ kind: 'group', state });
    expect(titleIn(view)).toBe('Night shift');
    expect(membershipIn(view)).toEqual({ all: MEMBERS });
  });

  it('is the title beside the message before anything else, and the last one of several changes', () => {
    expect(titleIn(viewOf({ kind: 'message' }, { ...CHAT, name: 'Day shift' }))).toBe('Day shift');
    const changes = ['Early', 'Late'].map((value) => ({ what: 'subject', parties: [], value }));
    expect(titleIn(viewOf({ kind: 'group-update', changes }))).toBe('Late');
  });

  it('is nothing where it tells nothing, or is no group', () => {
    expect(titleIn(viewOf({ kind: 'message' }))).toBeNull();
    expect(titleIn(viewOf({ kind: 'group', state: null }))).toBeNull();
    expect(titleIn(viewOf({ kind: 'group', state: { name: 7 } }))).toBeNull();
    expect(titleIn(viewOf({ kind: 'group', state: { name: 'x' } }, { type: 'direct', id: 'a' }))).toBeNull();
  });
});
