// SPDX-License-Identifier: AGPL-3.0-or-later
import { auditIn, looked } from './kit.ts';

// Records one look after the other, and says of each that it is recorded; until somebody kills it.
const [directory = '', from = '0'] = process.argv.slice(2);
const audit = auditIn(directory);
for (let at = Number(from); ; at += 1) {
  await audit.record([looked(`look ${at}`)]);
  process.stdout.write(`${at}\n`);
}
