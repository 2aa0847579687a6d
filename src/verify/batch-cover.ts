// SPDX-License-Identifier: Apache-2.0
import { encodeStatement, parseStatement, verifyStatement, type BatchStatement } from '../record/batch.ts';
import { isStreamRecord } from '../record/entry.ts';
import type { Entry, EntryType } from '../record/entry-types.ts';
import { FormatError } from '../record/format-error.ts';
import type { SigningKey } from '../record/key.ts';
import type { Findings } from './findings.ts';
import type { RunSigner } from './summary.ts';

export interface CoveringBatch {
  readonly statement: BatchStatement;
  /** Index of its first entry in the segment, and of the entry behind its last. */
  readonly from: number;
  readonly to: number;
  /** Types of the records that its signer signed; null if its signature does not verify. */
  readonly types: Map<EntryType, number> | null;
}

type OpenSigner = { -readonly [K in keyof Omit<RunSigner, 'types'>]: RunSigner[K] } & {
  readonly types: Map<EntryType, number>;
};

interface CoverParts {
  readonly origin: string;
  readonly firstLeaf: number;
  readonly entries: number;
  readonly keys: ReadonlyMap<string, SigningKey>;
  readonly findings: Findings;
}

/** The statements of a segment, in order, over its first entries: who signed which record. */
export class BatchCover {
  readonly #parts: CoverParts;
  readonly #batches: CoveringBatch[] = [];
  readonly #signers = new Map<string, Map<string, OpenSigner>>();
  /** False if a statement could not be read: nobody can say then where the next one begins. */
  readonly isKnown: boolean;
  #cursor = 0;

  constructor(lines: readonly Buffer[], parts: CoverParts) {
    this.#parts = parts;
    this.isKnown = this.#read(lines);
    if (!this.isKnown) this.#batches.length = 0;
  }

  #read(lines: readonly Buffer[]): boolean {
    const { origin, firstLeaf, entries, findings } = this.#parts;
    let from = 0;
    for (const line of lines) {
      const statement = this.#parse(line, firstLeaf + from);
      if (statement === null) return false;
      const to = from + statement.count;
      const where = { leaf: firstLeaf + from, stream: statement.stream, seq: statement.first };
      if (statement.origin !== origin) findings.add('verify/batch-origin', where, origin, 'another log');
      if (to > entries) {
        findings.add('verify/batch-overrun', where, `at most ${entries} entries`, `${to}`);
        return false;
      }
      this.#batches.push({ statement, from, to, types: this.#judgeSignature(statement, where) });
      from = to;
    }
    return true;
  }

  #parse(line: Buffer, leaf: number): BatchStatement | null {
    try {
      return parseStatement(line.toString('latin1'));
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      this.#parts.findings.add('verify/batch-malformed', { leaf }, error.expected, error.got);
      return null;
    }
  }

  #judgeSignature(
    statement: BatchStatement,
    where: { leaf: number; stream: string; seq: number },
  ): CoveringBatch['types'] {
    const key = this.#parts.keys.get(statement.key);
    try {
      if (key !== undefined) verifyStatement(statement, key);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      this.#parts.findings.add('verify/batch-signature', where, error.expected, error.got);
      return null;
    }
    return this.#addSigner(statement, where.leaf, key === undefined);
  }

  #addSigner(statement: BatchStatement, leaf: number, isUnknown: boolean): CoveringBatch['types'] {
    const { stream, key, gen } = statement;
    const ofStream = this.#signers.get(stream) ?? new Map<string, OpenSigner>();
    this.#signers.set(stream, ofStream);
    const name = `${key} ${gen}`;
    const signer: OpenSigner = ofStream.get(name) ?? {
      key,
      gen,
      leaf,
      state: isUnknown ? 'unknown' : 'good',
      statements: [],
      types: new Map(),
    };
    ofStream.set(name, signer);
    if (isUnknown) signer.statements = [...signer.statements, encodeStatement(statement)];
    return signer.types;
  }

  /** Number of entries that batches cover. */
  get end(): number {
    return this.#batches.at(-1)?.to ?? 0;
  }

  signersOf(stream: string): RunSigner[] {
    return [...(this.#signers.get(stream)?.values() ?? [])];
  }

  /** The batch that covers an entry; indices are asked for in ascending order. */
  at(index: number): CoveringBatch | null {
    while (this.#cursor < this.#batches.length && (this.#batches[this.#cursor] as CoveringBatch).to <= index) {
      this.#cursor += 1;
    }
    return this.#batches[this.#cursor] ?? null;
  }

  /** Holds a statement against the entry it covers there. */
  judge(entry: Entry, id: string, index: number, batch: CoveringBatch | null): void {
    const { findings, firstLeaf } = this.#parts;
    const leaf = firstLeaf + index;
    if (!isStreamRecord(entry)) {
      if (batch !== null) findings.add('verify/entry-order', { leaf }, 'a record of a batch', `a ${entry.t} entry`);
      return;
    }
    const { stream, seq } = entry;
    const where = { leaf, stream, seq };
    if (batch === null) {
      if (this.isKnown) findings.add('verify/batch-uncovered', where, 'a statement over every record', 'none');
      return;
    }
    const { statement, from, to, types } = batch;
    if (types !== null && !types.has(entry.t)) types.set(entry.t, leaf);
    if (statement.stream !== stream) {
      findings.add('verify/batch-foreign-record', where, `a record of stream ${statement.stream}`, 'another stream');
    } else if (index === from && statement.first !== seq) {
      findings.add('verify/batch-first', where, `${statement.first}`, `${seq}`);
    }
    if (entry.t === 'hole' && index !== to - 1) {
      findings.add('verify/batch-hole', where, 'a hole as the last entry of its batch', `${to - 1 - index} behind it`);
    }
    if (index === to - 1 && statement.last !== id) {
      findings.add('verify/batch-last', where, statement.last, id);
    }
  }
}
