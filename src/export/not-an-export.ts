// SPDX-License-Identifier: AGPL-3.0-or-later
import { Failure } from '../base/failure.ts';
import { MANIFEST_FILE } from './manifest.ts';

export function notAnExport(where: string, got: string, cause?: unknown): Failure {
  return new Failure('export/not-an-export', {
    expected: `a folder with a ${MANIFEST_FILE}, as \`holdfast export\` writes it`,
    got,
    where,
    ...(cause === undefined ? {} : { cause }),
  });
}
