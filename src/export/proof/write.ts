// SPDX-License-Identifier: AGPL-3.0-or-later
import { Failure } from '../../base/failure.ts';
import { ArchiveSource } from '../../prove/archive-source.ts';
import { FormatError } from '../../record/format-error.ts';
import { logPrefix } from '../../record/layout.ts';
import type { Trust } from '../../record/trust.ts';
import type { Opener } from '../../seal/open.ts';
import { ReaderTrouble, type ArchiveReader } from '../../verify/reader.ts';
import { unread } from '../files/archive-files.ts';
import type { Staging } from '../staging.ts';
import { contentText } from './content.ts';
import { LogPieces, signedCheckpoint, type LogPlace, type LogState } from './log-pieces.ts';
import { LogSegments, unproven } from './log-segments.ts';
import { derivedProof, PROOF, trustText } from './proof-files.ts';

export interface ProofParts {
  readonly reader: ArchiveReader;
  readonly trust: Trust;
  /** What is proven against: the state of the index, as the log key signed it. */
  readonly state: LogState;
  /** Opens records again, where what they say is disclosed; null where it is not. */
  readonly opener: Opener | null;
}

/**
 * Writes the proof of all records of these leaves, which ascend: how they lead to the checkpoint, that, keys, and what checks it without us.
 * Throws `export/no-checkpoint`, `export/unproven`, `export/archive-unread`.
 */
export async function writeProof(staging: Staging, parts: ProofParts, leaves: Float64Array): Promise<void> {
  try {
    await written(staging, parts, leaves);
  } catch (error) {
    if (error instanceof ReaderTrouble) throw unread(error);
    throw error;
  }
}

async function written(
  staging: Staging,
  { reader, trust, state, opener }: ProofParts,
  leaves: Float64Array,
): Promise<void> {
  const source = new ArchiveSource(reader, trust);
  const place = { source, segments: await LogSegments.open(reader, trust.origin) };
  const checkpoint = await signedCheckpoint(place, state);
  await writeLog(staging, place, state, leaves);
  await put(staging, PROOF.checkpoint, checkpoint);
  await put(staging, PROOF.trust, trustText(trust));
  for (const [name, bytes] of derivedProof(trust, checkpoint)) await put(staging, name, bytes);
  if (opener !== null) {
    await staging.write(PROOF.content, () => contentText({ ...place, reader, opener }, leaves));
  }
}

/** Tiles are not signed, and may be made again at any time: where they do not lead to the root, segments say the same without them. */
async function writeLog(staging: Staging, place: LogPlace, state: LogState, leaves: Float64Array): Promise<void> {
  const tiled = (await place.source.tiles())?.tree.size ?? 0;
  for (const reach of tiled === 0 ? [0] : [tiled, 0]) {
    try {
      await staging.write(PROOF.log, () => new LogPieces(place, state, reach).text(leaves));
      return;
    } catch (error) {
      const isDoubt = error instanceof FormatError || (error instanceof Failure && error.code === 'export/unproven');
      if (isDoubt && reach > 0) continue;
      if (!(error instanceof FormatError)) throw error;
      throw unproven(logPrefix(state.origin), error.expected, error.got, error);
    }
  }
}

async function put(staging: Staging, name: string, bytes: string | Buffer): Promise<void> {
  await staging.write(name, async function* () {
    yield bytes;
  });
}
