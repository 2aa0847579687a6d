// SPDX-License-Identifier: AGPL-3.0-or-later
import { ROLES, type Permission, type Role } from '../base/permission.ts';

/** What a group of the provider's may do; of several groups somebody is in, all that any of them may. */
export interface Grant {
  readonly group: string;
  readonly role?: Role | undefined;
  readonly permissions?: readonly Permission[] | undefined;
  /** They see only what is tagged in these matters; everything if left out. */
  readonly matters?: readonly string[] | undefined;
}

export interface Granted {
  readonly permissions: ReadonlySet<Permission>;
  readonly matters: readonly string[] | null;
}

/**
 * What somebody in these groups may do; null for whoever is in none that is named. Groups add up; but whoever is limited to matters by
 * one of them stays limited, unless others give all of the same without a limit.
 */
export function grantedTo(groups: ReadonlySet<string>, grants: readonly Grant[]): Granted | null {
  const own = grants.filter(({ group }) => groups.has(group));
  if (own.length === 0) return null;
  const limited = own.filter(({ matters }) => matters !== undefined);
  const free = permissionsOf(own.filter(({ matters }) => matters === undefined));
  const isFree = permissionsOf(limited).isSubsetOf(free);
  const matters = isFree ? null : [...new Set(limited.flatMap((grant) => grant.matters ?? []))].toSorted();
  return { permissions: permissionsOf(own), matters };
}

function permissionsOf(grants: readonly Grant[]): ReadonlySet<Permission> {
  return new Set(grants.flatMap(({ role, permissions = [] }) => (role === undefined ? permissions : ROLES[role])));
}

/** The groups in a claim: a list of words, or one; a dot leads into a claim. Whatever else is there names no group. */
export function groupsIn(claims: Readonly<Record<string, unknown>>, claim: string): ReadonlySet<string> {
  let value: unknown = Object.hasOwn(claims, claim) ? claims[claim] : undefined;
  if (value === undefined) {
    value = claims;
    for (const part of claim.split('.')) {
      const isInside = typeof value === 'object' && value !== null && Object.hasOwn(value, part);
      value = isInside ? (value as Readonly<Record<string, unknown>>)[part] : undefined;
    }
  }
  const all: readonly unknown[] = Array.isArray(value) ? value : [value];
  return new Set(all.filter((one): one is string => typeof one === 'string' && one !== ''));
}
