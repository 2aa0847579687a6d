// SPDX-License-Identifier: Apache-2.0
import { FormatError } from './format-error.ts';
import { splitPoint } from './merkle.ts';

/** Leaves `begin` (inclusive) to `end` (exclusive). */
export type Span = readonly [begin: number, end: number];

function assertSize(what: string, value: number, least: number, most: number): void {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return;
  throw new FormatError('format/proof', `${what} from ${least} to ${most}`, String(value));
}

/** The subtrees of a leaf's inclusion proof (RFC 6962 section 2.1.1) in a tree of `size` leaves, in the proof's order. */
export function inclusionSpans(leaf: number, size: number): Span[] {
  assertSize('a leaf', leaf, 0, size - 1);
  const spans: Span[] = [];
  let [begin, end] = [0, size];
  while (end - begin > 1) {
    const middle = begin + splitPoint(end - begin);
    if (leaf < middle) {
      spans.push([middle, end]);
      end = middle;
    } else {
      spans.push([begin, middle]);
      begin = middle;
    }
  }
  return spans.toReversed();
}

/** The subtrees of a consistency proof (RFC 6962 section 2.1.2) between two sizes, in the proof's order. */
export function consistencySpans(size1: number, size2: number): Span[] {
  assertSize('a first size', size1, 1, size2);
  const spans: Span[] = [];
  let [begin, end] = [0, size2];
  // True while the smaller tree's root is still the left edge, which the verifier has.
  let whole = true;
  while (size1 !== end) {
    const middle = begin + splitPoint(end - begin);
    if (size1 <= middle) {
      spans.push([middle, end]);
      end = middle;
    } else {
      spans.push([begin, middle]);
      begin = middle;
      whole = false;
    }
  }
  if (!whole) spans.push([begin, end]);
  return spans.toReversed();
}
