// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import { encodeJob, parseJob, type BatchJob, type ReceivedBatch } from '../../src/queue/job.ts';
import { FormatError } from '../../src/record/format-error.ts';
import { ArchiverKit } from '../support/archiver-kit.ts';

const kit = new ArchiverKit();
const stream = kit.first.open();
const { job } = kit.first.add(stream, [
  { t: 'beat' },
  { t: 'content', size: 0 },
  { t: 'content', body: Buffer.from('\n\n\n') },
  { t: 'content', size: 300 },
  { t: 'close' },
]);
const sent: BatchJob = { ...job, since: 7, again: true };

function split(text: string): [head: string, bytes: Buffer] {
  const end = text.indexOf('\n');
  return [text.slice(0, end), Buffer.from(text.slice(end + 1), 'base64')];
}

function refused(head: string, bytes: Buffer): string {
  try {
    parseJob(`${head}\n${bytes.toString('base64')}`);
    return 'taken';
  } catch (error) {
    return (error as FormatError).code;
  }
}

describe('a batch on the wire', () => {
  it('arrives as it was sent, its lines as they will be stored', () => {
    const { records, lines, ...rest } = parseJob(encodeJob(sent)) as ReceivedBatch;
    const { records: sentRecords, ...sentRest } = sent;
    expect(rest).toEqual(sentRest);
    expect(records.map(({ line, body }) => ({ line: String(line), body }))).toEqual(sentRecords);
    expect(records.map(({ entry }) => entry)).toEqual(sentRecords.map(({ line }) => JSON.parse(line) as unknown));
    expect(String(lines)).toBe(sentRecords.map(({ line }) => `${line}\n`).join(''));
  });

  it('holds nothing that JSON has to escape but in its first line', () => {
    const [head] = split(encodeJob(sent));
    expect(JSON.stringify(encodeJob(sent)).length - encodeJob(sent).length).toBe(
      JSON.stringify(head).length - head.length + 1,
    );
  });

  it('is refused with a byte less or more, at any place, or without its bytes', () => {
    const [head, bytes] = split(encodeJob(sent));
    for (let at = 0; at < bytes.length; at += 97) {
      const less = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]);
      const more = Buffer.concat([bytes.subarray(0, at), Buffer.of(0x0a), bytes.subarray(at)]);
      expect([refused(head, less), refused(head, more)], String(at)).not.toContain('taken');
    }
    expect(refused(head, Buffer.alloc(0))).toBe('format/batch');
    expect(() => parseJob(head)).toThrow(FormatError);
  });

  it('is refused with a line that is no entry', () => {
    const [head, bytes] = split(encodeJob(sent));
    for (const byte of [0x00, 0x22, 0x41, 0x80, 0xff]) {
      const changed = Buffer.from(bytes);
      changed[3] = byte;
      expect(refused(head, changed)).toMatch(/^format\/entry/);
    }
  });
});
