// SPDX-License-Identifier: AGPL-3.0-or-later

// `holdfast up` with WhatsApp's emulator in WhatsApp's place: `node whatsapp-up.ts up --config FILE --wire FILE`. The only difference to
// the real one is the wire that the session is given; the real one has no way to be given another.

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { openDeployment } from '../../src/cli/command.ts';
import { parseConfig } from '../../src/connectors/whatsapp/config.ts';
import { NORMALISE } from '../../src/connectors/whatsapp/index.ts';
import { WhatsAppSession } from '../../src/connectors/whatsapp/session.ts';
import type { Wire } from '../../src/connectors/whatsapp/wire.ts';
import { MESSENGERS } from '../../src/main/messengers.ts';
import { up } from '../../src/main/up.ts';
import { trustEmulator } from '../emulators/whatsapp/trust.ts';

const { values } = parseArgs({
  allowPositionals: true,
  options: { config: { type: 'string', default: '' }, wire: { type: 'string', default: '' } },
});
const wire = JSON.parse(readFileSync(values.wire, 'utf8')) as Wire;
trustEmulator(Buffer.from(wire.noiseRoot, 'hex'));
const { config, events } = openDeployment({ config: values.config });
await up(config, events, true, {
  ...MESSENGERS,
  whatsapp: (settings, deps) => new WhatsAppSession(parseConfig(settings), deps, { normalise: NORMALISE, wire }),
});
