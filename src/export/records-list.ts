// SPDX-License-Identifier: AGPL-3.0-or-later
import { csvRow } from './csv.ts';
import { allItems, lineKey } from './item.ts';
import type { Rendering } from './rendering.ts';

/** Every record of the log that this export shows, with its place in the log: what a proof is asked for by. */
export async function* recordsCsv({ snapshot, plan }: Rendering): AsyncGenerator<string> {
  yield csvRow(['leaf', 'record_id', 'line', 'scope']);
  for await (const item of allItems(snapshot, plan)) {
    const [line, scope] = [lineKey(item), item.planned.isHit ? 'hit' : 'context'];
    // Digits and letters only: nothing to quote.
    for (const { leaf, id } of item.records) yield `${leaf},${id},${line},${scope}\r\n`;
  }
}
