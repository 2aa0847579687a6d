// SPDX-License-Identifier: AGPL-3.0-or-later
import type { KeyObject } from 'node:crypto';
import { Failure } from '../base/failure.ts';
import { recipientsOf } from '../record/epoch-document.ts';
import { FormatError } from '../record/format-error.ts';
import type { KeyId } from '../record/key.ts';
import type { Manifest } from '../record/manifest.ts';
import { createEpoch, EpochError, openEpoch } from '../seal/epoch.ts';

/** Proves that a key opens what is sealed to it, and lets nothing of what it opens out of this function. Throws `escrow/does-not-open`. */
export async function tryKey(privateKey: KeyObject, key: KeyId, epoch: string): Promise<void> {
  try {
    if (recipientsOf(epoch)?.includes(key) !== true) throw new EpochError('not-a-recipient');
    await openEpoch(epoch, privateKey, key);
  } catch (error) {
    if (!(error instanceof EpochError || error instanceof FormatError)) throw error;
    throw new Failure('escrow/does-not-open', {
      expected: `an epoch that is sealed to key ${key}, and opens with it`,
      got: error.code,
      fix: 'the shares give the right key: look whether the epoch is of this log and of the time of this key',
      cause: error,
    });
  }
}

/** An epoch like those of the log, made here: for a drill that is given none. */
export async function testEpoch(manifests: readonly Manifest[], key: KeyId): Promise<string> {
  const manifest = manifests.find(({ recipients }) => recipients.some(({ kid }) => kid === key));
  if (manifest === undefined) {
    throw new Failure('escrow/other-key', { expected: 'a recipient of a manifest', got: `key ${key}` });
  }
  return (await createEpoch(manifest)).text;
}
