// SPDX-License-Identifier: AGPL-3.0-or-later
import { readFileSync } from 'node:fs';
import { checkBundle } from '../../src/prove/check.ts';
import { derive } from '../../src/prove/derive.ts';
import type { Files } from '../../src/prove/files.ts';
import { FormatError } from '../../src/record/format-error.ts';
import { parseTrust } from '../../src/record/trust.ts';
import type { Target } from './target.ts';

const KEPT = new URL('examples/bundle.txt', import.meta.url);

/** One file a line: its name, and its bytes in base64. */
function coreFiles(): Map<string, Buffer> {
  const lines = readFileSync(KEPT, 'utf8').trimEnd().split('\n');
  return new Map(
    lines.map((line) => {
      const [name = '', bytes = ''] = line.split(' ');
      return [name, Buffer.from(bytes, 'base64')];
    }),
  );
}

/** A bundle in which one file is another: its name in the first line, its bytes behind it. */
function withOther(core: Files, bytes: Buffer): Map<string, Buffer> {
  const end = bytes.indexOf('\n');
  const name = bytes.toString('utf8', 0, end < 0 ? bytes.length : end);
  return new Map([...core, [name, end < 0 ? Buffer.alloc(0) : bytes.subarray(end + 1)]]);
}

export function bundleTargets(): readonly Target[] {
  const core = coreFiles();
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
  return [{ name: 'proof-bundle', examples, read, slowness: 10 }];
}
