// SPDX-License-Identifier: AGPL-3.0-or-later
import { writeFileSync } from 'node:fs';
import { VERSION } from '../../src/main/version.ts';
import { documentOf } from '../../src/web/document.ts';
import { ROUTES } from '../../src/web/routes/all.ts';

// Writes docs/openapi.json from the routes: `node test/guards/api-document.ts`. A test compares.

export function apiDocument(): string {
  return `${JSON.stringify(documentOf(ROUTES, VERSION), null, 2)}\n`;
}

if (import.meta.main) writeFileSync(new URL('../../docs/openapi.json', import.meta.url), apiDocument());
