// SPDX-License-Identifier: AGPL-3.0-or-later

import { encodeJackson, type JsonValue } from './json.ts';
import { inJacksonOrder } from './member-order.ts';

/** One received message as an object. `account` may be left out: the account that receives it is added. */
export type PayloadObject = {
  readonly exception?: { readonly message: string; readonly type: string };
  readonly envelope: { readonly [member: string]: JsonValue | undefined };
  readonly account?: string;
};

/** A message to emulate: an object, or ready JSON text, whose bytes then reach every intake unchanged. */
export type Payload = PayloadObject | string;

/** An attachment that an envelope names. `text` is the whole message when the attachment is its long text. */
export interface ListedAttachment {
  readonly id: string;
  readonly contentType: string;
  readonly size: number | null;
  readonly text: string | null;
}

/** What the emulator itself must know of a message: who sent it, and where. */
export interface FrameFacts {
  readonly source: string | null;
  readonly sourceUuid: string | null;
  readonly sourceNumber: string | null;
  readonly timestamp: number | null;
  readonly groupId: string | null;
  readonly isAdminDelete: boolean;
  readonly hasContent: boolean;
  readonly isException: boolean;
}

/** One message on the wire. The texts are built once and shared by the journal, the webhook and the sockets. */
export interface Frame {
  readonly account: string;
  /** The journal line without its newline, the WebSocket frame, and the value of `params` in `rpcLine`. */
  readonly params: string;
  /** The webhook body and the line on the daemon's socket, newline included. */
  readonly rpcLine: string;
  readonly facts: FrameFacts;
  readonly attachments: readonly ListedAttachment[];
  /** The envelope without its content, as an exception frame carries it. */
  readonly header: PayloadObject['envelope'];
}

type Parsed = { readonly [member: string]: unknown };

const headerMembers = [
  'source',
  'sourceNumber',
  'sourceUuid',
  'sourceName',
  'sourceDevice',
  'timestamp',
  'serverReceivedTimestamp',
  'serverDeliveredTimestamp',
];

/** Builds the wire texts of one message. Throws a `TypeError` on a payload that no signal-cli could have written. */
export function frameOf(account: string, payload: Payload): Frame {
  const params = typeof payload === 'string' ? payload : encodeJackson(completed(account, payload));
  if (/[\r\n]/.test(params)) throw new TypeError('expected a payload in one line, got a line break');
  const parsed = asObject(JSON.parse(params));
  if (parsed === null || parsed['account'] !== account) {
    throw new TypeError('expected a payload whose account is the receiving account');
  }
  const envelope = asObject(parsed['envelope']);
  if (envelope === null) throw new TypeError('expected a payload with an envelope');
  return {
    account,
    params,
    rpcLine: `{"jsonrpc":"2.0","method":"receive","params":${params}}\n`,
    facts: factsOf(parsed, envelope),
    attachments: listedAttachments(envelope, null),
    header: Object.fromEntries(headerMembers.map((name) => [name, asHeaderValue(envelope[name])])),
  };
}

function completed(account: string, payload: PayloadObject): JsonValue {
  return inJacksonOrder({ ...payload, account: payload.account ?? account });
}

function factsOf(parsed: Parsed, envelope: Parsed): FrameFacts {
  const data = asObject(envelope['dataMessage']) ?? asObject(asObject(envelope['editMessage'])?.['dataMessage']);
  const story = asObject(envelope['storyMessage']);
  const timestamp = envelope['timestamp'];
  return {
    source: asText(envelope['source']),
    sourceUuid: asText(envelope['sourceUuid']),
    sourceNumber: asText(envelope['sourceNumber']),
    timestamp: typeof timestamp === 'number' ? timestamp : null,
    groupId: asText(asObject(data?.['groupInfo'])?.['groupId']) ?? asText(story?.['groupId']),
    isAdminDelete: data?.['adminDelete'] !== undefined,
    hasContent: ['message', 'attachments', 'quote', 'previews', 'mentions', 'sticker'].some(
      (name) => (data?.[name] ?? null) !== null,
    ),
    isException: parsed['exception'] !== undefined,
  };
}

function listedAttachments(value: unknown, message: string | null): ListedAttachment[] {
  if (Array.isArray(value)) return value.flatMap((item) => listedAttachments(item, message));
  const object = asObject(value);
  if (object === null) return [];
  const body = asText(object['message']) ?? message;
  const nested = Object.values(object).flatMap((member) => listedAttachments(member, body));
  const { id, contentType, size } = object;
  if (typeof id !== 'string' || typeof contentType !== 'string') return nested;
  const text = contentType === 'text/x-signal-plain' ? message : null;
  return [{ id, contentType, size: typeof size === 'number' ? size : null, text }, ...nested];
}

function asObject(value: unknown): Parsed | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Parsed) : null;
}

function asText(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function asHeaderValue(value: unknown): string | number | null {
  return typeof value === 'string' || typeof value === 'number' ? value : null;
}
