// SPDX-License-Identifier: AGPL-3.0-or-later
import { createReadStream, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it } from 'vitest';
import { ForgetfulDisk, TRACED } from '../support/power-cut.ts';
import { SeededRandom } from '../support/random.ts';
import { assertStream, copySpool, readDisk } from '../support/spool-disk.ts';
import { SpoolKit, temporaryDirectory } from '../support/spool-kit.ts';
import { message } from '../support/spool-parts.ts';
import { SpoolProcess } from '../support/spool-process.ts';

const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31);

/** What is on an image of the disk, as the next start finds it. */
async function expectOnImage(image: string, acknowledged: ReadonlyMap<string, number>): Promise<void> {
  await using kit = await SpoolKit.open(image);
  const salvageable = kit.found.every(([what]) => what === 'new' || what === 'salvaged');
  expect(salvageable, `found ${JSON.stringify(kit.found)}`).toBe(true);
  const { sink } = await kit.account();
  const stored = readDisk(image, temporaryDirectory())[0];
  if (stored === undefined) throw new Error('no stream');
  assertStream(stored);
  const tags = new Map(stored.rows.map(({ seq, entry }) => [seq, 'tag' in entry ? entry.tag : '']));
  for (const [id, seq] of acknowledged) {
    const kind = tags.get(seq) === sink.tagOf({ ...message(id).native, kind: 'attachment' }) ? 'attachment' : 'message';
    expect(tags.get(seq), id).toBe(sink.tagOf({ ...message(id).native, kind }));
  }
  for (const object of kit.spool.objects.pending(1, 0, stored.headSeq))
    expect(await kit.spool.objects.check(object)).toBe(object.md5);
}

describe('a power cut', () => {
  it('at any moment leaves, of the files as they are then, all that was acknowledged', async () => {
    const directory = temporaryDirectory();
    await using kit = await SpoolKit.open(directory);
    const { sink } = await kit.account();
    const acknowledged = new Map<string, number>();
    const images: { copy: string; count: number }[] = [];
    await Promise.all(
      Array.from({ length: 64 }, async (_, flight) => {
        for (let at = 0; at < 25; at += 1) {
          const id = `${flight}-${at}`;
          const [delivered] = await sink.deliver([message(id)]);
          acknowledged.set(id, delivered?.seq ?? -1);
          if (acknowledged.size % 131 !== 0) continue;
          const copy = temporaryDirectory();
          mkdirSync(join(copy, 'objects'));
          copySpool(directory, copy);
          images.push({ copy, count: acknowledged.size });
        }
      }),
    );
    expect(images.length).toBeGreaterThan(10);
    for (const { copy, count } of images) await expectOnImage(copy, new Map([...acknowledged].slice(0, count)));
  });

  it(`leaves all that was acknowledged even if the disk forgets everything that was not synced, or keeps some of it (SEED=${seed})`, async () => {
    console.log(`SEED=${seed}`);
    const random = new SeededRandom(seed);
    const directory = join(temporaryDirectory(), 'spool');
    const trace = join(temporaryDirectory(), 'trace');
    // Not into the process that makes epochs: its file numbers are its own.
    const threads = ['-f', '-b', 'execve'];
    const shown = ['-xx', '-s', '10000000', '-e', `trace=${TRACED}`, '-e', 'signal=none'];
    const under = ['strace', ...threads, ...shown, '-o', trace];
    const child = new SpoolProcess(directory, { prefix: 'p', count: 1200, flights: 16, mediaEvery: 25, under });
    await child.ended();
    expect(child.lines('done')).toEqual([[]]);
    const disk = new ForgetfulDisk(directory);
    const acknowledged = new Map<string, number>();
    const cuts: { image: string; count: number }[] = [];
    disk.onOutput = (line) => {
      // The power goes before the word is out: what it tells must be on the disk.
      const [word, id = '', seq = ''] = line.trim().split(' ');
      if (word !== 'acknowledged') return;
      acknowledged.set(id, Number(seq));
      if (acknowledged.size > 3 && random.next() > 0.025) return;
      for (const partly of [null, random]) {
        const image = temporaryDirectory();
        disk.image(image, partly);
        cuts.push({ image, count: acknowledged.size });
      }
    };
    for await (const line of createInterface({ input: createReadStream(trace, 'latin1') })) disk.feed(line);
    expect(acknowledged.size).toBe(1200);
    expect(cuts.length).toBeGreaterThan(10);
    for (const { image, count } of cuts) await expectOnImage(image, new Map([...acknowledged].slice(0, count)));
  }, 180_000);
});
