// SPDX-License-Identifier: AGPL-3.0-or-later
import type { AccountPreset, GroupPreset, PersonPreset } from './api.ts';
import { Endpoint, lidJid, pnJid } from './endpoint.ts';
import type { KeyBundle } from './endpoint.ts';
import type { ReuploadAnswer } from './media-api.ts';
import { SigningKey } from './xeddsa.ts';
import type { proto } from '@whiskeysockets/baileys';

export interface Person {
  readonly number: string;
  readonly lid: string;
  readonly name: string;
  readonly identity: SigningKey;
  /** By device number; 0 is the phone. */
  readonly endpoints: Map<number, Endpoint>;
}

/** A message the phone has, to send it again or to upload its media again. */
export interface RememberedMessage {
  readonly chat: string;
  readonly participant: string | null;
  readonly fromMe: boolean;
  readonly timestampSeconds: number;
  readonly plaintext: Uint8Array;
}

export interface Account extends Person {
  readonly devices: LinkedDevice[];
  readonly remembered: Map<string, RememberedMessage>;
  nextDevice: number;
  logins: number;
  reupload: ReuploadAnswer;
  historyOnDemand: proto.IHistorySync | null;
}

/** A linked device: the client under test. */
export interface LinkedDevice {
  readonly account: Account;
  readonly device: number;
  readonly noiseKey: Buffer;
  bundle: KeyBundle | null;
  /** Resolves with the bundle. */
  readonly keys: PromiseWithResolvers<KeyBundle>;
  unlinked: boolean;
}

export interface Group {
  readonly jid: string;
  readonly subject: string;
  readonly addressing: 'pn' | 'lid';
  readonly members: readonly string[];
  readonly createdSeconds: number;
}

/** Accounts, people and groups. */
export class World {
  readonly accounts = new Map<string, Account>();
  readonly people = new Map<string, Person>();
  readonly groups = new Map<string, Group>();
  #nextGroup = 1;

  addAccount(preset: AccountPreset): Account {
    const account: Account = {
      ...newPerson(preset),
      devices: [],
      remembered: new Map(),
      nextDevice: 1,
      logins: 0,
      reupload: 'uploads',
      historyOnDemand: null,
    };
    this.accounts.set(preset.number, account);
    return account;
  }

  addPerson(preset: PersonPreset): Person {
    const person = newPerson(preset);
    this.people.set(preset.number, person);
    return person;
  }

  addGroup(preset: GroupPreset, nowSeconds: number): Group {
    const jid = preset.jid ?? `1203630${String(this.#nextGroup).padStart(11, '0')}@g.us`;
    this.#nextGroup += 1;
    for (const number of preset.members) this.person(number);
    const { subject, addressing = 'lid', members } = preset;
    const group: Group = { jid, subject, addressing, members, createdSeconds: nowSeconds };
    this.groups.set(jid, group);
    return group;
  }

  account(number: string): Account {
    const account = this.accounts.get(number);
    if (account === undefined) throw new Error(`no account ${number}`);
    return account;
  }

  /** An account's owner is a person too. */
  person(number: string): Person {
    const person = this.accounts.get(number) ?? this.people.get(number);
    if (person === undefined) throw new Error(`nobody has the number ${number}`);
    return person;
  }

  /** By the user part of a JID, phone number or LID. */
  byJid(jid: string): Person | null {
    const [user = '', server = ''] = jid.split('@');
    const digits = user.split(':')[0]?.split('_')[0] ?? '';
    if (server !== 'lid') return this.accounts.get(digits) ?? this.people.get(digits) ?? null;
    for (const person of [...this.accounts.values(), ...this.people.values()]) if (person.lid === digits) return person;
    return null;
  }

  addDevice(account: Account, noiseKey: Uint8Array): LinkedDevice {
    const device: LinkedDevice = {
      account,
      device: account.nextDevice,
      noiseKey: Buffer.from(noiseKey),
      bundle: null,
      keys: Promise.withResolvers(),
      unlinked: false,
    };
    account.nextDevice += 1;
    account.devices.push(device);
    return device;
  }
}

function newPerson({ number, lid, name }: PersonPreset): Person {
  return {
    number,
    lid: lid ?? `9${number.padStart(14, '0')}`,
    name: name ?? `Person ${number.slice(-4)}`,
    identity: new SigningKey(),
    endpoints: new Map(),
  };
}

export function endpointOf(person: Person, device: number): Endpoint {
  const known = person.endpoints.get(device);
  if (known !== undefined) return known;
  const { number, lid, identity } = person;
  // Phones sign for linked devices with their identity key; other devices have their own.
  const endpoint = new Endpoint({ number, lid, device }, device === 0 ? identity : undefined);
  person.endpoints.set(device, endpoint);
  return endpoint;
}

export function deviceJid({ account, device }: LinkedDevice): string {
  return pnJid({ number: account.number, device });
}

export function deviceLid({ account, device }: LinkedDevice): string {
  return lidJid({ lid: account.lid, device });
}
