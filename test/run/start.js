// SPDX-License-Identifier: AGPL-3.0-or-later

// Plain JavaScript, because a Node that is too old for the tests must be able to say so.
const NEEDED = [24, 11];

const [major, minor] = process.versions.node.split('.').map(Number);
if (major > NEEDED[0] || (major === NEEDED[0] && minor >= NEEDED[1])) {
  await import('./main.ts');
} else {
  console.error(
    `Holdfast needs Node >= ${NEEDED.join('.')}, this is ${process.version}: run "npm ci" and then "npm test" (on Linux x64 that brings a Node of its own), or install Node 24`,
  );
  console.log('0 passed, 1 failed');
  process.exitCode = 1;
}
