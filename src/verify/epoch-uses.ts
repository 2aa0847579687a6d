// SPDX-License-Identifier: Apache-2.0
import { recipientsOf } from '../record/epoch-document.ts';
import type { Findings } from './findings.ts';
import type { EpochUse } from './summary.ts';

interface Uses {
  readonly indices: number[];
  readonly leaves: number[];
  newestAt: string;
}

/** Which epochs a segment's records were sealed in, and under which of their keys. */
export class EpochUses {
  readonly #uses = new Map<string, Uses>();
  #last: { epoch: string; uses: Uses } | null = null;

  add(epoch: string, i: number, leaf: number, at: string): void {
    const uses = this.#of(epoch);
    uses.indices.push(i);
    uses.leaves.push(leaf);
    if (at > uses.newestAt) uses.newestAt = at;
  }

  // Records come in runs of one epoch, so the last one is mostly the next.
  #of(epoch: string): Uses {
    if (this.#last?.epoch === epoch) return this.#last.uses;
    const uses = this.#uses.get(epoch) ?? { indices: [], leaves: [], newestAt: '' };
    this.#uses.set(epoch, uses);
    this.#last = { epoch, uses };
    return uses;
  }

  /** `documentOf` gives the text of the segment's document with this hash. */
  finish(documentOf: (hash: string) => string | null, findings: Findings): EpochUse[] {
    return [...this.#uses].map(([id, uses]) => {
      const leaf = uses.leaves[0] as number;
      return {
        id,
        leaf,
        recipients: recipientList(id, leaf, documentOf(id), findings),
        ranges: rangesOf(uses, findings),
        newestAt: uses.newestAt,
      };
    });
  }
}

function recipientList(
  id: string,
  leaf: number,
  document: string | null,
  findings: Findings,
): readonly string[] | null {
  if (document === null) {
    findings.add('verify/epoch-document-missing', { leaf }, `a document with hash ${id}`, 'none');
    return null;
  }
  const recipients = recipientsOf(document);
  if (recipients === null)
    findings.add('verify/epoch-malformed', { leaf }, 'a JWE with recipients', 'another document');
  return recipients;
}

function rangesOf({ indices, leaves }: Uses, findings: Findings): number[] {
  const ascending = indices.every((index, at) => at === 0 || index > (indices[at - 1] as number));
  const order = ascending
    ? indices.keys()
    : [...indices.keys()].toSorted((a, b) => (indices[a] as number) - (indices[b] as number));
  const ranges: number[] = [];
  let next = -1;
  for (const at of order) {
    const index = indices[at] as number;
    const leaf = leaves[at] as number;
    if (index < next) {
      findings.add('verify/epoch-index-reused', { leaf }, 'an index of its own', `index ${index} again`);
    } else if (index === next) {
      ranges[ranges.length - 2] = (ranges.at(-2) as number) + 1;
      next += 1;
    } else {
      ranges.push(index, 1, leaf);
      next = index + 1;
    }
  }
  return ranges;
}
