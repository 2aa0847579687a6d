// SPDX-License-Identifier: AGPL-3.0-or-later
import type { AccountSink, Capture, ContentCapture, GapCapture, OpenGap, SessionChange } from '../connector.ts';
import { type GapFields } from '../own-records.ts';
import { gapCapture } from './own-records.ts';
import type { StateName } from './state.ts';

/** Captures and session changes of one transaction in the making. Reads see what was drafted before them. */
export class Draft {
  readonly account: string;
  readonly nowMs: number;
  readonly #sink: AccountSink;
  readonly #contents: ContentCapture[] = [];
  readonly #gaps: GapCapture[] = [];
  /** Gaps about to be opened, by what is missing: it may still arrive in this very transaction. */
  readonly #opening = new Map<string, GapCapture>();
  readonly #closed = new Set<string>();
  readonly #session = new Map<string, Uint8Array | null>();
  readonly #tags = new Set<string>();
  readonly #effects: (() => void)[] = [];

  constructor(sink: AccountSink, account: string, nowMs: number) {
    this.#sink = sink;
    this.account = account;
    this.nowMs = nowMs;
  }

  /** Adds a capture. False if one of this identity is recorded or drafted already: then what follows from it was done before. */
  content(capture: ContentCapture): boolean {
    this.#contents.push(capture);
    const tag = this.#sink.tagOf(capture.native);
    const isNew = !this.#tags.has(tag) && !this.#sink.has(capture.native);
    this.#tags.add(tag);
    return isNew;
  }

  /** A capture that the caller made, gap or content. */
  add(capture: Capture): void {
    if (capture.type === 'content') this.#contents.push(capture);
    else this.#gaps.push(capture);
  }

  gap(fields: GapFields): void {
    this.#gaps.push(gapCapture(this.account, this.nowMs, fields));
  }

  /** Opens a gap about one thing, unless it is about to be opened already. */
  open(tag: string, fields: Omit<GapFields, 'state'>): void {
    if (this.#opening.has(tag)) return;
    this.#opening.set(tag, gapCapture(this.account, this.nowMs, { ...fields, state: 'open' }));
  }

  /** The missing thing arrived: no gap need be opened, and the open one ends. */
  arrived(tag: string, open: readonly OpenGap[], fields: Pick<GapFields, 'native' | 'detail'> = {}): void {
    this.#opening.delete(tag);
    for (const gap of open) this.end(gap, 'closed', fields);
  }

  /** What went missing in this very transaction is back in it: a gap with both ends, for what came between is lost. */
  endOpening(tag: string, toMs: number): void {
    const opening = this.#opening.get(tag);
    if (opening === undefined) return;
    this.#opening.delete(tag);
    this.#gaps.push({ ...opening, state: 'final', toMs });
  }

  end(
    open: OpenGap,
    state: 'closed' | 'final',
    fields: Pick<GapFields, 'native' | 'toMs' | 'detail' | 'fromMs'> = {},
  ): void {
    if (this.#closed.has(open.id)) return;
    this.#closed.add(open.id);
    this.gap({ cause: open.cause, scope: open.scope, state, ref: open.id, ...fields });
  }

  write(name: StateName, value: Uint8Array | null): void {
    this.#session.set(name, value);
  }

  read(name: StateName): Uint8Array | null {
    const drafted = this.#session.get(name);
    return drafted === undefined ? this.#sink.session(name) : drafted;
  }

  /** What was drafted under this name; undefined if nothing was. */
  drafted(name: StateName): Uint8Array | null | undefined {
    return this.#session.get(name);
  }

  /** Runs once the transaction is durable. */
  afterwards(effect: () => void): void {
    this.#effects.push(effect);
  }

  /** Contents come first and in order, so that what was delivered can be told by position. */
  captures(): Capture[] {
    return [...this.#contents, ...this.#opening.values(), ...this.#gaps];
  }

  session(): SessionChange[] {
    return [...this.#session].map(([name, value]) => ({ name, value }));
  }

  get touchesGaps(): boolean {
    return this.#opening.size + this.#gaps.length > 0;
  }

  commit(): void {
    for (const effect of this.#effects) effect();
  }
}
