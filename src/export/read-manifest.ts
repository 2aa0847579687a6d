// SPDX-License-Identifier: AGPL-3.0-or-later
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, Failure } from '../base/failure.ts';
import { MANIFEST_FILE, parseManifest } from './manifest.ts';

interface ReadManifest {
  readonly bytes: Buffer;
  readonly manifest: NonNullable<ReturnType<typeof parseManifest>>;
}

/** The manifest of an export that is whole. Throws `export/not-an-export`. */
export async function readManifest(folder: string): Promise<ReadManifest> {
  const bytes = await readFile(join(folder, MANIFEST_FILE)).catch((cause: unknown) => {
    throw notAnExport(folder, codeOf(cause), cause);
  });
  const manifest = parseManifest(bytes);
  if (manifest === null) throw notAnExport(folder, 'a manifest that is none');
  return { bytes, manifest };
}

export function notAnExport(where: string, got: string, cause?: unknown): Failure {
  return new Failure('export/not-an-export', {
    expected: `a folder with a ${MANIFEST_FILE}, as \`holdfast export\` writes it`,
    got,
    where,
    ...(cause === undefined ? {} : { cause }),
  });
}
