// SPDX-License-Identifier: AGPL-3.0-or-later

import { expect, test } from 'vitest';
import { NOBODY } from '../../../src/connectors/whatsapp/normalise/address.ts';
import { reactionMeaning, voteMeaning } from '../../../src/connectors/whatsapp/normalise/answers.ts';

const ref = { author: { id: 'a', number: null }, sentAtMs: null, id: 'POLL' };
const target = { ref, author: NOBODY, id: 'POLL' };
const options = (count: number): Uint8Array[] => Array.from({ length: count }, (_, at) => Buffer.from([at >> 8, at]));

test('a vote for more options than any poll has is the same vote, however many more it names', () => {
  const [some, more] = [1000, 5000].map((count) => voteMeaning(target, { selectedOptions: options(count) }, [], 1));
  expect(more).toEqual(some);
  expect(more?.body).toMatchObject({ kind: 'poll-vote', options: [] });
});

test('a vote tells positions in the poll that is remembered, and hashes of what is not in it', () => {
  const { body } = voteMeaning(target, { selectedOptions: options(3) }, ['0001', '0000'], null);
  expect(body).toMatchObject({ options: [1, 0], otherOptions: ['0002'] });
});

test('a reaction that is taken back is one without an emoji', () => {
  expect(reactionMeaning(ref, { text: '', senderTimestampMs: 5 }).body).toMatchObject({ emoji: '', removed: true });
  expect(reactionMeaning(ref, {}).revision).toBe(reactionMeaning(ref, { text: '' }).revision);
});
