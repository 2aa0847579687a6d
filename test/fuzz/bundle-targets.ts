// SPDX-License-Identifier: AGPL-3.0-or-later
import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkBundle } from '../../src/prove/check.ts';
import { derive } from '../../src/prove/derive.ts';
import { CORE_NAMES, type Files } from '../../src/prove/files.ts';
import { FormatError } from '../../src/record/format-error.ts';
import { parseTrust } from '../../src/record/trust.ts';
import type { Target } from './target.ts';

const FOLDER = fileURLToPath(new URL('examples/bundle', import.meta.url));

async function coreFiles(): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  for (const item of await readdir(FOLDER, { recursive: true, withFileTypes: true })) {
    const path = join(item.parentPath, item.name);
    if (item.isFile()) files.set(relative(FOLDER, path), await readFile(path));
  }
  return files;
}

/** A bundle in which one file is another: its name in the first line, its bytes behind it. */
function withOther(core: Files, bytes: Buffer): Map<string, Buffer> {
  const end = bytes.indexOf('\n');
  const name = bytes.toString('utf8', 0, end < 0 ? bytes.length : end);
  return new Map([...core, [name, end < 0 ? Buffer.alloc(0) : bytes.subarray(end + 1)]]);
}

export async function bundleTargets(): Promise<readonly Target[]> {
  const core = await coreFiles();
  const trust = parseTrust(core.get('trust.json')?.toString() ?? '');
  const derived = derive(core);
  const read = (bytes: Buffer): void => {
    const files = withOther(core, bytes);
    // What is derived is made anew: otherwise every change would be found by that alone.
    const whole = new Map([...files, ...derived]);
    for (const options of [{}, { trust }]) {
      const report = checkBundle(whole, options);
      const fault = report.findings[0];
      if (fault !== undefined) throw new FormatError('format/proof', fault.expected, fault.got);
    }
  };
  const examples = [...core].map(([name, bytes]) => Buffer.concat([Buffer.from(`${name}\n`), bytes]));
  if (examples.length < CORE_NAMES.size - 3) throw new Error('the example bundle is not whole');
  return [{ name: 'proof-bundle', examples, read, slowness: 10 }];
}
