// SPDX-License-Identifier: AGPL-3.0-or-later
import { Failure } from '../base/failure.ts';
import type { AskedRange } from './route.ts';

/** A part of a file, both ends included. */
export interface Part {
  readonly from: number;
  readonly to: number;
}

const ONE_RANGE = /^bytes=(\d{0,15})-(\d{0,15})$/;

/**
 * The part that a request asks for (RFC 9110, 14); null for the whole, which is also what is given to several ranges, to units and forms
 * that are not understood, and to whoever has another file under this address. Throws `web/range` for a part behind the end.
 */
export function partOf({ range, ifRange }: AskedRange, tag: string, size: number): Part | null {
  const [, first = '', last = ''] = ONE_RANGE.exec(range ?? '') ?? [];
  if ((first === '' && last === '') || (ifRange !== null && ifRange !== tag)) return null;
  // Without a first one it is the last so many.
  const from = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const to = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1);
  if (first !== '' && last !== '' && Number(last) < from) return null;
  if (from <= to) return { from, to };
  throw new Failure('web/range', { expected: 'a part of the file', got: 'one behind its end' });
}
