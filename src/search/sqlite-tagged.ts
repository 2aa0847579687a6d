// SPDX-License-Identifier: AGPL-3.0-or-later

/**
 * Ids of the lines under tags. Of all that was said of a line under one tag of one matter, about itself, a range or its whole
 * conversation, the last word counts: so one message is taken out of a tagged conversation, and is in again once the whole is tagged anew.
 */
function tagged(condition: string): string {
  const anchor = 'said s CROSS JOIN part p ON p.leaf = s.a CROSS JOIN line x ON x.id = p.line';
  // Joined in this order and no other: from the few words to their lines. The number of a word is even for one that takes the tag off.
  return `WITH said AS MATERIALIZED (
      SELECT 2 * row_number() OVER (ORDER BY at, id) + stands AS word, matter, tag, what, a, b
      FROM standing WHERE name = 'tag' AND ${condition}
    ), about AS (
      SELECT s.word, s.matter, s.tag, x.id AS line FROM ${anchor} WHERE s.what = 'message'
      UNION ALL SELECT s.word, s.matter, s.tag, o.id FROM ${anchor} CROSS JOIN line o ON o.conversation = x.conversation WHERE s.what = 'conversation'
      UNION ALL SELECT s.word, s.matter, s.tag, o.id FROM ${anchor} CROSS JOIN part q ON q.leaf = s.b CROSS JOIN line y ON y.id = q.line AND y.conversation = x.conversation
        CROSS JOIN line o ON o.conversation = x.conversation AND o.id BETWEEN min(x.id, y.id) AND max(x.id, y.id) WHERE s.what = 'range'
    )
    SELECT line FROM about GROUP BY matter, tag, line HAVING max(word) % 2 = 1`;
}

const TAGGED = {
  tag: tagged('tag = ?'),
  tagWithin: tagged('tag = ? AND matter IN (SELECT value FROM json_each(?))'),
  matter: tagged('matter = ?'),
};

interface Condition {
  readonly sql: string;
  readonly params: string[];
}

/** A condition on `l.id`: lines under a tag, of any matter or of these. */
export function underTag(tag: string, within?: readonly string[]): Condition {
  if (within === undefined) return { sql: `l.id IN (${TAGGED.tag})`, params: [tag] };
  return { sql: `l.id IN (${TAGGED.tagWithin})`, params: [tag, JSON.stringify(within)] };
}

/** A condition on `l.id`: lines under any tag of a matter. */
export function inMatter(matter: string): Condition {
  return { sql: `l.id IN (${TAGGED.matter})`, params: [matter] };
}
