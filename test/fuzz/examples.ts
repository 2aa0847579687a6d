// SPDX-License-Identifier: AGPL-3.0-or-later
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { PARTS } from '../../src/record/commitment.ts';
import { CORE_NAMES } from '../../src/prove/files.ts';
import { encodeTimeStamp } from '../../src/record/time-stamp.ts';
import { timeStampRequest, tokenOf } from '../../src/timestamp/request.ts';
import { bundleOf, madeArchive, middleLeaf, publishTiles } from '../prove/subject.ts';
import { temporaryFolder } from '../support/archive-fixture.ts';
import { Authority } from '../timestamp/authority.ts';
import { checkpointVectors } from '../vectors/log-vectors.ts';

// Makes the examples that cannot be made the same twice, and so are kept: a proof bundle and a time stamp. `node test/fuzz/examples.ts`

const FOLDER = new URL('examples/', import.meta.url);

function put(name: string, bytes: Uint8Array | string): void {
  writeFileSync(new URL(name, FOLDER), bytes);
}

async function keepBundle(): Promise<void> {
  await using folder = await temporaryFolder();
  const path = await madeArchive(folder.path);
  await publishTiles(path);
  const files = [...(await bundleOf(path, await middleLeaf(path), PARTS))].filter(([name]) => CORE_NAMES.has(name));
  put('bundle.txt', files.map(([name, bytes]) => `${name} ${bytes.toString('base64')}\n`).join(''));
}

async function keepTimeStamp(): Promise<void> {
  await using authority = new Authority();
  const checkpoint = checkpointVectors().cases[0]?.text ?? '';
  const token = tokenOf(authority.reply(timeStampRequest(Buffer.from(checkpoint), Buffer.alloc(8))));
  const der = execFileSync('openssl', ['x509', '-outform', 'DER'], { input: authority.certificate('good') });
  put(
    'time-stamp.txt',
    `${encodeTimeStamp({ checkpoint, token, certificates: [der], crls: [authority.makeCrl()] })}\n`,
  );
  put('root.pem', authority.root);
}

await keepBundle();
await keepTimeStamp();
