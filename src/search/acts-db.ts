// SPDX-License-Identifier: AGPL-3.0-or-later
import type { EscrowEntry } from '../record/entry-types.ts';
import type { QueryNode } from './query.ts';
import type { Act, Actor, Deed, DirectoryRow, HoldScope, Target } from '../access/act.ts';

/** An act as the log has it: who did what, when by their clock, and where it stands. */
export interface LoggedAct {
  readonly id: string;
  readonly leaf: number;
  readonly atMs: number;
  readonly by: Actor;
  readonly deed: Deed;
}

export interface ActPage {
  readonly limit: number;
  /** `next` of the page before; null for the first. Newest first. */
  readonly after: string | null;
  readonly user?: string;
  readonly act?: string;
  /** Acts that showed, or decided about, the message whose record stands at this leaf. */
  readonly leaf?: number;
}

export interface TagOf {
  readonly tag: string;
  readonly target: Target;
  readonly atMs: number;
  readonly user: string;
}

export interface NoteOf {
  readonly text: string;
  readonly target: Target | null;
  readonly atMs: number;
  readonly user: string;
}

export interface HoldOf {
  readonly hold: string;
  readonly matter: string;
  readonly scope: HoldScope;
  readonly atMs: number;
  readonly user: string;
}

/** A matter with all that belongs to it, folded from acts: the latest word on each thing counts. */
export interface Matter {
  readonly matter: string;
  readonly name: string;
  readonly state: 'open' | 'closed';
  readonly custodians: readonly string[];
  readonly searches: readonly { readonly name: string; readonly query: string }[];
  readonly tags: readonly TagOf[];
  readonly notes: readonly NoteOf[];
  readonly holds: readonly HoldOf[];
}

/** What the store must keep for a hold: hashes of packs and of sealed objects, ascending. */
export interface KeptObjects {
  readonly packs: readonly string[];
  readonly media: readonly string[];
  /** Lines that the hold covers. */
  readonly lines: number;
}

/** An entry of the log about the shares of a key. */
export interface LoggedCeremony {
  readonly leaf: number;
  /** Its id: the leaf hash. */
  readonly id: string;
  readonly entry: EscrowEntry;
}

/** How a hold stands in the log: what officers approved. */
export interface HoldInLog {
  readonly hold: string;
  readonly state: 'placed' | 'extended' | 'released';
  readonly reference: string;
  /** Its entries in the order of the log. */
  readonly entries: readonly {
    readonly leaf: number;
    readonly state: string;
    readonly atMs: number;
    /** SHA-256 of what the officers signed, and their key ids. */
    readonly signed: string;
    readonly officers: readonly string[];
  }[];
  readonly packs: readonly string[];
  readonly media: readonly string[];
}

export interface Directory {
  readonly version: string;
  readonly atMs: number;
  readonly rows: readonly DirectoryRow[];
}

/**
 * What readers did and decided, folded from the log. The same acts MUST give the same answers in whatever order and however often they
 * come: of two about one thing the one with the later time counts, of two of one time the one with the greater id.
 */
export interface ActsDb {
  accessLog(page: ActPage): { readonly acts: readonly LoggedAct[]; readonly next: string | null };
  matters(): readonly Matter[];
  /** Those of this name (case and accents do not count), or whose id begins so. */
  mattersCalled(value: string): readonly Matter[];
  /** The newest version of which all parts are there; null if there is none. */
  directory(): Directory | null;
  /** What a hold of this scope covers now. Throws what a query throws. */
  kept(scope: HoldScope): KeptObjects;
  /** Holds as the log has them, in the order in which they were placed. */
  holds(): readonly HoldInLog[];
  /** Ceremonies with the shares of a key: their entries as the log has them, in its order. */
  ceremonies(): readonly LoggedCeremony[];
  /** Conversations in which a query finds a line. */
  families(query: QueryNode | null): number;
  /** Leaf of the first record of a line or a conversation of this index; null if there is none. */
  leafOfConversation(conversation: number): number | null;
  /** False for a leaf that no line of this index is made of. */
  hasLine(leaf: number): boolean;
}

export type { Act };
