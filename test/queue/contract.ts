// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe } from 'vitest';
import { closingRows } from './contract-closing.ts';
import { jobRows } from './contract-jobs.ts';
import { replyRows } from './contract-replies.ts';
import { soakRows } from './contract-soak.ts';
import type { OpenTransport } from './subject.ts';

/** What `Uplink` and `Downlink` promise, for every transport. */
export function linkContract(open: OpenTransport): void {
  describe('carries jobs', () => jobRows(open));
  describe('carries replies', () => replyRows(open));
  describe('closes and opens', () => closingRows(open));
  describe('loses nothing', () => soakRows(open));
}
