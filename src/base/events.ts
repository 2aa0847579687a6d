// SPDX-License-Identifier: AGPL-3.0-or-later
import { codeOf, Failure } from './failure.ts';
import { code, type Log, type LogFields } from './log.ts';

/**
 * Every business event has one function here, and one call site. What is not a parameter here cannot reach a log: no content, no
 * names, no numbers of people, no error texts.
 */
export class Events {
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  started(role: string, version: string): void {
    this.#log.write('info', 'role.started', { role: code(role), version: code(version) });
  }

  stopping(role: string, signal: string): void {
    this.#log.write('info', 'role.stopping', { role: code(role), signal: code(signal) });
  }

  fatal(role: string, error: unknown): void {
    this.#log.write('error', 'role.fatal', { role: code(role), code: code(codeOf(error)), ...wordsOf(error) });
  }

  accountState(account: string, state: string, reasons: readonly string[]): void {
    const level = state === 'capturing' || state === 'starting' ? 'info' : 'warn';
    this.#log.write(level, 'account.state', {
      account: code(account),
      state: code(state),
      reasons: code(reasons.join('.') || 'none'),
    });
  }

  captured(account: string, intake: string, count: number): void {
    this.#log.write('debug', 'account.captured', { account: code(account), intake: code(intake), count });
  }

  alarm(account: string | null, reason: string, count: number): void {
    this.#log.write('warn', 'alarm', { account: account === null ? null : code(account), reason: code(reason), count });
  }

  trouble(where: string, reason: string): void {
    this.#log.write('warn', 'trouble', { where: code(where), reason: code(reason) });
  }

  streamOpened(account: string, stream: string, cause: string): void {
    this.#log.write('info', 'stream.opened', { account: code(account), stream: code(stream), cause: code(cause) });
  }

  spoolFound(state: string, count: number): void {
    this.#log.write(state === 'new' ? 'info' : 'error', 'spool.found', { state: code(state), count });
  }

  spoolLevel(level: string, percent: number): void {
    this.#log.write(level === 'normal' ? 'info' : 'error', 'spool.level', { level: code(level), percent });
  }

  shipped(records: number): void {
    this.#log.write('debug', 'batch.shipped', { records });
  }

  receipts(streams: number): void {
    this.#log.write('debug', 'receipt.accepted', { streams });
  }

  batchRefused(side: 'archiver' | 'connector' | 'reader', reason: string): void {
    this.#log.write('error', 'batch.refused', { side: code(side), reason: code(reason) });
  }

  pruned(records: number): void {
    this.#log.write('info', 'spool.pruned', { records });
  }

  logRecovered(size: number, segments: number): void {
    this.#log.write('info', 'log.recovered', { size, segments });
  }

  segmentWritten(first: number, records: number, size: number, puts: number): void {
    this.#log.write('info', 'segment.written', { first, records, size, puts });
  }

  readBack(leaves: number): void {
    this.#log.write('info', 'pack.read-back', { leaves });
  }

  indexed(size: number, records: number): void {
    this.#log.write('info', 'index.grown', { size, records });
  }

  cosigned(size: number): void {
    this.#log.write('info', 'checkpoint.cosigned', { size });
  }

  cosigningRefused(status: number, reason: string): void {
    const level = status === 403 || status === 422 ? 'error' : 'warn';
    this.#log.write(level, 'checkpoint.refused', { status, reason: code(reason) });
  }

  /** Something that is stored is not as it was. */
  scrubFinding(finding: string): void {
    this.#log.write('error', 'scrub.finding', { code: code(finding) });
  }

  scrubProgress(read: number, objects: number, secondsLeft: number): void {
    this.#log.write('info', 'scrub.progress', { read, objects, secondsLeft });
  }

  /** The round will take this many days longer than it should. */
  scrubLate(days: number): void {
    this.#log.write('warn', 'scrub.late', { days });
  }

  scrubbed(objects: number, bytes: number, findings: number): void {
    this.#log.write(findings > 0 ? 'error' : 'info', 'scrub.round', { objects, bytes, findings });
  }

  /** Legal holds after a round. `findings`: objects that are missing, or held and in no log. */
  holdsKept(holds: number, wanted: number, set: number, lifted: number, findings: number): void {
    this.#log.write(findings > 0 ? 'error' : 'info', 'hold.round', { holds, wanted, set, lifted, findings });
  }

  unscheduledClass(count: number): void {
    this.#log.write('error', 'retention.unscheduled', { count });
  }
}

/** What a failure says of itself, which is never content. Errors of others say their code alone: their texts may hold anything. */
function wordsOf(error: unknown): LogFields {
  if (!(error instanceof Failure)) return {};
  const { expected, got, where, fix } = error.detail;
  const said = Object.entries({ expected, got, where, do: fix });
  return Object.fromEntries(said.flatMap(([name, words]) => (words === undefined ? [] : [[name, { words }]])));
}
