// SPDX-License-Identifier: AGPL-3.0-or-later

import { SeededRandom } from './random.ts';

/** What `--trust-new-identities` of the daemon is set to (`JSON_RPC_TRUST_NEW_IDENTITIES`). */
export type TrustMode = 'always' | 'on-first-use' | 'never';

export type TrustLevel = 'UNTRUSTED' | 'TRUSTED_UNVERIFIED' | 'TRUSTED_VERIFIED';

export interface Address {
  readonly uuid: string;
  readonly number: string | null;
}

export interface Contact extends Address {
  name: string;
  givenName: string;
  familyName: string;
  username: string;
  about: string;
  note: string;
  blocked: boolean;
  /** `false`: known only as a recipient, listed with `all_recipients=true` alone. */
  isContact: boolean;
}

export interface Identity extends Address {
  fingerprint: string;
  safetyNumber: string;
  status: TrustLevel;
  addedMs: number;
}

export type Permission = 'EVERY_MEMBER' | 'ONLY_ADMINS';

export interface Group {
  /** 32 bytes in base64, as in `groupInfo.groupId`. */
  readonly internalId: string;
  name: string;
  description: string;
  revision: number;
  members: Address[];
  admins: Address[];
  pendingInvites: Address[];
  pendingRequests: Address[];
  blocked: boolean;
  member: boolean;
  inviteLink: string;
  addMembers: Permission;
  editDetails: Permission;
  sendMessages: Permission;
}

export interface Device {
  readonly id: number;
  name: string;
  createdMs: number;
  lastSeenMs: number;
}

export interface Account extends Address {
  readonly number: string;
  name: string;
  /** `false` after an unlink: the number is gone from `/v1/accounts`, every call about it fails. */
  registered: boolean;
  /** The device that the emulator is; 1 is the phone. */
  deviceId: number;
  readonly contacts: Contact[];
  readonly groups: Group[];
  readonly identities: Identity[];
  readonly devices: Device[];
}

export type ContactPreset = Partial<Omit<Contact, 'isContact'>> & { readonly isContact?: boolean };

export type GroupPreset = Partial<Omit<Group, 'members' | 'admins'>> & {
  readonly name: string;
  /** Uuids of contacts. The account itself is always a member. */
  readonly members?: readonly string[];
  readonly admins?: readonly string[];
};

export interface AccountPreset {
  readonly number: string;
  readonly uuid?: string;
  readonly name?: string;
  readonly registered?: boolean;
  readonly deviceName?: string;
  readonly contacts?: readonly ContactPreset[];
  readonly groups?: readonly GroupPreset[];
}

const dayMs = 86_400_000;

/** Accounts, contacts, groups, identities and devices, as signal-cli's own store and Signal's server hold them. */
export class World {
  readonly accounts = new Map<string, Account>();
  readonly #random: SeededRandom;
  readonly #trustMode: TrustMode;
  /** The clock of the emulator. */
  readonly nowMs: () => number;

  constructor(parts: { random: SeededRandom; trustMode: TrustMode; nowMs: () => number }) {
    this.#random = parts.random;
    this.#trustMode = parts.trustMode;
    this.nowMs = parts.nowMs;
  }

  addAccount(preset: AccountPreset): Account {
    const nowMs = this.nowMs();
    const account: Account = {
      number: preset.number,
      uuid: preset.uuid ?? this.#random.uuid(),
      name: preset.name ?? '',
      registered: preset.registered ?? true,
      deviceId: 2,
      contacts: [],
      groups: [],
      identities: [],
      devices: [
        { id: 1, name: '', createdMs: nowMs, lastSeenMs: startOfDayMs(nowMs) },
        { id: 2, name: preset.deviceName ?? 'archive', createdMs: nowMs, lastSeenMs: startOfDayMs(nowMs) },
      ],
    };
    this.accounts.set(account.number, account);
    account.identities.push(this.#newIdentity(account, 'TRUSTED_VERIFIED'));
    for (const contact of preset.contacts ?? []) this.addContact(account.number, contact);
    for (const group of preset.groups ?? []) this.addGroup(account.number, group);
    return account;
  }

  /** The account, registered or not. Throws on a number that was never added: a mistake in the test. */
  account(number: string): Account {
    const account = this.accounts.get(number);
    if (account === undefined) throw new RangeError('expected a number that was added as an account');
    return account;
  }

  registeredAccount(number: string): Account | undefined {
    const account = this.accounts.get(number);
    return account?.registered === true ? account : undefined;
  }

  addContact(number: string, preset: ContactPreset): Contact {
    const account = this.account(number);
    const contact: Contact = {
      number: null,
      name: '',
      givenName: '',
      familyName: '',
      username: '',
      about: '',
      note: '',
      blocked: false,
      isContact: true,
      ...preset,
      uuid: preset.uuid ?? this.#random.uuid(),
    };
    account.contacts.push(contact);
    account.identities.push(
      this.#newIdentity(contact, this.#trustMode === 'never' ? 'UNTRUSTED' : 'TRUSTED_UNVERIFIED'),
    );
    return contact;
  }

  contact(number: string, uuidOrNumber: string): Contact {
    const found = this.account(number).contacts.find((one) => isAddress(one, uuidOrNumber));
    if (found === undefined) throw new RangeError('expected the uuid or number of a contact of this account');
    return found;
  }

  identityOf(number: string, uuidOrNumber: string): Identity | undefined {
    return this.accounts.get(number)?.identities.find((one) => isAddress(one, uuidOrNumber));
  }

  /**
   * The contact reinstalled: new key, new safety number. Unless the daemon trusts always, the new key is untrusted and
   * the contact's messages are withheld until it is trusted.
   */
  changeIdentity(number: string, uuidOrNumber: string): Identity {
    const contact = this.contact(number, uuidOrNumber);
    const account = this.account(number);
    const fresh = this.#newIdentity(contact, this.#trustMode === 'always' ? 'TRUSTED_UNVERIFIED' : 'UNTRUSTED');
    const at = account.identities.findIndex((one) => one.uuid === contact.uuid);
    account.identities.splice(at, 1, fresh);
    return fresh;
  }

  addGroup(number: string, preset: GroupPreset): Group {
    const account = this.account(number);
    const resolve = (uuids: readonly string[] | undefined): Address[] =>
      (uuids ?? []).map((uuid) => account.contacts.find((one) => one.uuid === uuid) ?? { uuid, number: null });
    const group: Group = {
      description: '',
      revision: 0,
      pendingInvites: [],
      pendingRequests: [],
      blocked: false,
      member: true,
      inviteLink: '',
      addMembers: 'EVERY_MEMBER',
      editDetails: 'EVERY_MEMBER',
      sendMessages: 'EVERY_MEMBER',
      ...preset,
      internalId: preset.internalId ?? this.#random.bytes(32).toString('base64'),
      members: [account, ...resolve(preset.members)].map(addressOf),
      admins: (preset.admins === undefined ? [account] : resolve(preset.admins)).map(addressOf),
    };
    account.groups.push(group);
    return group;
  }

  group(number: string, internalId: string): Group {
    const found = this.account(number).groups.find((one) => one.internalId === internalId);
    if (found === undefined) throw new RangeError('expected the internal id of a group of this account');
    return found;
  }

  /** Changes a group and moves its revision by one, as every group change in Signal does. */
  updateGroup(number: string, internalId: string, change: Partial<Omit<Group, 'internalId' | 'revision'>>): Group {
    const group = this.group(number, internalId);
    Object.assign(group, change);
    group.revision += 1;
    return group;
  }

  /** The phone was online. Signal's server keeps the day only. */
  touchPrimary(number: string, atMs: number): void {
    const phone = this.account(number).devices.find((device) => device.id === 1);
    if (phone !== undefined) phone.lastSeenMs = startOfDayMs(atMs);
  }

  #newIdentity(address: Address, status: TrustLevel): Identity {
    const key = Buffer.concat([Buffer.of(5), this.#random.bytes(32)]).toString('hex');
    return {
      uuid: address.uuid,
      number: address.number,
      fingerprint: (key.match(/../g) ?? []).join(' '),
      safetyNumber: (this.#random.digits(60).match(/.{5}/g) ?? []).join(' '),
      status,
      addedMs: this.nowMs(),
    };
  }
}

export function isAddress(address: Address, uuidOrNumber: string): boolean {
  return address.uuid === uuidOrNumber || address.number === uuidOrNumber;
}

function addressOf(address: Address): Address {
  return { uuid: address.uuid, number: address.number };
}

function startOfDayMs(atMs: number): number {
  return atMs - (atMs % dayMs);
}
