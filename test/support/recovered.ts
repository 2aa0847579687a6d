// SPDX-License-Identifier: AGPL-3.0-or-later
import { entryId, parseEntry } from '../../src/record/entry.ts';
import { Opener } from '../../src/seal/open.ts';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { READER } from '../vectors/keys.ts';
import type { CheckingLog } from './checking-log.ts';

/** What a reader finds of the records of a spool in the log. */
export interface Recovered {
  /** Upstream bytes of records that are there as themselves. */
  readonly direct: string[];
  /** Upstream bytes of records that are there inside of an opaque one, and open. */
  readonly orphaned: string[];
  /** Opaque records that do not open any more. */
  readonly rotten: number;
  /** Gaps by cause. */
  readonly gaps: string[];
  /** `[first, count]` of the holes. */
  readonly holes: [number, number][];
  /** Ids of all records that are there, either way. */
  readonly ids: Set<string>;
}

/** Reads the whole log with the reader's key: objects come from where they were uploaded to. */
export async function readLog(log: CheckingLog): Promise<Recovered> {
  const found: Recovered = { direct: [], orphaned: [], rotten: 0, gaps: [], holes: [], ids: new Set() };
  const opener = new Opener(READER.privateKey, READER.recipient.kid);
  for (const document of log.documents.values()) opener.addEpoch(document);
  const objects = (hash: string): AsyncIterable<Uint8Array> => createReadStream(join(log.objects, hash));
  let rotten = 0;
  for (const { line, body, entry, id } of log.all()) {
    found.ids.add(id);
    if (entry.t === 'hole') found.holes.push([entry.seq, entry.count]);
    if (entry.t === 'gap') found.gaps.push(entry.cause);
    if (entry.t !== 'content' || body === null) continue;
    const { parts } = await opener.open(line, body, objects);
    const view = JSON.parse(parts.view.toString()) as { kind: string; reason?: string };
    if (view.kind !== 'unknown' || view.reason !== 'orphan-record') {
      found.direct.push(parts.raw.toString());
      continue;
    }
    const inner = splitOrphan(parts.raw);
    found.ids.add(entryId(inner.line).toString('hex'));
    if (inner.body.length === 0) continue;
    opener.addEpoch(inner.document);
    try {
      parseEntry(inner.line);
      const opened = await opener.open(inner.line, inner.body, objects);
      found.orphaned.push(opened.parts.raw.toString());
    } catch {
      rotten += 1;
    }
  }
  return { ...found, rotten };
}

/** The parts of an opaque record: `header line \n epoch document \n body`. */
export function splitOrphan(raw: Buffer): { line: string; document: string; body: Buffer } {
  const first = raw.indexOf('\n');
  const second = raw.indexOf('\n', first + 1);
  return {
    line: raw.toString('utf8', 0, first),
    document: raw.toString('utf8', first + 1, second),
    body: raw.subarray(second + 1),
  };
}
