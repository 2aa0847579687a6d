// SPDX-License-Identifier: AGPL-3.0-or-later

import type { Wire } from '../../../src/connectors/whatsapp/wire.ts';
import type { WhatsAppEmulator } from '../../emulators/whatsapp/api.ts';
import { emulatorAgent } from '../../emulators/whatsapp/emulator-agent.ts';

/** The emulator in WhatsApp's place. */
export function wireOf(emulator: WhatsAppEmulator): Wire {
  const noiseRoot = Buffer.from(emulator.noiseRoot).toString('hex');
  const isTls = emulator.caCertificate !== null;
  return { url: emulator.url, noiseRoot, ...(isTls ? { agent: emulatorAgent(emulator) } : {}) };
}
