// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ORIGIN } from '../vectors/keys.ts';
import { TalkingArchive } from './archive-kit.ts';
import { ANA, BEN, CLEO, direct, HARBOUR, message, refTo } from './kit.ts';

export const LOG_PREFIX = `log/${ORIGIN}`;

export interface Talk {
  readonly directory: string;
  /** Leaves of the log. */
  readonly size: number;
}

/** Four segments: a message seen by two accounts, an edit in a later segment, a text too long for a pack, a gap. */
export async function makeTalk(directory: string): Promise<Talk> {
  mkdirSync(directory, { recursive: true });
  await using archive = await TalkingArchive.start(directory);
  const { maker } = archive;
  const taken = maker.nowMs;
  await archive.capture(ANA, message('the berth is taken'), { by: BEN, chat: HARBOUR });
  await archive.capture(BEN, message('the berth is taken'), { by: BEN, chat: HARBOUR });
  await maker.archive();
  await maker.hour();
  const free = maker.nowMs;
  await archive.capture(ANA, message('the berth is free'), { by: BEN, chat: HARBOUR });
  await archive.capture(
    ANA,
    { kind: 'reaction', target: refTo(BEN, taken), emoji: '👍', removed: false },
    { by: CLEO, chat: HARBOUR, atMs: taken + 5000 },
  );
  await maker.archive();
  await maker.hour();
  const content = { text: 'the berth is free at last' };
  await archive.capture(ANA, { kind: 'edit', target: refTo(BEN, free), content }, { by: BEN, chat: HARBOUR });
  await archive.capture(
    ANA,
    message('a long report '.repeat(6000).trim(), { card: { lines: [noise(90_000)], choices: [] } }),
    { by: CLEO, chat: direct(CLEO) },
  );
  await maker.archive();
  await maker.hour();
  await maker.gap(await archive.sink(ANA));
  await maker.archive();
  const [, size] = readFileSync(join(archive.directory, LOG_PREFIX, 'checkpoint'), 'utf8').split('\n');
  return { directory: archive.directory, size: Number(size) };
}

/** Characters that do not shrink, the same every time. */
function noise(length: number): string {
  let state = 1;
  const next = (): string => {
    state = (state * 48_271) % 2_147_483_647;
    return String.fromCodePoint(0x4e00 + (state % 20_000));
  };
  return Array.from({ length }, next).join('');
}
