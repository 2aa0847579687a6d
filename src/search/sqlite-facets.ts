// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Counted, CountedList, FacetRequest, Facets } from './facets.ts';
import type { LineKind } from './line.ts';
import { isTime, LocalTime } from './local-time.ts';
import { ofCustodian, type Query } from './query.ts';
import type { Answering } from './sqlite-answering.ts';
import { compileQuery } from './sqlite-compile.ts';
import type { SearchReader } from './sqlite-reader.ts';
import { LINES_A_SECOND } from './line-id.ts';

type Counts<Key> = Map<Key, number>;
type CountedRow = readonly [id: number, conversation: number | null, author: number | null, kind: LineKind];

/** Clocks differ by whole quarters of an hour: lines of one quarter are of one day, wherever. */
const QUARTER_SECONDS = 900;
const QUARTER_IDS = QUARTER_SECONDS * LINES_A_SECOND;
const QUARTER_MS = QUARTER_SECONDS * 1000;
const DAY_MS = 86_400_000;
const DAY_LENGTH = 10;
const MONTH_LENGTH = 7;

/** Counts what a query finds by what it is: one pass over the lines, and a count for each custodian. */
export class FacetReader {
  readonly #a: Answering;
  readonly #search: SearchReader;

  constructor(answering: Answering, search: SearchReader) {
    this.#a = answering;
    this.#search = search;
  }

  /** Throws what a query throws, and for a zone that there is not. */
  facets(query: Query, { zone, span, most }: FacetRequest): Facets {
    const time = new LocalTime(zone);
    return this.#a.snapshot((state) => {
      const compiled = compileQuery(query.root, this.#a.names);
      const { from, params } = this.#search.source(compiled);
      const [kinds, conversations, authors, quarters]: [
        Counts<LineKind>,
        Counts<number>,
        Counts<number>,
        Counts<number>,
      ] = [new Map(), new Map(), new Map(), new Map()];
      let total = 0;
      const lines = this.#a.prepared(`SELECT l.id, l.conversation, l.author, l.kind ${from}`, true).iterate(...params);
      for (const [id, conversation, author, kind] of lines as unknown as Iterable<CountedRow>) {
        total += 1;
        add(kinds, kind);
        add(quarters, Math.floor(id / QUARTER_IDS));
        if (conversation !== null) add(conversations, conversation);
        if (author !== null) add(authors, this.#a.names.root(author));
      }
      return {
        total,
        kinds: sorted(kinds),
        apps: sorted(this.#apps(conversations)),
        conversations: this.#listed(conversations, most, (id) => ({ id, title: this.#titleOf(id) })),
        authors: this.#listed(authors, most, (person) => this.#a.names.named(person, Number.MAX_SAFE_INTEGER)),
        custodians: this.#custodians(query, most),
        times: timesOf(quarters, time, span),
        unmatched: compiled.unmatched,
        state,
      };
    });
  }

  #apps(conversations: Counts<number>): Counts<string> {
    const apps: Counts<string> = new Map();
    const app = this.#a.prepared('SELECT app FROM conversation WHERE id = ?');
    for (const [id, count] of conversations) add(apps, String(app.get(id)?.['app'] ?? ''), count);
    return apps;
  }

  #titleOf(conversation: number): string {
    return this.#a.names.title(conversation, Number.MAX_SAFE_INTEGER);
  }

  #listed<Key, Value>(counts: Counts<Key>, most: number, named: (key: Key) => Value): CountedList<Value> {
    const all = sorted(counts);
    const shown = all.slice(0, most).map(({ value, count }) => ({ value: named(value), count }));
    return { counts: shown, others: all.length - shown.length };
  }

  /** Each is a query of its own: whose an account was depends on the time of the line. */
  #custodians(query: Query, most: number): CountedList<string> {
    const names = new Set((this.#a.names.directory.read()?.rows ?? []).map(({ custodian }) => custodian));
    const counts: Counts<string> = new Map();
    for (const custodian of names) {
      const count = this.#search.countOf(ofCustodian(query.root, custodian));
      if (count > 0) counts.set(custodian, count);
    }
    return this.#listed(counts, most, (custodian) => custodian);
  }
}

function add<Key>(counts: Counts<Key>, key: Key, count = 1): void {
  counts.set(key, (counts.get(key) ?? 0) + count);
}

/** The greatest first; of equals, the one that was met first. */
function sorted<Key>(counts: Counts<Key>): Counted<Key>[] {
  return [...counts].map(([value, count]) => ({ value, count })).toSorted((a, b) => b.count - a.count);
}

/** The day it was there. Zones are asked twice a day and not for each quarter of it: that takes longer than finding the lines. */
function dayOf(timeMs: number, time: LocalTime): string {
  const midnight = Math.floor(timeMs / DAY_MS) * DAY_MS;
  if (!isTime(timeMs) || !isTime(midnight + DAY_MS)) return time.day(timeMs);
  const [before, after] = [time.offsetMs(midnight), time.offsetMs(midnight + DAY_MS)];
  return before === after ? new Date(timeMs + before).toISOString().slice(0, DAY_LENGTH) : time.day(timeMs);
}

function timesOf(quarters: Counts<number>, time: LocalTime, span: FacetRequest['span']): Counted<string>[] {
  const times: Counts<string> = new Map();
  for (const [quarter, count] of quarters) {
    const day = dayOf(quarter * QUARTER_MS, time);
    add(times, span === 'day' ? day : day.slice(0, MONTH_LENGTH), count);
  }
  return [...times].map(([value, count]) => ({ value, count })).toSorted((a, b) => (a.value < b.value ? -1 : 1));
}
