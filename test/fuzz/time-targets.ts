// SPDX-License-Identifier: AGPL-3.0-or-later
import { readFileSync } from 'node:fs';
import { FormatError } from '../../src/record/format-error.ts';
import { encodeTimeStamp, parseTimeStamp, type StoredTimeStamp } from '../../src/record/time-stamp.ts';
import { certificatesOf, timeStampJudge } from '../../src/timestamp/judge.ts';
import type { Target } from './target.ts';

const FOLDER = new URL('examples/', import.meta.url);
const DOCUMENT = readFileSync(new URL('time-stamp.txt', FOLDER), 'utf8').trimEnd();
const STAMP = parseTimeStamp(DOCUMENT);
const judge = timeStampJudge(certificatesOf(readFileSync(new URL('root.pem', FOLDER), 'utf8')));

async function judged(stamp: StoredTimeStamp): Promise<void> {
  const verdict = await judge(stamp);
  if (!verdict.ok) throw new FormatError('format/time-stamp', verdict.expected, verdict.got);
}

/** One part of the stored time stamp: the DER behind a first line that names it. */
const PARTS = {
  token: (der: Buffer): StoredTimeStamp => ({ ...STAMP, token: der }),
  certificate: (der: Buffer): StoredTimeStamp => ({ ...STAMP, certificates: [der] }),
  crl: (der: Buffer): StoredTimeStamp => ({ ...STAMP, crls: [der] }),
} as const;

async function readPart(bytes: Buffer): Promise<void> {
  const end = bytes.indexOf('\n');
  const name = bytes.toString('latin1', 0, end);
  const part = Object.hasOwn(PARTS, name) ? PARTS[name as keyof typeof PARTS] : PARTS.token;
  await judged(part(bytes.subarray(end + 1)));
}

function parts(): Buffer[] {
  const { token, certificates, crls } = STAMP;
  const all = [
    ['token', token],
    ...certificates.map((der) => ['certificate', der]),
    ...crls.map((der) => ['crl', der]),
  ];
  return all.map(([name, der]) => Buffer.concat([Buffer.from(`${name as string}\n`), der as Buffer]));
}

export function timeTargets(): readonly Target[] {
  return [
    {
      name: 'time-stamp',
      examples: [Buffer.from(DOCUMENT)],
      read: (bytes) => judged(parseTimeStamp(bytes.toString())),
      mend: (bytes) => Buffer.from(encodeTimeStamp(parseTimeStamp(bytes.toString()))),
      slowness: 8,
    },
    { name: 'time-stamp-part', examples: parts(), read: readPart, slowness: 8 },
  ];
}
