// SPDX-License-Identifier: AGPL-3.0-or-later
import { createPrivateKey } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseEntry, sealedPart } from '../../src/record/entry.ts';
import type { PackEntry } from '../../src/record/entry-types.ts';
import { keyIdOf } from '../../src/record/key.ts';
import type { View } from '../../src/record/message.ts';
import { parseSegment } from '../../src/record/segment.ts';
import { readPublicKey } from '../../src/base/secrets.ts';
import { Opener } from '../../src/seal/open.ts';

/** Reads an archive in a directory the way its reader does: entries, packs, and the reader's key. In order of the log. */
export async function* openRecords(archive: string, origin: string, keys: string): AsyncGenerator<View> {
  const kid = keyIdOf(readPublicKey(join(keys, 'reader.pub')).export({ format: 'der', type: 'spki' }));
  const opener = new Opener(createPrivateKey(await readFile(join(keys, 'reader.key'), 'utf8')), kid);
  const log = join(archive, 'log', origin);
  for (const name of (await readdir(join(log, 'segment'))).toSorted()) {
    const segment = parseSegment(await readFile(join(log, 'segment', name)));
    for (const document of segment.docs) opener.addEpoch(document.toString());
    const lines = segment.entries.map((line) => line.toString('latin1'));
    const packs = lines.map(parseEntry).filter((entry): entry is PackEntry => entry.t === 'pack');
    for (const pack of packs) {
      const bytes = await readFile(join(log, 'pack', pack.h));
      let at = 0;
      for (const [first, count] of pack.leaves) {
        for (const line of lines.slice(first - segment.head.first, first - segment.head.first + count)) {
          const sealed = sealedPart(parseEntry(line));
          if (sealed === null || sealed.ret !== pack.ret) continue;
          const body = bytes.subarray(at, at + sealed.body.n);
          at += sealed.body.n;
          const { parts } = await opener.open(line, body);
          yield JSON.parse(parts.view.toString()) as View;
        }
      }
    }
  }
}
