// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Json } from '../record/canonical.ts';
import { jsonBytes } from './own-records.ts';

/** The archive of an account begins here: nothing older can be expected in it. */
export interface Linked {
  readonly atMs: number;
}

/** A value of the session state. */
export function encodeState(value: Json): Uint8Array {
  return jsonBytes(value);
}

/** Reads what {@link encodeState} wrote: our own, so the type is taken on trust. */
export function decodeState<T>(bytes: Uint8Array | null): T | null {
  return bytes === null ? null : (JSON.parse(Buffer.from(bytes).toString('utf8')) as T);
}
