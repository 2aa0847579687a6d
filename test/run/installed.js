// SPDX-License-Identifier: AGPL-3.0-or-later

// Ends with code 0 if node_modules holds what package-lock.json says. Plain JavaScript: it runs before anything is installed.
import { readFileSync } from 'node:fs';

function packagesOf(file) {
  try {
    return JSON.parse(readFileSync(new URL(file, import.meta.url), 'utf8')).packages;
  } catch {
    return {};
  }
}

const wanted = packagesOf('../../package-lock.json');
const present = packagesOf('../../node_modules/.package-lock.json');

function isUpToDate(path) {
  if (path === '') return true;
  const { version, optional, peer, devOptional } = wanted[path];
  // Left out for other systems, or by the settings in .npmrc.
  if (present[path] === undefined) return Boolean(optional || peer || devOptional);
  return present[path].version === version;
}

const isInstalled = Object.keys(present).length > 0;
process.exitCode = isInstalled && Object.keys(wanted).every(isUpToDate) ? 0 : 1;
