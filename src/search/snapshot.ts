// SPDX-License-Identifier: AGPL-3.0-or-later
import type { GapRow, IndexState, Named, ShownLine } from './index-db.ts';
import type { LineKind, LineRecord } from './line.ts';
import type { Query } from './query.ts';

/** A line with every record that is folded into it, in the order of the log. */
export interface StoredLine {
  readonly shown: ShownLine;
  readonly records: readonly LineRecord[];
}

/** What must be known of a line to choose it; nothing of what it says. */
export interface OutlineLine {
  readonly id: number;
  readonly atMs: number;
  readonly kind: LineKind;
  /** Leaf of its first record: names the line in every index of this log. */
  readonly leaf: number;
}

export interface ConversationFacts {
  readonly id: number;
  readonly app: string;
  readonly type: string;
  /** The messenger's identifier; null for a direct one, which its two people name. */
  readonly native: string | null;
  /** The two of a direct conversation. */
  readonly pair: readonly Named[];
}

/** A line and where it stands. */
export interface PlacedLine {
  readonly line: number;
  readonly conversation: number;
}

/**
 * One state of an index, however long it is looked at: for answers that take many questions, such as an export.
 *
 * Every answer MUST be of the state that {@link state} names, whatever is taken into the index meanwhile. Lists that grow with the
 * index MUST be of numbers only; lines are asked for in parts.
 */
export interface IndexSnapshot extends AsyncDisposable {
  readonly state: IndexState;
  /** All lines that match, and names in the query that nobody here bears. */
  matching(query: Query): Promise<{ readonly lines: readonly PlacedLine[]; readonly unmatched: readonly string[] }>;
  /** The lines that records of these ids (hex) are part of, by id of the record. Ids of no record here are absent. */
  ofRecords(ids: ReadonlySet<string>): Promise<ReadonlyMap<string, PlacedLine>>;
  /** Conversations that a title, a name of the other side, the messenger's identifier or `#number` means. */
  conversationsCalled(value: string): Promise<readonly number[]>;
  conversation(id: number): Promise<ConversationFacts | null>;
  /** What it was called at a time. */
  title(conversation: number, atMs: number): string;
  /** Whose somebody's number or identifier was at a time, by the agency's directory; null where that does not say. */
  custodianOf(named: Named, atMs: number): string | null;
  /** All lines of a conversation, by time and then leaf. */
  outline(conversation: number): Promise<readonly OutlineLine[]>;
  /** Lines of one conversation, in the order asked for. */
  lines(conversation: number, ids: readonly number[]): Promise<readonly StoredLine[]>;
  /** Gaps of the accounts that these conversations were captured from, each once, in the order of the log. */
  gaps(conversations: readonly number[]): Promise<readonly GapRow[]>;
}
