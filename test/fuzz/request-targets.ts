// SPDX-License-Identifier: AGPL-3.0-or-later
import { encodeJob, parseJob, type Job } from '../../src/queue/job.ts';
import { encodeReply, openReply, type Reply } from '../../src/queue/reply.ts';
import { parseStatement } from '../../src/record/batch.ts';
import { parseQuery } from '../../src/search/query-parse.ts';
import { LocalTime } from '../../src/search/local-time.ts';
import { wantedWords } from '../../src/search/query.ts';
import { ARCHIVER, AT, CONNECTOR, hexOf, STREAM } from '../vectors/keys.ts';
import { streamLines, streamStatement } from '../vectors/small-log.ts';
import type { Target } from './target.ts';

const QUERIES = [
  'budget OR "quarterly report" -draft',
  '(from:"Ann Example" app:signal) NOT (plan* OR has:file)',
  'on:2026-01..2026-03-04T10:00 before:2030 edited:yes in:"Room 5" tag:a',
  'naïve 東京 https://example.org/a?b=c ((a) & b) | toString',
];
const ZONE = new LocalTime('America/New_York');

const SIGNED = { connector: CONNECTOR.key.id, at: AT, sig: Buffer.alloc(64).toString('base64') };
const OBJECT = { sha256: hexOf('object'), md5: Buffer.alloc(16).toString('base64'), size: 48_213, ret: 'GRS-6.1-011' };
const LINES = streamLines();

const JOBS: readonly Job[] = [
  { kind: 'grant', ...SIGNED, stream: STREAM, objects: [OBJECT, { ...OBJECT, size: 0 }] },
  { kind: 'heads', ...SIGNED, accounts: [hexOf('account', 32)] },
  { kind: 'approved', line: LINES[0] as string, document: '{"a":"document"}' },
  {
    kind: 'batch',
    statement: parseStatement(streamStatement(LINES)),
    epochs: ['{"a":"document"}'],
    records: LINES.map((line) => ({ line, body: line.includes('"body"') ? Buffer.alloc(540, 7) : null })),
    since: 7,
    again: false,
  },
];

const GRANT = {
  key: `media/00/${hexOf('object')}`,
  sha256: hexOf('object'),
  size: 1,
  url: 'https://s3.example/',
  expires: AT,
};
const REPLIES: readonly Reply[] = [
  { kind: 'receipt', receipt: '{}' },
  { kind: 'granted', stream: STREAM, grants: [{ ...GRANT, headers: { 'content-length': '1' } }] },
  { kind: 'heads', heads: [{ acct: hexOf('account', 32), gen: 3, head: null }] },
];

function replyAgain(bytes: Buffer): Buffer {
  const { reply } = JSON.parse(bytes.toString()) as { reply: Reply };
  return Buffer.from(encodeReply(CONNECTOR.key.id, reply, ARCHIVER.privateKey));
}

export function requestTargets(): readonly Target[] {
  return [
    {
      name: 'query',
      examples: QUERIES.map((query) => Buffer.from(query)),
      read: (bytes) => wantedWords(parseQuery(bytes.toString(), ZONE).root),
      slowness: 2,
    },
    {
      name: 'queue-job',
      examples: JOBS.map((job) => Buffer.from(encodeJob(job))),
      read: (bytes) => parseJob(bytes.toString()),
    },
    {
      name: 'queue-reply',
      examples: REPLIES.map((reply) => Buffer.from(encodeReply(CONNECTOR.key.id, reply, ARCHIVER.privateKey))),
      read: (bytes) => openReply(bytes.toString(), CONNECTOR.key.id, new Map([[ARCHIVER.key.id, ARCHIVER.key]])),
      mend: replyAgain,
    },
  ];
}
