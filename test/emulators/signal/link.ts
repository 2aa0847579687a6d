// SPDX-License-Identifier: AGPL-3.0-or-later

import { setTimeout as delay } from 'node:timers/promises';
import { CallError } from './daemon-calls.ts';
import type { Faults } from './faults.ts';
import type { SeededRandom } from './random.ts';
import type { AccountPreset, World } from './world.ts';

/**
 * What comes of a scan.
 *
 * - `linked`: the number appears in `/v1/accounts` after the delay.
 * - `never`: the phone never finishes.
 * - `conflict`: Signal's server answers 409, as it does to a client that lacks a capability of the other devices.
 *
 * Nothing but the appearing number is visible through the API: the REST process tells nobody that linking failed.
 */
export type ScanOutcome = 'linked' | 'never' | 'conflict';

export interface Scan {
  /** The account of the scanning phone: a number the world knows, or a new account. */
  readonly account: string | AccountPreset;
  readonly delayMs?: number;
  readonly outcome?: ScanOutcome;
}

/** How the scan ended, for the test; a used, unknown or forgotten URI and an account already linked link nothing. */
export type ScanResult = ScanOutcome | 'unknown-link' | 'already-linked';

/** Pending links live in the memory of the daemon. Each serves once. */
export class LinkDesk {
  readonly #faults: Faults;
  readonly #world: World;
  readonly #random: SeededRandom;
  readonly #pending = new Map<string, string>();

  constructor(parts: { faults: Faults; world: World; random: SeededRandom }) {
    this.#faults = parts.faults;
    this.#world = parts.world;
    this.#random = parts.random;
  }

  /** `startLink` of the daemon, and `finishLink` waiting behind it. */
  startLink(deviceName: string): string {
    if (this.#faults.startLinkError !== null) throw new CallError(this.#faults.startLinkError);
    if (!this.#faults.signalReachable) throw new CallError('Link request error: Connection closed!');
    const address = this.#random.bytes(16).toString('base64url');
    const publicKey = Buffer.concat([Buffer.of(5), this.#random.bytes(32)])
      .toString('base64')
      .replaceAll('=', '');
    const uri = `sgnl://linkdevice?uuid=${encodeURIComponent(address)}&pub_key=${encodeURIComponent(publicKey)}`;
    this.#pending.set(uri, deviceName);
    return uri;
  }

  /** The phone scans the code. */
  async scan(uri: string, scan: Scan): Promise<ScanResult> {
    const deviceName = this.#pending.get(uri);
    if (deviceName === undefined) return 'unknown-link';
    this.#pending.delete(uri);
    await delay(scan.delayMs ?? 0);
    const outcome = scan.outcome ?? 'linked';
    if (outcome !== 'linked') return outcome;
    return this.#finish(scan.account, deviceName);
  }

  forgetAll(): void {
    this.#pending.clear();
  }

  #finish(account: string | AccountPreset, deviceName: string): ScanResult {
    const number = typeof account === 'string' ? account : account.number;
    if (this.#world.registeredAccount(number) !== undefined) return 'already-linked';
    const known = this.#world.accounts.get(number);
    if (known !== undefined) {
      const ownId = Math.max(...known.devices.map((device) => device.id)) + 1;
      const phone = known.devices.find((device) => device.id === 1);
      const createdMs = this.#world.nowMs();
      known.devices.splice(0, known.devices.length, ...(phone === undefined ? [] : [phone]));
      known.devices.push({ id: ownId, name: deviceName, createdMs, lastSeenMs: createdMs });
      known.deviceId = ownId;
      known.registered = true;
    } else {
      this.#world.addAccount({ ...(typeof account === 'string' ? { number } : account), deviceName, registered: true });
    }
    return 'linked';
  }
}
