// SPDX-License-Identifier: AGPL-3.0-or-later
import { setTimeout as sleep } from 'node:timers/promises';
import { Staging, type WrittenFile } from '../../src/export/staging.ts';
import { exported } from './kit.ts';

// An export in a process of its own, to be killed: behind the file of the given number it waits for that.

const [, , archive = '', index = '', out = '', stopAt = 'Infinity'] = process.argv;
const original = Object.getOwnPropertyDescriptor(Staging.prototype, 'write')?.value as Staging['write'];
Staging.prototype.write = async function (this: Staging, ...args): Promise<WrittenFile> {
  const file = await original.apply(this, args);
  if (this.files.length >= Number(stopAt)) await sleep(120_000);
  return file;
};
await exported({ archive, index, out });
