// SPDX-License-Identifier: Apache-2.0
import type { Findings } from './findings.ts';
import type { LogCheck } from './log-check.ts';
import type { ArchiveReader } from './reader.ts';

/** What the log says of its store, against what of it can be seen from here. */
export function judgeStoreSeen({ rules, streams }: LogCheck, { abilities }: ArchiveReader, findings: Findings): void {
  const { store } = rules;
  const { locks, versions } = abilities;
  if (store === null) {
    if (!streams.hasUnread) findings.add('verify/store-unstated', {}, 'a store entry', 'none');
  } else if (store.locks && !(locks && versions)) {
    const got = `${locks ? 'locks' : 'no locks'}, ${versions ? 'versions' : 'no versions'}`;
    findings.add('verify/locks-unseen', {}, 'a store that shows locks and versions', got);
  }
}
