// SPDX-License-Identifier: AGPL-3.0-or-later

// Writes the `.out.json` beside each `.in.json`: `node test/connectors/whatsapp/write-golden.ts && npx oxfmt src/connectors/whatsapp/fixtures`.
// Read the difference before you commit it: these files are the specification of what is understood.

import { writeFileSync } from 'node:fs';
import { goldenCases, goldenOf } from './golden.ts';

for (const { steps, out } of goldenCases()) writeFileSync(out, `${JSON.stringify(goldenOf(steps), null, 2)}\n`);
