// SPDX-License-Identifier: AGPL-3.0-or-later
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

/** A line that is longer than any that an export has. */
export class LineTooLong extends Error {
  override readonly name = 'LineTooLong';
}

/** Lines of a file, without their ends. Throws {@link LineTooLong}, so that no file makes whoever checks it run out of memory. */
export async function* linesIn(path: string, mostBytes: number): AsyncGenerator<string> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  let held: Buffer[] = [];
  let length = 0;
  for await (const piece of handle.createReadStream()) {
    const chunk = piece as Buffer;
    let from = 0;
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, from)) {
      yield Buffer.concat([...held, chunk.subarray(from, end)]).toString('utf8');
      [held, length, from] = [[], 0, end + 1];
    }
    if (from === chunk.length) continue;
    held.push(chunk.subarray(from));
    length += chunk.length - from;
    if (length > mostBytes) throw new LineTooLong(`a line of at most ${mostBytes} bytes`);
  }
  if (length > 0) yield Buffer.concat(held).toString('utf8');
}
