// SPDX-License-Identifier: AGPL-3.0-or-later
import type { WhatsAppEmulator, WhatsAppEmulatorOptions } from './api.ts';

/** Starts an emulator in this process, on the loopback interface. */
export function startWhatsAppEmulator(options: WhatsAppEmulatorOptions = {}): Promise<WhatsAppEmulator> {
  return Promise.reject(new Error(`not yet: ${String(options.port)}`));
}
