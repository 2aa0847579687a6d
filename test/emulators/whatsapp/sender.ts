// SPDX-License-Identifier: AGPL-3.0-or-later
import { randomBytes } from 'node:crypto';
import { proto } from '@whiskeysockets/baileys';
import type { Burst, Sending, Sent } from './api.ts';
import type { Endpoint } from './endpoint.ts';
import { lidJid, pnJid } from './endpoint.ts';
import { textIn } from './messages.ts';
import type { LiveEntry, Queue } from './queue.ts';
import { node } from './wire.ts';
import type { WireNode } from './wire.ts';
import { deviceJid, endpointOf } from './world.ts';
import type { Account, LinkedDevice, World } from './world.ts';

export function newMessageId(): string {
  return `3EB0${randomBytes(9).toString('hex').toUpperCase()}`;
}

export interface SenderParts {
  readonly world: World;
  readonly queue: Queue;
  readonly nowSeconds: () => number;
  /** Puts it on the wire if the device is connected. */
  readonly deliver: (entry: LiveEntry) => void;
}

/** How a message goes: who, where, and what the stanza says about it. */
interface Envelope {
  readonly account: Account;
  readonly from: Endpoint;
  readonly isOwn: boolean;
  /** Encrypted once for all, with a sender key. */
  readonly group: string | null;
  readonly attrs: Record<string, string>;
}

const KINDS_WITH_PAIRWISE = /@broadcast$/;

/** Encrypts messages of people for the devices of an account and puts them into their queues. */
export class Sender {
  readonly #parts: SenderParts;
  /** One message after the other, so that ratchets and the order on the wire agree. */
  #chain: Promise<unknown> = Promise.resolve();
  readonly #sent = new Map<number, { readonly sending: Sending; readonly plaintext: Uint8Array }>();

  constructor(parts: SenderParts) {
    this.#parts = parts;
  }

  send(sending: Sending, held = false): Promise<Sent> {
    const next = this.#chain.then(() => this.#send(sending, held));
    this.#chain = next.catch(() => {});
    return next;
  }

  async prepare({ to, from, chat, count, text = 'message' }: Burst): Promise<readonly number[]> {
    const serials: number[] = [];
    for (let index = 0; index < count; index += 1) {
      const message = { conversation: `${text} ${index}` };
      const sender = from[index % from.length] ?? '';
      const sent = await this.send({ to, from: sender, message, ...(chat === undefined ? {} : { chat }) }, true);
      serials.push(...sent.entries);
    }
    return serials;
  }

  /** A message from the owner's phone to its devices: history, keys, answers. */
  async sendPeer(number: string, message: proto.IMessage | Uint8Array): Promise<Sent> {
    return await this.send({ to: number, from: number, message, attributes: { category: 'peer', recipient: null } });
  }

  /** The sender's answer to a retry receipt: the same message in a new session, with a count. */
  async resend(entry: LiveEntry, bundle: LinkedDevice['bundle'], count: number): Promise<void> {
    const origin = this.#sent.get(entry.serial);
    if (origin === undefined) return;
    const next = this.#chain.then(async () => {
      const envelope = this.#envelope(origin.sending);
      await envelope.from.forgetSession(deviceJid(entry.owner));
      if (bundle !== null) await envelope.from.startSession(deviceJid(entry.owner), bundle);
      const stanza = { ...origin.sending, id: entry.id, corrupt: false };
      await this.#sendTo(entry.owner, stanza, origin.plaintext, { envelope, held: false, count });
    });
    this.#chain = next.catch(() => {});
    await next;
  }

  async #send(sending: Sending, held: boolean): Promise<Sent> {
    const { message } = sending;
    const plaintext = message instanceof Uint8Array ? message : proto.Message.encode(message).finish();
    const id = sending.id ?? newMessageId();
    const envelope = this.#envelope(sending);
    const { account } = envelope;
    const timestampSeconds = sending.timestampSeconds ?? this.#parts.nowSeconds();
    account.remembered.set(id, {
      chat: sending.chat ?? envelope.attrs['from'] ?? '',
      participant: envelope.attrs['participant'] ?? null,
      fromMe: envelope.isOwn,
      timestampSeconds,
      plaintext,
    });
    const entries: number[] = [];
    for (const device of account.devices) {
      if (device.unlinked) continue;
      const stanza = { ...sending, id, timestampSeconds };
      entries.push(await this.#sendTo(device, stanza, plaintext, { envelope, held, count: 0 }));
    }
    return { id, entries, plaintext };
  }

  #envelope(sending: Sending): Envelope {
    const { world } = this.#parts;
    const account = world.account(sending.to);
    const person = world.person(sending.from);
    const from = endpointOf(person, sending.fromDevice ?? 0);
    const isOwn = sending.from === sending.to;
    const { chat } = sending;
    const by = sending.addressing ?? (chat === undefined ? 'pn' : (world.groups.get(chat)?.addressing ?? 'pn'));
    const sender = by === 'pn' ? from.pn : from.lid;
    const alternative =
      by === 'pn' ? lidJid({ lid: person.lid, device: 0 }) : pnJid({ number: person.number, device: 0 });
    const other = by === 'pn' ? 'lid' : 'pn';
    const isShared = chat !== undefined && /@(g\.us|broadcast)$/.test(chat);
    if (isShared) {
      const attrs = { from: chat, participant: sender, addressing_mode: by, [`participant_${other}`]: alternative };
      return {
        account,
        from,
        isOwn,
        group: KINDS_WITH_PAIRWISE.test(chat) && chat !== 'status@broadcast' ? null : chat,
        attrs,
      };
    }
    if (isOwn) {
      const recipient = chat ?? pnJid({ number: person.number, device: 0 });
      return { account, from, isOwn, group: null, attrs: { from: sender, recipient, addressing_mode: by } };
    }
    return {
      account,
      from,
      isOwn,
      group: null,
      attrs: { from: sender, addressing_mode: by, [`sender_${other}`]: alternative },
    };
  }

  async #sendTo(
    device: LinkedDevice,
    sending: Sending & { readonly id: string },
    plaintext: Uint8Array,
    { envelope, held, count }: { readonly envelope: Envelope; readonly held: boolean; readonly count: number },
  ): Promise<number> {
    const enc = await this.#encrypt(device, envelope, plaintext, sending, count);
    const attrs: Record<string, string> = {
      ...envelope.attrs,
      id: sending.id,
      t: String(sending.timestampSeconds ?? this.#parts.nowSeconds()),
      type: sending.mediaType === undefined ? 'text' : 'media',
      notify: this.#parts.world.person(sending.from).name,
    };
    for (const [name, value] of Object.entries(sending.attributes ?? {})) {
      if (value === null) delete attrs[name];
      else attrs[name] = value;
    }
    const stanza = node('message', attrs, [...enc.nodes, ...(sending.children ?? [])]);
    const entry = this.#parts.queue.add(device, stanza, { plaintexts: enc.plaintexts, text: textIn(plaintext) }, held);
    this.#sent.set(entry.serial, { sending, plaintext });
    if (!held) this.#parts.deliver(entry);
    return entry.serial;
  }

  /** One `<enc>`, or two when a sender key goes along. */
  async #encrypt(
    device: LinkedDevice,
    { from, group, isOwn, attrs }: Envelope,
    plaintext: Uint8Array,
    sending: Sending,
    count: number,
  ): Promise<{ readonly nodes: WireNode[]; readonly plaintexts: Uint8Array[] }> {
    const jid = deviceJid(device);
    const bundle = await device.keys.promise;
    if (!from.hasSession(jid)) await from.startSession(jid, bundle);
    const encAttrs: Record<string, string> = { v: '2' };
    if (sending.mediaType !== undefined) encAttrs['mediatype'] = sending.mediaType;
    if (count > 0) encAttrs['count'] = String(count);
    const enc = ({ type, ciphertext }: { type: string; ciphertext: Uint8Array }, extra = encAttrs): WireNode =>
      node('enc', { ...extra, type }, sending.corrupt === true ? corrupted(ciphertext) : Buffer.from(ciphertext));
    if (group === null || count > 0) {
      const isWrapped = isOwn && group === null && sending.attributes?.['category'] !== 'peer';
      const wrapped = isWrapped ? deviceSent(attrs['recipient'] ?? '', plaintext) : plaintext;
      return { nodes: [enc(await from.encrypt(jid, wrapped))], plaintexts: [wrapped] };
    }
    const { encrypted, distribution } = from.encryptGroup(group, plaintext);
    if (!from.mustDistribute(group, jid)) return { nodes: [enc(encrypted)], plaintexts: [plaintext] };
    const key = await from.encrypt(jid, distribution);
    const keyNode = node('enc', { v: '2', type: key.type }, Buffer.from(key.ciphertext));
    return { nodes: [keyNode, enc(encrypted)], plaintexts: [distribution, plaintext] };
  }
}

function corrupted(ciphertext: Uint8Array): Buffer {
  const bytes = Buffer.from(ciphertext);
  const at = bytes.length - 12;
  bytes[at] = (bytes[at] ?? 0) ^ 0xff;
  return bytes;
}

/** `deviceSentMessage{destinationJid, message}` around bytes as they are, unknown fields included. */
export function deviceSent(destinationJid: string, plaintext: Uint8Array): Uint8Array {
  const jid = Buffer.from(destinationJid);
  const inner = Buffer.concat([field(1, jid), field(2, plaintext)]);
  return field(31, inner);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80);
    rest = Math.floor(rest / 128);
  }
  return [...bytes, rest];
}

function field(number: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([...varint(number * 8 + 2), ...varint(bytes.length)]), bytes]);
}
