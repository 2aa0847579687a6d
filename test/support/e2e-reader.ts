// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { stringify } from 'yaml';
import { encodeVerifierKey } from '../../src/record/note.ts';
import { TalkingArchive } from '../search/archive-kit.ts';
import { ANA, BEN, CLEO, HARBOUR, message, refTo } from '../search/kit.ts';
import { READER, READER_SIGNING, ROOT, type RecipientPair } from '../vectors/keys.ts';
import { MANIFEST, TRUST } from './archive-fixture.ts';

/** A reader's machine: trust file, manifest, its key, and a place for the index. The path of its config. */
export function readerPlace(dir: string, archive: TalkingArchive, { privateKey }: RecipientPair = READER): string {
  mkdirSync(dir);
  const trust = {
    v: 1,
    origin: TRUST.origin,
    root: ROOT.key.raw.toString('base64'),
    log: encodeVerifierKey(TRUST.log),
  };
  const key = privateKey.export({ format: 'pem', type: 'pkcs8' });
  writeFileSync(join(dir, 'trust.json'), JSON.stringify(trust));
  writeFileSync(join(dir, 'manifest.json'), `${MANIFEST}\n`);
  writeFileSync(join(dir, 'reader.key'), key, { mode: 0o600 });
  const signing = READER_SIGNING.privateKey.export({ format: 'pem', type: 'pkcs8' });
  writeFileSync(join(dir, 'signing.key'), signing, { mode: 0o600 });
  const config = {
    origin: TRUST.origin,
    trust: 'trust.json',
    manifest: 'manifest.json',
    archive: { url: pathToFileURL(archive.directory).href },
    reader: { key: 'reader.key', index: 'index', signing: 'signing.key', spool: 'reader-spool', followEvery: '100ms' },
    retention: [{ class: 'x', period: 'P1D', authority: 'test' }],
  };
  const file = join(dir, 'holdfast.yaml');
  writeFileSync(file, stringify(config));
  return file;
}

/** A few words about a berth, one of them edited and deleted, in two segments. */
export async function talkOfBerth(directory: string): Promise<TalkingArchive> {
  const archive = await TalkingArchive.start(directory);
  const { maker } = archive;
  const said = maker.nowMs;
  await archive.capture(ANA, message('the berth is taken'), { by: BEN, chat: HARBOUR });
  await archive.capture(BEN, message('the berth is taken'), { by: BEN, chat: HARBOUR });
  await maker.archive();
  await maker.hour();
  await archive.capture(
    ANA,
    { kind: 'edit', target: refTo(BEN, said), content: { text: 'the berth is free' } },
    { by: BEN, chat: HARBOUR },
  );
  await archive.capture(ANA, { kind: 'delete', target: refTo(BEN, said), by: 'sender' }, { by: BEN, chat: HARBOUR });
  await archive.capture(ANA, message('検査は木曜日です'), { by: CLEO, chat: HARBOUR });
  await maker.archive();
  return archive;
}
