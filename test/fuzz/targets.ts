// SPDX-License-Identifier: AGPL-3.0-or-later
import { bundleTargets } from './bundle-targets.ts';
import { logTargets } from './log-targets.ts';
import { noteTargets } from './note-targets.ts';
import { requestTargets } from './request-targets.ts';
import type { Target } from './target.ts';
import { timeTargets } from './time-targets.ts';

/** Every parser of evidence, and of what people ask for. */
export async function targets(): Promise<readonly Target[]> {
  return [...logTargets(), ...noteTargets(), ...timeTargets(), ...bundleTargets(), ...requestTargets()];
}
