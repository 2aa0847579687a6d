// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe } from 'vitest';
import { createRows } from './contract-create.ts';
import { grantRows } from './contract-grants.ts';
import { lockRows, noLockRows } from './contract-locks.ts';
import { readRows } from './contract-read.ts';
import { versionRows, wholeBucketRows } from './contract-versions.ts';
import type { Subject } from './subject.ts';

/** What `ArchiveStore` promises, for every implementation. The abilities choose the rows: what a store cannot do it must say. */
export function storeContract(subject: Subject): void {
  const { abilities } = subject.store;
  describe('creates once', () => createRows(subject));
  describe('reads and lists', () => readRows(subject));
  describe('locks and holds', () => (abilities.locks ? lockRows(subject) : noLockRows(subject)));
  describe('grants uploads', () => grantRows(subject));
  if (subject.others !== null) {
    const { others } = subject;
    describe('keeps versions', () => versionRows(subject, others));
    // Last, since it looks at all that the rows above have written.
    describe('leaves a bucket', () => wholeBucketRows(subject, others));
  }
}
