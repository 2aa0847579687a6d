// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Hex256, StreamHead } from '../record/entry-types.ts';
import type { NativeId, View } from '../record/message.ts';
import type { App, GapCause, GapScope, GapState } from '../record/vocabulary.ts';

/** One message, event or state: the upstream bytes, always, and what was understood of them. */
export interface ContentCapture {
  readonly type: 'content';
  /** Two captures with one native identity and the same bytes are one record. */
  readonly native: NativeId;
  /** Which intake brought it. */
  readonly via: string;
  readonly atMs: number;
  readonly view: View;
  readonly raw: Uint8Array;
}

/** Something that should be in the archive and is not, or no longer missing. The clear fields are closed vocabularies. */
export interface GapCapture {
  readonly type: 'gap';
  readonly cause: GapCause;
  readonly scope: GapScope;
  readonly state: GapState;
  readonly atMs: number;
  readonly via: string;
  /** Last moment known to be good, and first one known to be good again. */
  readonly fromMs?: number;
  readonly toMs?: number;
  readonly count?: number;
  /** Where the account's earlier stream ended, for a gap between streams. */
  readonly last?: StreamHead;
  /** Id of the gap that this one closes or ends. */
  readonly ref?: Hex256;
  /** Identity of what is missing, where it is one thing: a message, an attachment, a conversation. */
  readonly native?: NativeId;
  /** Details for those who may read. */
  readonly view: View;
  readonly raw: Uint8Array;
}

/** Bytes that belong to a captured message. `view` gets the object's key when it is sealed. */
export interface MediaCapture {
  readonly native: NativeId;
  readonly via: string;
  readonly atMs: number;
  readonly view: (object: SealedObject) => View;
  readonly raw: Uint8Array;
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** How to open an object later; goes into the sealed view of its record. */
export interface SealedObject {
  /** Hex. */
  readonly key: string;
  /** Plaintext length and SHA-256. */
  readonly size: number;
  readonly sha256: Hex256;
}

export type Capture = ContentCapture | GapCapture;

/** One change of the session state, stored with the captures in one transaction. `null` deletes. Encrypted at rest. */
export interface SessionChange {
  readonly name: string;
  readonly value: Uint8Array | null;
}

export interface Delivered {
  readonly seq: number;
  readonly id: Hex256;
  /** False if another intake had brought the same bytes before: nothing was recorded again. */
  readonly fresh: boolean;
}

export interface OpenGap {
  readonly id: Hex256;
  readonly cause: GapCause;
  readonly scope: GapScope;
  /** When it was recorded, ms since 1970. */
  readonly atMs: number;
  /** Pseudonym of what is missing; compare with {@link AccountSink.tagOf}. */
  readonly tag: string | null;
}

/**
 * Where a connector puts what it captured for one account: the only way out of a connector.
 *
 * Connectors MUST NOT acknowledge upstream, move a cursor or delete a file before `deliver` resolves, and MUST deliver again
 * after a rejection. Delivering twice is harmless.
 */
export interface AccountSink {
  /** Resolves once captures and session changes are durable (fsync), together or not at all. */
  deliver(captures: readonly Capture[], session?: readonly SessionChange[]): Promise<readonly Delivered[]>;

  /** Seals a stream of bytes into an object, in bounded memory, and records it. Resolves once both are durable. */
  deliverMedia(media: MediaCapture, session?: readonly SessionChange[]): Promise<Delivered>;

  /** Resolves when the spool takes captures; waits while it is over its high watermark. Call it before taking from upstream. */
  ready(): Promise<void>;

  /** Committed session state, decrypted; null if there is none. */
  session(name: string): Buffer | null;

  /** Names of committed session entries that start with `prefix`. */
  sessionNames(prefix: string): readonly string[];

  /** Gaps of this account that are neither closed nor final. */
  openGaps(): readonly OpenGap[];

  /** True if a capture with this native identity is recorded. */
  has(native: NativeId): boolean;

  tagOf(native: NativeId): string;

  /** Which intakes brought recent messages; for reconciliation and reports. */
  sightings(sinceMs: number): Sightings;
}

/** Messages first seen since a time, by intake. */
export interface Sightings {
  readonly total: number;
  readonly byIntake: Readonly<Record<string, number>>;
  /** Messages that only one of several intakes brought. */
  readonly only: Readonly<Record<string, number>>;
  /** Messages of which two intakes brought differing bytes; all are kept. */
  readonly differing: number;
}

/** State of one session. `capturing` alone is "green"; everything else names who must act. */
export interface Health {
  readonly state: 'starting' | 'capturing' | 'degraded' | 'not-linked' | 'unlinked' | 'stopped';
  /** Since when, ms since 1970. */
  readonly sinceMs: number;
  /** Closed vocabulary of the connector, for operators; never content. */
  readonly reasons: readonly string[];
  readonly lastCaptureMs: number | null;
}

/** What a session gets from its surroundings. */
export interface SessionDeps {
  /** The accounts it captures, by the name the messenger gives them (a phone number, mostly). Fixed for the session's life. */
  readonly accounts: ReadonlyMap<string, AccountSink>;
  readonly clock: () => number;
  readonly events: ConnectorEvents;
}

/** What a session may tell operators. Implementations write logs and metrics; no member takes free text. */
export interface ConnectorEvents {
  /** The state of an account changed. Implementations show the account by its label, never by its number. */
  state(account: string, health: Health): void;
  /** Something was captured by an intake: for counts only. */
  captured(account: string, intake: string, count: number): void;
  /** A person should look. `reason` is from the connector's closed vocabulary. */
  alarm(account: string | null, reason: string, count?: number): void;
  /** A failure that the session will retry. */
  trouble(reason: string, error: unknown): void;
}

/** Capture from one back end, for the accounts that live there. */
export interface Session {
  /** Runs until `signal` aborts. Heals transient faults itself; throws only what is `fatal`. */
  run(signal: AbortSignal): Promise<void>;
  /** Cached. MUST NOT do I/O. */
  health(account: string): Health;
  /** Starts linking an account; yields what the operator must see. */
  link(account: string, signal: AbortSignal, options?: LinkOptions): AsyncIterable<LinkStep>;
}

export interface LinkOptions {
  /** Show a code to type into the phone instead of one to scan, where the messenger has that. */
  readonly code?: boolean;
}

export type LinkStep =
  | { readonly step: 'show-qr'; readonly uri: string; readonly expiresInSeconds: number | null }
  | { readonly step: 'show-code'; readonly code: string; readonly expiresInSeconds: number | null }
  | { readonly step: 'waiting' }
  | { readonly step: 'linked' }
  | { readonly step: 'expired' }
  | { readonly step: 'failed'; readonly reason: string };

/** A messenger. One folder, one value of this type. */
export interface Connector<Config> {
  /** Goes into every stream: never change or reuse. Equals the folder name. */
  readonly app: App;
  /** MUST NOT do I/O. */
  open(config: Config, deps: SessionDeps): Session;
}
