// SPDX-License-Identifier: AGPL-3.0-or-later
import { readFileSync } from 'node:fs';
import { codeOf, Failure } from '../base/failure.ts';

/** The text of a file that an option names. Throws `config/missing`. */
export function readNamed(file: string, expected: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new Failure('config/missing', { expected, got: codeOf(cause), where: file, cause });
  }
}
