// SPDX-License-Identifier: AGPL-3.0-or-later
import { admit, type Admission, type Judge, type StreamTip } from '../../src/archive/admission.ts';
import { LogState } from '../../src/archive/log-state.ts';
import { encodeJob, parseJob, type BatchJob, type ReceivedBatch, type SealedRecord } from '../../src/queue/job.ts';
import { signBatch } from '../../src/record/batch.ts';
import { encodeEntry, entryId } from '../../src/record/entry.ts';
import type { Entry } from '../../src/record/entry-types.ts';
import { manifestHash } from '../../src/record/manifest.ts';
import { AT, CONNECTOR, ROOT } from '../vectors/keys.ts';
import { ArchiverKit, MANIFEST, ORIGIN } from './archiver-kit.ts';
import type { SentBatch, SentStream } from './batch-sender.ts';

/** A log that knows the manifest and nothing else, with what waits in front of it. */
export class Bench implements Judge {
  readonly origin = ORIGIN;
  readonly state = new LogState({ origin: ORIGIN, root: ROOT.key });
  readonly tips = new Map<string, StreamTip>();
  readonly gens = new Map<string, number>();
  readonly kit = new ArchiverKit();

  constructor(...manifests: readonly string[]) {
    for (const [n, doc] of [MANIFEST, ...manifests].entries()) {
      const line = encodeEntry({ v: 1, t: 'key', at: AT, log: ORIGIN, doc: manifestHash(doc), kind: 'manifest', n });
      this.state.apply([Buffer.from(line)], new Map([[manifestHash(doc), doc]]));
    }
  }

  tipOf(stream: string): StreamTip | undefined {
    return this.tips.get(stream);
  }

  newestGenOf(acct: string): number {
    return this.gens.get(acct) ?? -1;
  }

  judge(batch: SentBatch, change: Partial<BatchJob> = {}): Admission {
    return admit(parsed({ ...batch.job, ...change }), this);
  }

  /** Judges and, if it is taken, waits in front of the log. */
  take(batch: SentBatch): Admission {
    const admission = this.judge(batch);
    if (admission.outcome !== 'take') return admission;
    this.tips.set(batch.job.statement.stream, admission.tip);
    this.gens.set(admission.tip.acct, admission.tip.gen);
    return admission;
  }

  opened(): SentStream {
    const stream = this.kit.first.open();
    if (this.take(stream.batches[0] as SentBatch).outcome !== 'take') throw new Error('the opening was not taken');
    return stream;
  }
}

function parsed(job: Omit<BatchJob, 'since' | 'again'>): ReceivedBatch {
  return parseJob(encodeJob({ ...job, since: 0, again: false })) as ReceivedBatch;
}

export const refusal = (code: string, isSigned = true): Admission =>
  ({ outcome: 'refuse', code, isSigned }) as Admission;

interface Forge {
  readonly pair?: typeof CONNECTOR;
  readonly statement?: Partial<BatchJob['statement']>;
}

/** A batch of these records, signed by whoever has the key. */
export function signed(stream: SentStream, records: readonly SealedRecord[], forge: Forge = {}): SentBatch {
  const { pair = CONNECTOR } = forge;
  const first = (JSON.parse((records[0] as SealedRecord).line) as { seq: number }).seq;
  const ids = records.map(({ line }) => entryId(line).toString('hex'));
  const base = {
    origin: ORIGIN,
    stream: stream.stream,
    gen: stream.gen,
    first,
    count: records.length,
    last: ids.at(-1) as string,
    key: pair.key.id,
  };
  const statement = signBatch({ ...base, ...forge.statement }, pair.privateKey);
  return { job: { kind: 'batch', statement, epochs: [], records }, last: first + records.length - 1, ids };
}

export function record(
  stream: SentStream,
  members: Record<string, unknown>,
  seq = stream.seq + 1,
  prev = stream.prev,
): SealedRecord {
  return {
    line: encodeEntry({ v: 1, at: AT, stream: stream.stream, seq, prev, ...members } as unknown as Entry),
    body: null,
  };
}

export const BEAT = { t: 'beat', heads: [], part: [1, 1] };

export const idOf = (one: SealedRecord | undefined): string => entryId((one as SealedRecord).line).toString('hex');
