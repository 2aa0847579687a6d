// SPDX-License-Identifier: AGPL-3.0-or-later
import { canonicalize, type Json } from '../record/canonical.ts';
import type { MessageRef, NativeId, View, ViewBody } from '../record/message.ts';
import type { GapCause, GapScope, GapState } from '../record/vocabulary.ts';
import type { ContentCapture, GapCapture } from './connector.ts';

// What the connector itself has to say: gaps, snapshots and reports. There are no upstream bytes, or those of an answer.

export interface OwnRecord<Via extends string> {
  readonly body: ViewBody;
  readonly chat?: View['chat'];
  /** Tells apart what is recorded more than once; the time if nothing better does. */
  readonly id: string;
  readonly raw: Uint8Array;
  readonly via: Via;
}

export interface GapFields {
  readonly cause: GapCause;
  readonly scope: GapScope;
  readonly state: GapState;
  readonly native?: NativeId | undefined;
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
  readonly count?: number;
  readonly ref?: string;
  readonly detail?: string;
  readonly target?: MessageRef | undefined;
}

/** The three kinds of records that a messenger's connector makes by itself. `Via` are the ways it knows. */
export interface OwnRecords<Via extends string> {
  /** The head of a view that is about the account as a whole. */
  readonly accountHead: (account: string) => Omit<View, keyof ViewBody>;
  readonly ownRecord: (account: string, nowMs: number, record: OwnRecord<Via>) => ContentCapture;
  readonly gapCapture: (account: string, nowMs: number, fields: GapFields) => GapCapture;
}

export function ownRecordsOf<Via extends string>(app: string): OwnRecords<Via> {
  const accountHead = (account: string): Omit<View, keyof ViewBody> => ({
    v: 1,
    app,
    account: { id: null, number: account },
    direction: 'none',
    chat: null,
    sender: null,
    sentAtMs: null,
    serverAtMs: null,
  });
  return {
    accountHead,
    ownRecord: (account, nowMs, { body, chat, id, raw, via }) => {
      const native = { chat: '', sender: '', id, kind: body.kind, revision: '' };
      const view = { ...accountHead(account), chat: chat ?? null, ...body } as View;
      return { type: 'content', native, via, atMs: nowMs, view, raw };
    },
    gapCapture: (account, nowMs, fields) => gapOf(accountHead(account), nowMs, fields),
  };
}

function gapOf(head: Omit<View, keyof ViewBody>, nowMs: number, fields: GapFields): GapCapture {
  const { cause, scope, state, native, fromMs, toMs, count, ref, detail = null, target } = fields;
  const body: ViewBody = { kind: 'gap', cause, detail, ...(target === undefined ? {} : { target }) };
  return {
    type: 'gap',
    cause,
    scope,
    state,
    atMs: nowMs,
    via: 'connector',
    ...(isTime(fromMs) ? { fromMs } : {}),
    ...(isTime(toMs) ? { toMs } : {}),
    ...(count === undefined ? {} : { count }),
    ...(ref === undefined ? {} : { ref }),
    ...(native === undefined ? {} : { native }),
    view: { ...head, ...body } as View,
    raw: jsonBytes({ cause, scope, state, detail, atMs: nowMs }),
  };
}

/** Senders' clocks may say anything; a clear field holds four digits of a year. */
function isTime(atMs: number | undefined): atMs is number {
  return atMs !== undefined && atMs > 0 && atMs < LATEST_MS;
}

const LATEST_MS = Date.UTC(9999, 11, 31);

export function jsonBytes(value: Json): Uint8Array {
  return Buffer.from(canonicalize(value));
}
