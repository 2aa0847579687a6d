// SPDX-License-Identifier: AGPL-3.0-or-later
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Deed } from '../access/act.ts';
import type { Directory } from './acts-db.ts';
import { foldedName } from './words.ts';

interface Known {
  readonly directory: Directory | null;
  readonly byIdentifier: ReadonlyMap<string, Directory['rows']>;
}

type DirectoryPart = Extract<Deed, { act: 'directory' }>;

/** The agency's directory in force: the newest version that is whole. Remembers until told that the index has grown. */
export class DirectoryReader {
  readonly #parts: StatementSync;
  #known: Known | null = null;

  constructor(db: DatabaseSync) {
    this.#parts = db.prepare("SELECT at, deed FROM standing WHERE name = 'directory' ORDER BY at DESC, id DESC");
  }

  forget(): void {
    this.#known = null;
  }

  read(): Directory | null {
    return this.#read().directory;
  }

  /** Rows whose custodian is called so: the whole name, or words of it in a row. */
  called(value: string): Directory['rows'] {
    const folded = foldedName(value);
    if (folded === '') return [];
    return (this.read()?.rows ?? []).filter(({ custodian }) => ` ${foldedName(custodian)} `.includes(` ${folded} `));
  }

  /** Whose an identifier or number was at a time; null where the directory does not say. */
  custodianOf(identifiers: readonly (string | null)[], atMs: number): string | null {
    const { byIdentifier } = this.#read();
    for (const identifier of identifiers) {
      const rows = identifier === null ? undefined : byIdentifier.get(identifier);
      const row = rows?.find(({ fromMs, toMs }) => (fromMs ?? -Infinity) <= atMs && atMs <= (toMs ?? Infinity));
      if (row !== undefined) return row.custodian;
    }
    return null;
  }

  #read(): Known {
    if (this.#known !== null) return this.#known;
    const directory = this.#newestWhole();
    const byIdentifier = Map.groupBy(directory?.rows ?? [], ({ identifier }) => identifier);
    this.#known = { directory, byIdentifier };
    return this.#known;
  }

  #newestWhole(): Directory | null {
    const versions = new Map<string, { atMs: number; parts: Map<number, DirectoryPart> }>();
    for (const { at, deed } of this.#parts.iterate()) {
      const part = JSON.parse(String(deed)) as DirectoryPart;
      const version = versions.get(part.version) ?? { atMs: Number(at), parts: new Map() };
      version.parts.set(part.part, part);
      versions.set(part.version, version);
    }
    for (const [version, { atMs, parts }] of versions) {
      const ordered = [...parts.values()].toSorted((a, b) => a.part - b.part);
      const isWhole = ordered.length === ordered[0]?.of && ordered.every(({ part }, at) => part === at + 1);
      if (isWhole) return { version, atMs, rows: ordered.flatMap(({ rows }) => rows) };
    }
    return null;
  }
}
