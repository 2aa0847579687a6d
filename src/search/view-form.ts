// SPDX-License-Identifier: AGPL-3.0-or-later
import type { View } from '../record/message.ts';

/*
 * The door through which views come in. Connectors seal them, but which connector, of which version, and out of what a stranger sent:
 * what is read further on is looked at here, once. Members nobody here reads are left as they are.
 */

type Check = (value: unknown) => boolean;

const anything: Check = () => true;
const text: Check = (value) => typeof value === 'string';
const number: Check = (value) => typeof value === 'number' && Number.isFinite(value);
const yesOrNo: Check = (value) => typeof value === 'boolean';
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);
const maybe =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const list =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);

function shape(members: Readonly<Record<string, Check>>): Check {
  const checks = Object.entries(members);
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
    return checks.every(([name, check]) => check((value as Record<string, unknown>)[name]));
  };
}

const textOrNull = orNull(text);
const numberOrNull = orNull(number);
const maybeText = maybe(textOrNull);
const PARTY = { id: textOrNull, number: maybeText, name: maybeText };
const party = shape(PARTY);
const REF = { author: party, sentAtMs: numberOrNull, id: maybe(text) };
const ref = shape(REF);
const place = shape({ name: textOrNull, address: textOrNull, latitude: textOrNull, longitude: textOrNull });

const attachment = shape({
  id: textOrNull,
  contentType: textOrNull,
  fileName: textOrNull,
  size: numberOrNull,
  caption: maybeText,
  place: text,
});

const content = shape({
  text: textOrNull,
  attachments: maybe(list(attachment)),
  quote: maybe(shape({ ...REF, text: textOrNull })),
  mentions: maybe(list(shape({ party }))),
  previews: maybe(list(shape({ url: text, title: textOrNull, description: textOrNull }))),
  contacts: maybe(list(anything)),
  payment: maybe(shape({ note: textOrNull })),
  poll: maybe(shape({ question: text, options: list(text) })),
  storyReply: maybe(ref),
  event: maybe(shape({ name: text, description: textOrNull, link: textOrNull, place: orNull(place) })),
  place: maybe(place),
  groupInvite: maybe(shape({ group: text, name: textOrNull })),
  card: maybe(shape({ lines: list(text), choices: list(text) })),
  choice: maybe(shape({ id: textOrNull, label: textOrNull })),
  partOf: maybe(shape({ ...REF, how: text })),
  expiresInSeconds: maybe(number),
});

const head = shape({
  app: text,
  kind: text,
  account: party,
  direction: text,
  chat: orNull(shape({ type: text, id: textOrNull, name: maybeText })),
  sender: orNull(party),
  sentAtMs: numberOrNull,
  serverAtMs: numberOrNull,
  id: maybe(text),
});

/** What is read of each kind; of others, and of kinds of a later version, the head alone. */
const BODIES = new Map<string, Check>(
  Object.entries({
    message: shape({ content }),
    story: shape({ content }),
    edit: shape({ target: ref, content }),
    delete: shape({ target: ref, by: text }),
    reaction: shape({ target: ref, emoji: text, removed: yesOrNo }),
    'poll-vote': shape({ target: ref, options: orNull(list(number)), count: numberOrNull }),
    'poll-end': shape({ target: ref }),
    pin: shape({ target: ref }),
    unpin: shape({ target: ref }),
    'event-response': shape({ target: ref, response: text }),
    keep: shape({ target: ref, kept: yesOrNo }),
    'delete-for-me': shape({ target: maybe(ref) }),
    receipt: shape({ state: text, targets: list(ref) }),
    'read-sync': shape({ targets: list(ref) }),
    attachment: shape({ target: ref, attachment, object: shape({ size: number, sha256: text }) }),
    gap: shape({ cause: text, detail: textOrNull, target: maybe(ref) }),
    call: shape({ event: text, callId: text, callType: textOrNull }),
    timer: shape({ expiresInSeconds: number }),
    'group-update': shape({ changes: maybe(list(shape({ what: text, parties: list(party), value: textOrNull }))) }),
    'identity-change': shape({ party }),
    undecryptable: shape({ reason: text }),
    unknown: shape({ reason: text }),
    unavailable: shape({ what: text }),
  }),
);

/** The view, if it has the form of one; null for anything else. */
export function asView(value: unknown): View | null {
  if (!head(value)) return null;
  const body = BODIES.get((value as View).kind);
  return body === undefined || body(value) ? (value as View) : null;
}
