// SPDX-License-Identifier: AGPL-3.0-or-later

import { CallError } from './daemon-calls.ts';
import { isAddress, type Account, type Address, type Contact, type Group, type Identity } from './world.ts';

/** What `/v1/groups` says of a group. With `expanded`, members are objects. */
export function groupEntry(group: Group, expanded: boolean): object {
  const people = (addresses: readonly Address[]): unknown[] =>
    addresses.map((address) =>
      expanded ? { number: address.number ?? '', uuid: address.uuid } : (address.number ?? address.uuid),
    );
  return {
    name: group.name,
    description: group.description,
    id: `group.${Buffer.from(group.internalId).toString('base64')}`,
    internal_id: group.internalId,
    members: people(group.members),
    blocked: group.blocked,
    member: group.member,
    pending_invites: people(group.pendingInvites),
    pending_requests: people(group.pendingRequests),
    invite_link: group.inviteLink,
    admins: people(group.admins),
    permissions: {
      add_members: permission(group.addMembers),
      // The real server fills this member from the permission to send.
      edit_group: permission(group.sendMessages),
      send_messages: permission(group.sendMessages),
    },
  };
}

function permission(value: Group['addMembers']): string {
  return value === 'ONLY_ADMINS' ? 'only-admins' : 'every-member';
}

/**
 * What `/v1/contacts` says of a contact. The REST process reads `blocked`, `messageExpiration` and `profileName`, which
 * signal-cli does not write under these names: they are always false and empty.
 */
export function contactEntry(contact: Contact): object {
  return {
    number: contact.number ?? '',
    uuid: contact.uuid,
    name: contact.name,
    profile_name: '',
    username: contact.username,
    color: '',
    blocked: false,
    message_expiration: '',
    note: contact.note,
    profile: {
      given_name: contact.givenName,
      lastname: contact.familyName,
      about: contact.about,
      has_avatar: false,
      last_updated_timestamp: 0,
    },
    given_name: contact.givenName,
    nickname: { name: '', given_name: '', family_name: '' },
  };
}

export function identityEntry(identity: Identity): object {
  return {
    number: identity.number ?? '',
    status: identity.status,
    fingerprint: identity.fingerprint,
    added: String(identity.addedMs),
    safety_number: identity.safetyNumber,
    uuid: identity.uuid,
  };
}

export function deviceEntries(account: Account): object[] {
  return account.devices.map((device) => ({
    id: device.id,
    name: device.name,
    last_seen_timestamp: device.lastSeenMs,
    creation_timestamp: device.createdMs,
  }));
}

/** `trust` of signal-cli. Throws a `CallError` with its text. */
export function trust(account: Account, recipient: string, verifiedSafetyNumber: string | null): void {
  const identity = account.identities.find((one) => isAddress(one, recipient));
  if (verifiedSafetyNumber === null) {
    if (identity === undefined) {
      throw new CallError('Failed to set the trust for this number, make sure the number is correct.');
    }
    identity.status = 'TRUSTED_UNVERIFIED';
    return;
  }
  const given = verifiedSafetyNumber.replaceAll(' ', '');
  if (!/^(?:[0-9]{60}|[0-9a-fA-F]{66})$/.test(given)) {
    throw new CallError(
      'Safety number has invalid format, either specify the old hex fingerprint or the new safety number',
    );
  }
  const accepted = [identity?.safetyNumber, identity?.fingerprint].map((text) => text?.replaceAll(' ', ''));
  if (identity === undefined || !accepted.includes(given.toLowerCase())) {
    throw new CallError(
      'Failed to set the trust for this number, make sure the number and the fingerprint/safety number are correct.',
    );
  }
  identity.status = 'TRUSTED_VERIFIED';
}
