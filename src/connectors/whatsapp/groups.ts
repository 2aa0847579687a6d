// SPDX-License-Identifier: AGPL-3.0-or-later
import type { BinaryNode } from '@whiskeysockets/baileys';
import type { Connection } from './connection.ts';
import type { StanzaNode } from './normalise/input.ts';

/**
 * Records who is in which group. Notifications tell of changes, and not of all: some the client acknowledges unseen. What is as it was
 * folds with the record there is.
 */
export async function recordGroups(connection: Connection): Promise<void> {
  const children = ['participants', 'description'].map((tag) => ({ tag, attrs: {} }));
  const question: BinaryNode = {
    tag: 'iq',
    attrs: { to: '@g.us', xmlns: 'w:g2', type: 'get' },
    content: [{ tag: 'participating', attrs: {}, content: children }],
  };
  const answer = (await connection.socket.query(question)) as StanzaNode | undefined;
  if (answer?.tag !== 'iq') return;
  // Without the question's number, so that the same answer is the same bytes.
  const lasting: StanzaNode = { ...answer, attrs: { from: '@g.us', type: 'result' } };
  await connection.commit(connection.meaning.stanza(lasting));
}
