// SPDX-License-Identifier: AGPL-3.0-or-later
import { called } from '../search/describe.ts';
import type { Named } from '../search/index-db.ts';
import { plainLine } from '../search/plain-text.ts';
import type { Item } from './item.ts';

/** Who was in a conversation from a line on: said once, and referred to until it changes. */
export interface Membership {
  /** `C12.M1`, `C12.M2`, … in the order of the export. */
  readonly id: string;
  readonly members: readonly Named[];
  readonly isNew: boolean;
}

/** Follows members through the lines of an export, in its order. */
export class MemberTracker {
  #conversation = '';
  #signature = '';
  #number = 0;

  /** Null where nobody told who was there. */
  of({ conversation, shown }: Item): Membership | null {
    const { facts, key } = conversation;
    const members = shown.members ?? (facts.pair.length > 0 ? facts.pair : null);
    if (key !== this.#conversation) {
      this.#conversation = key;
      this.#number = 0;
      this.#signature = '';
    }
    if (members === null) return null;
    const signature = members.map(({ person, name }) => `${person} ${name ?? ''}`).join('\n');
    const isNew = this.#number === 0 || signature !== this.#signature;
    if (isNew) this.#number += 1;
    this.#signature = signature;
    return { id: `${key}.M${this.#number}`, members, isNew };
  }
}

export function membersText({ members }: Membership): string {
  return `members from here on: ${members.map((one) => plainLine(called(one))).join(', ')}`;
}
