// SPDX-License-Identifier: AGPL-3.0-or-later
import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

// Published vectors are data of other people and lie beside the project, not in it. Where they are not, tests use ours alone.
const SHARED = new URL('../../../shared/vectors/', import.meta.url);

/** The bytes of a published vector file, unpacked, or null where the files are not. */
export function sharedVectors(name: string): Buffer | null {
  const file = new URL(name, SHARED);
  if (!existsSync(file)) return null;
  const bytes = readFileSync(file);
  return name.endsWith('.gz') ? gunzipSync(bytes) : bytes;
}

/** A published JSON vector file, or what stands for nothing where the files are not. */
export function sharedJson<T>(name: string, none: T): T {
  const bytes = sharedVectors(name);
  return bytes === null ? none : (JSON.parse(bytes.toString('utf8')) as T);
}

/** One of the committed vector files of this folder. */
export function ownVectors<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`${name}.json`, import.meta.url), 'utf8')) as T;
}
