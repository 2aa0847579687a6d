// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Attachment, ObjectKey } from '../record/message.ts';
import type { Hex256, RepackEntry } from '../record/entry-types.ts';
import type { ActsDb } from './acts-db.ts';
import type { FacetRequest, Facets } from './facets.ts';
import type { Line, LineKind, PersonId } from './line.ts';
import type { LogPosition } from './log-cursor.ts';
import type { AwaitedBytes, ReadRecord, ReadSegment } from './open-records.ts';
import type { Defect } from './open-task.ts';
import type { Query } from './query.ts';

/** What an index says of itself, and with every answer: it is complete up to here, and knows nothing of what came later. */
export interface IndexState {
  readonly position: LogPosition;
  /** Records of streams that were taken in, beats excepted. */
  readonly records: number;
  /** Lines that have become of them. */
  readonly lines: number;
  /** Records that could not be read: each is a line that says why. */
  readonly unreadable: number;
  /** Those of them whose bytes were missing or damaged: they are read as soon as the bytes are there. */
  readonly awaited: number;
}

/** A record whose bytes were missing or damaged. */
export interface AwaitedRecord {
  readonly leaf: number;
  readonly id: Hex256;
  /** First leaf of the segment it stands in. */
  readonly segment: number;
  readonly bytes: AwaitedBytes;
  readonly defect: Defect;
}

export interface Named {
  readonly person: PersonId;
  /** Name in force at the time asked about; null where none was known by then. */
  readonly name: string | null;
  readonly number: string | null;
  readonly id: string | null;
}

export interface Hit {
  /** Names the line within this index; ascending by time. */
  readonly line: number;
  readonly conversation: number | null;
  readonly title: string;
  readonly kind: LineKind;
  readonly atMs: number;
  readonly author: Named | null;
  readonly text: string;
  readonly edited: boolean;
  readonly deleted: boolean;
  /** Accounts it was captured from. */
  readonly copies: number;
  /** Leaf of its first record in the log. */
  readonly leaf: number;
}

export type SearchOrder = 'newest' | 'oldest' | 'relevance';

export interface PageRequest {
  readonly order: SearchOrder;
  readonly limit: number;
  /** `next` of the page before; null for the first. */
  readonly after: string | null;
}

export interface HitPage {
  readonly hits: readonly Hit[];
  /** What to ask for next; null behind the last page. */
  readonly next: string | null;
  /** Names in the query that nobody and nothing in this index bears. */
  readonly unmatched: readonly string[];
  readonly state: IndexState;
}

export interface Conversation {
  readonly id: number;
  readonly app: string;
  readonly type: string;
  readonly title: string;
  readonly lines: number;
  readonly firstMs: number | null;
  readonly lastMs: number | null;
}

/** A line as it is shown: folded from its records, with everybody it names as of its time. */
export interface ShownLine {
  readonly id: number;
  readonly atMs: number;
  readonly line: Line;
  readonly people: ReadonlyMap<PersonId, Named>;
  /** Who was a member then; null where no snapshot tells. */
  readonly members: readonly Named[] | null;
  /** Whose accounts it was captured from, by the agency's directory as of its time; empty where that does not say. */
  readonly custodians: readonly string[];
}

/** Lines of a conversation in order of time: the first `limit` behind line `after`, or the last `limit` in front of line `before`. */
export type LineRequest =
  | { readonly after: number | null; readonly before?: undefined; readonly limit: number }
  | { readonly before: number; readonly after?: undefined; readonly limit: number };

export interface LinePage {
  readonly lines: readonly ShownLine[];
  /** To go on in the direction asked for; null where it ends. */
  readonly next: number | null;
  readonly state: IndexState;
}

/** A line by itself, and where it stands. */
export interface FoundLine {
  readonly conversation: Conversation | null;
  readonly shown: ShownLine;
  readonly state: IndexState;
}

/** A file whose bytes are in the archive: what was said of it, and what opens it. Holds a key: it never leaves the reader's process. */
export interface FoundFile {
  readonly attachment: Attachment;
  readonly object: ObjectKey;
  /** Id of the record that holds the key: what is read of it again is held against that. */
  readonly id: Hex256;
}

export interface PeoplePage {
  readonly people: readonly (Named & { readonly app: string; readonly names: readonly string[] })[];
  readonly next: number | null;
  readonly state: IndexState;
}

/** Something that the log itself says is missing, on an account. */
export interface GapRow {
  readonly leaf: number;
  readonly app: string;
  readonly account: Named | null;
  readonly cause: string;
  readonly scope: string;
  /** `open` until a later record closes it. */
  readonly state: 'open' | 'closed' | 'final';
  readonly sinceMs: number | null;
  readonly untilMs: number | null;
}

/**
 * An index over opened records: derived, never evidence, deleted and built again at will. One process writes, any number reads.
 *
 * The same segments MUST give the same answers, in however many calls of `apply` they come. Readers MUST see each call whole or not
 * at all. What was taken in MUST NOT get lost without the position going back as well.
 */
export interface IndexDb extends AsyncDisposable {
  /** What readers did and decided. */
  readonly acts: ActsDb;
  /** Null for an index that was never written to. */
  state(): Promise<IndexState | null>;
  /** Takes in segments that follow one another, from where the index stands to `position`. MUST refuse any others. */
  apply(segments: readonly ReadSegment[], position: LogPosition): Promise<void>;
  /** Records that wait for their bytes, in order of the log. */
  awaited(): Promise<readonly AwaitedRecord[]>;
  /** Packs that took over from others, as the log told so far. */
  repacks(): Promise<readonly RepackEntry[]>;
  /**
   * Puts records that have become readable in the place of those that {@link awaited} named; MUST pass over any others. Afterwards the
   * index MUST answer as if they had been readable at once. Lines of one second may change places by it: a page by time that is asked for
   * behind it may show some of those again, or leave some out.
   */
  mend(records: readonly ReadRecord[]): Promise<void>;
  /**
   * A page of lines. By time, pages stay in step while the index grows: nothing comes twice, and nothing that was there at the first
   * page is left out. By relevance the order depends on all there is: a page of an index that grew MUST be refused (`search/page`).
   */
  search(query: Query, page: PageRequest): Promise<HitPage>;
  /** How many lines match, exactly. */
  count(query: Query): Promise<number>;
  /** What a query finds, counted by what it is, exactly. */
  facets(query: Query, request: FacetRequest): Promise<Facets>;
  conversations(): Promise<Conversation[]>;
  /** Those that a title, a name of the other side, the messenger's identifier or `#number` means. */
  conversationsCalled(value: string): Promise<number[]>;
  /** One of them. Throws `search/not-found`. */
  conversation(id: number): Promise<Conversation>;
  /** Lines of one conversation. Throws `search/not-found`. */
  lines(conversation: number, page: LineRequest): Promise<LinePage>;
  /** The line that the record of this leaf is part of; of several, the first. Throws `search/not-found`. */
  line(leaf: number): Promise<FoundLine>;
  /** The file whose key the record of this leaf holds. Throws `search/not-found`. */
  file(leaf: number): Promise<FoundFile>;
  /** Everybody known here, in the order they were first seen, from behind person `after`. */
  people(page: { readonly after: number | null; readonly limit: number }): Promise<PeoplePage>;
  /** Gaps of the accounts that this conversation was captured from, or of all. */
  gaps(conversation: number | null): Promise<GapRow[]>;
}
