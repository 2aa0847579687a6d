// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';
import {
  edited,
  incoming,
  sentFromPhone,
  envelopeHead,
  type Content,
  type GroupRef,
  type Sender,
} from '../emulators/signal/envelopes.ts';
import type { PayloadObject } from '../emulators/signal/frame.ts';
import type { JsonValue } from '../emulators/signal/json.ts';
import { duty, harbour, imani, kessler, operations, ortiz, park } from './people.ts';

/** One thing that reaches the duty phone's account. */
export interface Happening {
  readonly payload: PayloadObject;
  readonly attachments?: ReadonlyMap<string, Buffer>;
}

const MONDAY_MS = Date.UTC(2026, 10, 16, 13, 0);
const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
const WEEK_SECONDS = 604_800;

/** Bytes that are the same in every run. */
function fileBytes(name: string, size: number): Buffer {
  const block = createHash('sha512').update(name).digest();
  return Buffer.concat(Array.from({ length: Math.ceil(size / block.length) }, () => block)).subarray(0, size);
}

const at = (day: number, minutes: number): number => MONDAY_MS + day * DAY_MS + minutes * MINUTE_MS;

/** Writes a week down, message by message, in the order it happened. */
class Week {
  readonly happenings: Happening[] = [];

  say(from: Sender, timestamp: number, text: string | null, content: Omit<Content, 'text'> = {}): number {
    const whole = { text, ...content };
    this.happenings.push({
      payload: from === duty ? sentFromPhone(duty, timestamp, null, whole) : incoming(from, timestamp, whole),
    });
    return timestamp;
  }

  reply(to: Sender, timestamp: number, text: string, content: Omit<Content, 'text'> = {}): number {
    this.happenings.push({ payload: sentFromPhone(duty, timestamp, to, { text, ...content }) });
    return timestamp;
  }

  send(
    from: Sender,
    timestamp: number,
    text: string | null,
    file: { name: string; type: string; size: number },
    group?: GroupRef,
  ): void {
    const id = `${createHash('sha256').update(file.name).digest('base64url').slice(0, 16)}.${file.name.split('.').pop() ?? 'bin'}`;
    const bytes = fileBytes(file.name, file.size);
    const attachments = [{ id, contentType: file.type, size: file.size, filename: file.name }];
    const content = { text, attachments, ...(group === undefined ? {} : { group }) };
    this.happenings.push({ payload: incoming(from, timestamp, content), attachments: new Map([[id, bytes]]) });
  }

  edit(from: Sender, timestamp: number, target: number, text: string, group?: GroupRef): void {
    this.happenings.push({
      payload: edited(from, timestamp, target, { text, ...(group === undefined ? {} : { group }) }),
    });
  }

  /** An event about an earlier message: a reaction, a deletion, a quote. */
  event(
    from: Sender,
    timestamp: number,
    more: { readonly [member: string]: JsonValue },
    group?: GroupRef,
    text: string | null = null,
  ): void {
    this.say(from, timestamp, text, { more, ...(group === undefined ? {} : { group }) });
  }

  receipt(from: Sender, timestamp: number, targets: readonly number[], read: boolean): void {
    const receiptMessage = {
      when: timestamp,
      isDelivery: !read,
      isRead: read,
      isViewed: false,
      timestamps: [...targets],
    };
    this.happenings.push({ payload: { envelope: { ...envelopeHead(from, timestamp), receiptMessage } } });
  }
}

const reaction = (author: Sender, target: number, emoji: string): { readonly [member: string]: JsonValue } => ({
  reaction: {
    emoji,
    targetAuthor: author.number ?? author.uuid,
    targetAuthorNumber: author.number ?? null,
    targetAuthorUuid: author.uuid,
    targetSentTimestamp: target,
    isRemove: false,
  },
});

/** Monday and Tuesday: two groups, a direct conversation, photos, a form, receipts, a disappearing timer. */
export function firstDays(): Happening[] {
  const week = new Week();
  const briefing = week.say(
    ortiz,
    at(0, 2),
    'Morning. Berth 14 inspection is on for Thursday 09:30, bring the seal register.',
    { group: operations },
  );
  week.say(park, at(0, 4), 'Copy. I have the register, Imani has the camera.', { group: operations });
  const route = week.say(duty, at(0, 9), 'Access road closed until noon, use gate 3.', { group: operations });
  week.event(kessler, at(0, 10), reaction(duty, route, '👍'), operations);
  week.receipt(park, at(0, 10), [route], false);
  week.receipt(ortiz, at(0, 12), [route], true);
  week.send(
    imani,
    at(0, 45),
    'Gate 3 as of now',
    { name: 'gate-3.jpg', type: 'image/jpeg', size: 148_113 },
    operations,
  );
  week.edit(
    ortiz,
    at(0, 50),
    briefing,
    'Morning. Berth 14 inspection is on for Thursday 10:30, bring the seal register.',
    operations,
  );
  week.say(ortiz, at(1, 1), null, { expiresInSeconds: WEEK_SECONDS, more: { isExpirationUpdate: true } });
  const question = week.say(ortiz, at(1, 3), 'Can you call the terminal operator before we file?', {
    expiresInSeconds: WEEK_SECONDS,
  });
  week.reply(ortiz, at(1, 9), 'Called. They confirm container 4471 was moved on the 12th.', {
    expiresInSeconds: WEEK_SECONDS,
  });
  week.event(
    ortiz,
    at(1, 11),
    {
      quote: {
        id: question,
        author: ortiz.number ?? '',
        authorNumber: ortiz.number ?? null,
        authorUuid: ortiz.uuid,
        text: 'Can you call the terminal operator before we file?',
        attachments: [],
      },
    },
    undefined,
    'Thanks, noted.',
  );
  week.send(
    park,
    at(1, 30),
    'Signed manifest',
    { name: 'manifest-4471.pdf', type: 'application/pdf', size: 70_211 },
    harbour,
  );
  return week.happenings;
}

/** Wednesday: what ordinary capture loses first. A message is deleted for everyone, another edited twice; a call; Unicode. */
export function midweek(): Happening[] {
  const week = new Week();
  const slip = week.say(kessler, at(2, 5), 'The operator asked us to leave 4471 out of the report.', {
    group: harbour,
  });
  week.say(ortiz, at(2, 6), 'That is not how this works. Put it in.', { group: harbour });
  week.event(kessler, at(2, 8), { remoteDelete: { timestamp: slip } }, harbour);
  const draft = week.say(park, at(2, 20), 'Draft: 2 seals broken.', { group: harbour });
  week.edit(park, at(2, 22), draft, 'Draft: 3 seals broken.', harbour);
  week.edit(park, at(2, 29), at(2, 22), 'Final: 3 seals broken, photos attached.', harbour);
  week.send(park, at(2, 30), null, { name: 'seals.jpg', type: 'image/jpeg', size: 211_900 }, harbour);
  week.say(imani, at(2, 40), 'Перевод накладной готов. 検査は木曜日です。 مرحبا 🚢', { group: harbour });
  return week.happenings;
}

/** Thursday morning, after the outage: a busy channel. `count` short reports in one rush. */
export function rush(count: number): Happening[] {
  const week = new Week();
  const crew = [ortiz, park, imani, kessler];
  for (let n = 0; n < count; n += 1) {
    week.say(
      crew[n % crew.length] as Sender,
      at(3, 60) + n * 1500,
      `Row ${1 + Math.floor(n / 12)}, container ${4400 + n}: seal ${n % 17 === 0 ? 'damaged' : 'intact'}.`,
      { group: operations },
    );
  }
  return week.happenings;
}

/** Friday: it is written down. */
export function lastDay(): Happening[] {
  const week = new Week();
  week.send(
    ortiz,
    at(4, 10),
    'Report as filed',
    { name: 'inspection-report.pdf', type: 'application/pdf', size: 402_113 },
    operations,
  );
  week.say(duty, at(4, 15), 'Filed under case 26-1187. Good work everybody.', { group: operations });
  week.event(park, at(4, 16), reaction(duty, at(4, 15), '🙏'), operations);
  return week.happenings;
}
