// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import type { View, ViewBody } from '../../src/record/message.ts';
import { membershipIn, partiesIn } from '../../src/search/membership.ts';
import { ANA, BEN, viewOf } from './kit.ts';

const view = (body: ViewBody): View => viewOf(ANA, body, { by: BEN });
const changes = (what: string, who = [BEN]): View =>
  view({ kind: 'group-update', changes: [{ what, parties: who, value: null }] });

describe('members', () => {
  it('are those of a snapshot, however the messenger lists them', () => {
    const party = { id: BEN.id, number: BEN.number, name: null };
    expect(membershipIn(view({ kind: 'group', state: { group: { members: [BEN.id, ANA.number] } } }))).toEqual({
      all: [{ id: BEN.id }, { id: null, number: ANA.number }],
    });
    expect(
      membershipIn(view({ kind: 'group', state: { members: [{ id: BEN.id, number: BEN.number, role: 'admin' }] } })),
    ).toEqual({ all: [party] });
    expect(membershipIn(view({ kind: 'group', state: { name: 'x' } }))).toBeNull();
  });

  it.each(['add', 'join', 'invite', 'create', 'group-participant-add', 'group-participants-join'])(
    'come by %s',
    (what) => {
      expect(membershipIn(changes(what))).toEqual({ came: [BEN], went: [] });
    },
  );

  it.each(['remove', 'leave', 'group-participant-remove', 'group-participant-leave'])('go by %s', (what) => {
    expect(membershipIn(changes(what))).toEqual({ came: [], went: [BEN] });
  });

  it.each(['promote', 'subject', 'picture', 'created_membership_requests', 'announcement', 'member_add_mode'])(
    'stay by %s',
    (what) => {
      expect(membershipIn(changes(what))).toBeNull();
    },
  );
});

describe('people', () => {
  it('are known from every kind of address book', () => {
    const found = (state: unknown): unknown => partiesIn(view({ kind: 'contacts', state }));
    const ben = { id: BEN.id, number: BEN.number, name: 'Ben' };
    expect(found({ contacts: [{ uuid: BEN.id, number: BEN.number, name: 'Ben' }] })).toEqual([ben]);
    expect(found({ names: [{ id: BEN.id, number: BEN.number, name: 'Ben' }] })).toEqual([ben]);
    expect(found({ party: { id: BEN.id, number: BEN.number, name: 'Ben' } })).toEqual([ben]);
    expect(found({ changes: [{ what: 'modify', party: { id: BEN.id, number: BEN.number, name: 'Ben' } }] })).toEqual([
      ben,
    ]);
    expect(found({ changes: [{ id: 'b@lid', phoneNumber: '12025550102@s.whatsapp.net', notify: 'Ben' }] })).toEqual([
      { id: 'b@lid', number: '+12025550102', name: 'Ben' },
    ]);
    expect(found({ addresses: { lid: 'b@lid', pn: '12025550102@s.whatsapp.net' } })).toEqual([
      { id: 'b@lid', number: '+12025550102', name: null },
    ]);
    expect(found({ addresses: 7 })).toEqual([]);
    expect(found(null)).toEqual([]);
  });
});
