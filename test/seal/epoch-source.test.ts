// SPDX-License-Identifier: AGPL-3.0-or-later
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Manifest } from '../../src/record/manifest.ts';
import { EPOCH_LIMITS, EpochSource } from '../../src/seal/epoch-source.ts';
import type { Epoch } from '../../src/seal/epoch.ts';
import { MANIFEST } from '../vectors/log-vectors.ts';

const LIMITS = { maxRecords: 3, maxAgeMs: 1000 };

/** Waits, as long as it takes, for another epoch than this one. */
async function after(source: EpochSource, epoch: Epoch, nowMs: number): Promise<Epoch> {
  let next = source.current(nowMs);
  while (next.id === epoch.id) {
    await setImmediate();
    next = source.current(nowMs);
  }
  return next;
}

describe('a source of epochs', () => {
  it('changes the epoch at its number of records', async () => {
    const source = await EpochSource.start(MANIFEST, 0, LIMITS);
    const first = source.current(0);
    for (let i = 0; i < 3; i += 1) {
      expect(source.current(0).id).toBe(first.id);
      first.ratchet.next();
    }
    expect(source.current(0).id).not.toBe(first.id);
    expect(source.current(0).ratchet.index).toBe(0);
  });

  it('changes the epoch at its age, counted from its first use', async () => {
    const source = await EpochSource.start(MANIFEST, 5000, LIMITS);
    const first = source.current(5999);
    const second = source.current(6000);
    expect(second.id).not.toBe(first.id);
    expect(source.current(6999).id).toBe(second.id);
    const third = await after(source, second, 7000);
    expect(third.id).not.toBe(first.id);
  });

  it('never goes back to an epoch', async () => {
    const source = await EpochSource.start(MANIFEST, 0, { maxRecords: 1, maxAgeMs: 1000 });
    const seen = new Set<string>();
    let epoch = source.current(0);
    for (let i = 0; i < 5; i += 1) {
      expect(seen.has(epoch.id)).toBe(false);
      seen.add(epoch.id);
      epoch.ratchet.next();
      epoch = await after(source, epoch, 0);
    }
  });

  it('goes on with the present one where the next is still being made', async () => {
    const source = await EpochSource.start(MANIFEST, 0, { maxRecords: 1, maxAgeMs: 1000 });
    source.current(0).ratchet.next();
    const second = source.current(0);
    second.ratchet.next();
    // Nothing asynchronous could run since, so there can be no third one yet.
    expect(source.current(0).id).toBe(second.id);
    expect((await after(source, second, 0)).ratchet.index).toBe(0);
  });

  it('goes on over its limits, but not over twice, while the next one cannot be made, and tries again', async () => {
    const recipients = [...MANIFEST.recipients];
    const [good] = recipients as [(typeof recipients)[number]];
    const manifest: Manifest = { ...MANIFEST, recipients };
    const source = await EpochSource.start(manifest, 0, { maxRecords: 1, maxAgeMs: 1000 });
    recipients[0] = { ...good, x: 'A'.repeat(64) };
    source.current(0).ratchet.next();
    const second = source.current(0);
    second.ratchet.next();
    expect(source.current(0).id).toBe(second.id);
    second.ratchet.next();
    await expect.poll(() => codeThrownBy(() => source.current(0)), { timeout: 10_000 }).toBe('not-made');
    recipients[0] = good;
    await expect.poll(() => codeThrownBy(() => source.current(0)), { timeout: 10_000 }).toBe(null);
    expect(source.current(0).id).not.toBe(second.id);
  });

  it('keeps an epoch for an hour or ten thousand records', () => {
    expect(EPOCH_LIMITS).toEqual({ maxRecords: 10_000, maxAgeMs: 3_600_000 });
  });
});

function codeThrownBy(work: () => unknown): string | null {
  try {
    work();
    return null;
  } catch (error) {
    return (error as { code?: string }).code ?? 'none';
  }
}
