// SPDX-License-Identifier: AGPL-3.0-or-later

import type { Frame } from './frame.ts';
import type { DropReason } from './history.ts';
import { isAddress, type Account, type World } from './world.ts';

/**
 * Why signal-cli hands a message to nobody, `null` when it does hand it on. A sender or a group that the world does not
 * know is let through.
 */
export function dropReason(world: World, frame: Frame): DropReason | null {
  const account = world.account(frame.account);
  const sender = frame.facts.sourceUuid ?? frame.facts.sourceNumber;
  if (sender === null || isAddress(account, sender)) return null;
  if (account.contacts.some((contact) => contact.blocked && isAddress(contact, sender))) return 'blocked-contact';
  const identity = world.identityOf(frame.account, sender);
  if (identity?.status === 'UNTRUSTED' && !frame.facts.isException) return 'untrusted-identity';
  return groupReason(account, sender, frame);
}

function groupReason(account: Account, sender: string, frame: Frame): DropReason | null {
  const { groupId, isAdminDelete, hasContent } = frame.facts;
  const group = account.groups.find((one) => one.internalId === groupId);
  if (group === undefined) return null;
  if (group.blocked) return 'blocked-group';
  const isAdmin = group.admins.some((admin) => isAddress(admin, sender));
  if (isAdminDelete && !isAdmin) return 'not-an-admin';
  if (!group.members.some((member) => isAddress(member, sender))) return 'not-a-member';
  return group.sendMessages === 'ONLY_ADMINS' && !isAdmin && hasContent ? 'not-an-admin' : null;
}
