// SPDX-License-Identifier: AGPL-3.0-or-later
import { TilePublisher } from '../archive/tile-publisher.ts';
import type { Config } from '../base/config.ts';
import { Failure } from '../base/failure.ts';
import { openCheckpoint } from '../record/checkpoint.ts';
import { checkpointKey } from '../record/layout.ts';
import { openArchive } from './stores.ts';
import { readTrusted } from './trusted.ts';

export interface PublishedTiles {
  readonly size: number;
  readonly written: number;
}

/** Publishes the tiles of the newest signed checkpoint. It signs nothing, and may run beside the archiver: both write the same bytes. */
export async function publishTiles(config: Config, options: { readonly rebuild: boolean }): Promise<PublishedTiles> {
  const { trust } = readTrusted(config);
  await using store = await openArchive(config.archive);
  const key = checkpointKey(config.origin);
  const found = await store.read(key);
  if (found === null) {
    throw new Failure('store/not-found', {
      expected: 'a published checkpoint',
      got: 'none',
      where: key,
      fix: 'start the archiver once: it signs what the segments hold',
    });
  }
  const checkpoint = Buffer.from(found.bytes).toString('utf8');
  const { size, root } = openCheckpoint(checkpoint, trust.log);
  const publisher = new TilePublisher({ store, origin: config.origin });
  if (options.rebuild) publisher.startOver();
  return { size, written: await publisher.publish({ size, root, checkpoint }) };
}
