// SPDX-License-Identifier: AGPL-3.0-or-later
import type { WhatsAppEmulator, WhatsAppEmulatorOptions } from './api.ts';

/** Starts an emulator in a process of its own. Ends with this process, or when disposed. */
export function forkWhatsAppEmulator(options: WhatsAppEmulatorOptions = {}): Promise<WhatsAppEmulator> {
  return Promise.reject(new Error(`not yet: ${String(options.port)}`));
}
