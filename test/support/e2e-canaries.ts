// SPDX-License-Identifier: AGPL-3.0-or-later
import type { AttachmentFile } from '../emulators/signal/attachments.ts';
import type { SignalEmulator } from '../emulators/signal/emulator.ts';
import { edited, envelopeHead, incoming, sentFromPhone, type Sender } from '../emulators/signal/envelopes.ts';
import type { PayloadObject } from '../emulators/signal/frame.ts';
import type { SignalEmulatorOptions } from '../emulators/signal/options.ts';
import { SeededRandom } from './random.ts';

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const WORDS = [
  'text',
  'edit',
  'caption',
  'fileName',
  'quote',
  'pollQuestion',
  'pollOption',
  'previewTitle',
  'previewUrl',
  'paymentNote',
  'contactName',
  'profileName',
  'profileAbout',
  'contactNote',
  'sharedContact',
  'groupName',
  'groupDescription',
  'mention',
  'story',
  'exception',
  'longText',
  'unknownMember',
  'ownName',
  'lostFileName',
  'malformedBody',
  'malformedLine',
  'requestPath',
  'requestHeader',
  'oversized',
  'linkDevice',
] as const;
type Word = (typeof WORDS)[number];

/** Values that occur nowhere else in the world, one for every field that tells something of somebody. */
export class Canaries {
  readonly #random: SeededRandom;
  readonly #words: ReadonlyMap<Word, string>;
  readonly owner: Sender & { readonly number: string };
  readonly friend: Sender & { readonly number: string };
  /** Whose messages are for another account than those that are archived. */
  readonly strangerNumber: string;
  readonly groupId: string;
  readonly attachmentId: string;
  /** Milliseconds of the sender's clock: how Signal names a message. */
  readonly sentAtMs: number;
  readonly fileBytes: Buffer;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
    this.#words = new Map(WORDS.map((word) => [word, this.#letters(24)]));
    this.owner = { uuid: this.#uuid(), number: `+${this.#digits(14)}`, name: this.word('ownName') };
    this.friend = { uuid: this.#uuid(), number: `+${this.#digits(14)}`, name: this.word('profileName') };
    this.strangerNumber = `+${this.#digits(14)}`;
    this.groupId = this.#random.bytes(32).toString('base64');
    this.attachmentId = `${this.#letters(20)}.jpg`;
    this.sentAtMs = Date.now() + 60_000 + this.#random.below(10_000_000);
    this.fileBytes = Buffer.concat([
      this.#random.bytes(70_000),
      Buffer.from(this.#letters(40)),
      this.#random.bytes(30_000),
    ]);
  }

  word(word: Word): string {
    return this.#words.get(word) as string;
  }

  /** All by name, as they are to be looked for. */
  values(): Record<string, string | Buffer> {
    return {
      ...Object.fromEntries(this.#words),
      // Without the sign, which some forms leave out.
      ownerNumber: this.owner.number.slice(1),
      friendNumber: this.friend.number.slice(1),
      strangerNumber: this.strangerNumber.slice(1),
      ownerUuid: this.owner.uuid,
      friendUuid: this.friend.uuid,
      groupId: this.groupId,
      attachmentId: this.attachmentId,
      sentAtMs: String(this.sentAtMs),
      file: this.fileBytes,
      fileMiddle: this.fileBytes.subarray(70_000, 70_040),
    };
  }

  world(): NonNullable<SignalEmulatorOptions['accounts']> {
    const contact = {
      uuid: this.friend.uuid,
      number: this.friend.number,
      name: this.word('contactName'),
      givenName: this.word('profileName'),
      about: this.word('profileAbout'),
      note: this.word('contactNote'),
    };
    const group = {
      internalId: this.groupId,
      name: this.word('groupName'),
      description: this.word('groupDescription'),
    };
    return [{ ...this.owner, contacts: [contact], groups: [{ ...group, members: [this.friend.uuid] }] }];
  }

  /** One message for each field. */
  async send(emulator: SignalEmulator): Promise<void> {
    for (const { payload, attachments } of this.messages()) {
      await emulator.receive(this.owner.number, payload, attachments === undefined ? {} : { attachments });
    }
  }

  messages(): { payload: PayloadObject; attachments?: AttachmentFile[] }[] {
    const { friend, owner, fileBytes: bytes } = this;
    const first = this.sentAtMs;
    const group = { internalId: this.groupId, name: this.word('groupName'), revision: 2 };
    const file = { contentType: 'image/jpeg', width: 1, height: 1, uploadTimestamp: null };
    const listed = {
      ...file,
      id: this.attachmentId,
      size: bytes.length,
      filename: this.word('fileName'),
      caption: this.word('caption'),
    };
    const lost = { ...file, id: 'lost.jpg', size: 99, filename: this.word('lostFileName'), caption: null };
    const say = (n: number, more: NonNullable<Parameters<typeof incoming>[2]['more']>): { payload: PayloadObject } => {
      return { payload: incoming(friend, first + n, { text: `${n}`, group, more }) };
    };
    const author = { author: friend.number, authorNumber: friend.number, authorUuid: friend.uuid };
    const mention = { name: this.word('mention'), number: owner.number, uuid: owner.uuid, start: 0, length: 1 };
    const name = {
      nickname: null,
      given: this.word('sharedContact'),
      family: null,
      prefix: null,
      suffix: null,
      middle: null,
    };
    const exception = { message: this.word('exception'), type: 'ProtocolInvalidMessageException' };
    return [
      { payload: incoming(friend, first, { text: this.word('text') }) },
      { payload: edited(friend, first + 1, first, { text: this.word('edit') }) },
      { ...say(2, { attachments: [listed] }), attachments: [{ id: this.attachmentId, content: bytes }] },
      { ...say(3, { attachments: [lost] }), attachments: [{ id: 'lost.jpg', arrival: 'never' }] },
      say(4, { quote: { id: first, ...author, text: this.word('quote'), attachments: [] } }),
      say(5, {
        pollCreate: {
          question: this.word('pollQuestion'),
          allowMultiple: true,
          options: [this.word('pollOption'), 'b'],
        },
      }),
      say(6, {
        previews: [
          {
            url: `https://example.org/${this.word('previewUrl')}`,
            title: this.word('previewTitle'),
            description: null,
          },
        ],
      }),
      say(7, { payment: { note: this.word('paymentNote'), receipt: 'CgIIAQ==' } }),
      say(8, { contacts: [{ name, phone: [{ value: friend.number, type: 'WORK', label: null }] }] }),
      say(9, { mentions: [mention] }),
      say(10, { futureMember: { text: this.word('unknownMember') } }),
      { payload: sentFromPhone(owner, first + 11, friend, { text: 'from the phone' }) },
      { payload: incoming(friend, first + 12, { text: this.word('longText') + this.#random.hex(80_000) }) },
      { payload: { exception, envelope: envelopeHead(friend, first + 13) } },
      {
        payload: {
          envelope: {
            ...envelopeHead(friend, first + 14),
            storyMessage: { allowsReplies: false, textAttachment: { text: this.word('story') } },
          },
        },
      },
    ];
  }

  #letters(length: number): string {
    return Array.from({ length }, () => LETTERS[this.#random.below(LETTERS.length)]).join('');
  }

  /** No country's code begins with 999. */
  #digits(length: number): string {
    return `999${Array.from({ length: length - 3 }, () => this.#random.below(10)).join('')}`;
  }

  #uuid(): string {
    return this.#random.hex(16).replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, '$1-$2-4$3-a$4-$5');
  }
}
