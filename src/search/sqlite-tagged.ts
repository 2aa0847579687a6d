// SPDX-License-Identifier: AGPL-3.0-or-later

/** Ids of the lines under standing tags: messages, ranges and whole conversations. One parameter, in three places, is what is asked. */
function tagged(condition: 'tag' | 'matter'): string {
  const standing = (what: string): string =>
    `t.name = 'tag' AND t.stands = 1 AND t.what = '${what}' AND t.${condition} = ?`;
  const anchor = 'standing t JOIN part p ON p.leaf = t.a JOIN line x ON x.id = p.line';
  return `SELECT x.id FROM ${anchor} WHERE ${standing('message')}
    UNION SELECT o.id FROM ${anchor} JOIN line o ON o.conversation = x.conversation WHERE ${standing('conversation')}
    UNION SELECT o.id FROM ${anchor} JOIN part q ON q.leaf = t.b JOIN line y ON y.id = q.line AND y.conversation = x.conversation
      JOIN line o ON o.conversation = x.conversation AND o.id BETWEEN min(x.id, y.id) AND max(x.id, y.id) WHERE ${standing('range')}`;
}

const TAGGED = { tag: tagged('tag'), matter: tagged('matter') };

/** A condition on `l.id`. */
export function underTag(by: 'tag' | 'matter', value: string): { sql: string; params: string[] } {
  return { sql: `l.id IN (${TAGGED[by]})`, params: [value, value, value] };
}
