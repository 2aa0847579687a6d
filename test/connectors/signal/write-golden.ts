// SPDX-License-Identifier: AGPL-3.0-or-later

// Writes the `.out.json` beside each `.in.json`: `node test/connectors/signal/write-golden.ts && npx oxfmt src/connectors/signal/fixtures`.
// Read the difference before you commit it: these files are the specification of what is understood.

import { writeFileSync } from 'node:fs';
import { goldenCases, understandGolden } from './golden.ts';

for (const { raw, out } of goldenCases()) writeFileSync(out, `${JSON.stringify(understandGolden(raw), null, 2)}\n`);
