// SPDX-License-Identifier: AGPL-3.0-or-later
import { canonicalize, type Json } from '../../record/canonical.ts';
import type { MessageRef, NativeId, View, ViewBody } from '../../record/message.ts';
import type { GapCause, GapScope, GapState } from '../../record/vocabulary.ts';
import type { ContentCapture, GapCapture } from '../connector.ts';
import type { Via } from './reasons.ts';

// What the connector itself has to say: gaps, snapshots and reports. There are no upstream bytes.

/** The head of a view that is about the account as a whole. */
export function accountHead(account: string): Omit<View, keyof ViewBody> {
  return {
    v: 1,
    app: 'whatsapp',
    account: { id: null, number: account },
    direction: 'none',
    chat: null,
    sender: null,
    sentAtMs: null,
    serverAtMs: null,
  };
}

export interface OwnRecord {
  readonly body: ViewBody;
  readonly chat?: View['chat'];
  /** Tells apart what is recorded more than once; the time if nothing better does. */
  readonly id: string;
  readonly raw: Uint8Array;
  readonly via: Via;
}

export function ownRecord(account: string, nowMs: number, { body, chat, id, raw, via }: OwnRecord): ContentCapture {
  const native = { chat: '', sender: '', id, kind: body.kind, revision: '' };
  const view = { ...accountHead(account), chat: chat ?? null, ...body } as View;
  return { type: 'content', native, via, atMs: nowMs, view, raw };
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

export function gapCapture(account: string, nowMs: number, fields: GapFields): GapCapture {
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
    view: { ...accountHead(account), ...body } as View,
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
