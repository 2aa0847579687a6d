// SPDX-License-Identifier: AGPL-3.0-or-later

import { readdirSync, readFileSync } from 'node:fs';
import { normalise } from '../../../src/connectors/signal/normalise.ts';
import { referencesOf, stampsOf } from '../../../src/connectors/signal/references.ts';

export const goldenAccount = '+12025550142';
export const goldenDir = new URL('../../../src/connectors/signal/fixtures/', import.meta.url);

export interface GoldenCase {
  readonly name: string;
  /** The bytes of `params`. */
  readonly raw: Buffer;
  readonly out: URL;
}

/** The golden pairs beside the source: what upstream says, and what it is understood as. */
export function goldenCases(): GoldenCase[] {
  return readdirSync(goldenDir)
    .filter((file) => file.endsWith('.in.json'))
    .toSorted()
    .map((file) => {
      const name = file.replace(/\.in\.json$/, '');
      return { name, raw: readFileSync(new URL(file, goldenDir)), out: new URL(`${name}.out.json`, goldenDir) };
    });
}

/** Everything that the pure part makes of a frame. */
export function understandGolden(raw: Uint8Array): unknown {
  return normalise(raw, goldenAccount).map((one) => ({
    native: one.native,
    view: one.view,
    headerAtMs: one.headerAtMs,
    namedBy: stampsOf(one, goldenAccount),
    refersTo: referencesOf(one.view, goldenAccount),
  }));
}
