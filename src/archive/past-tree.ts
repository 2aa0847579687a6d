// SPDX-License-Identifier: AGPL-3.0-or-later
import { leafHash, nodeHash, type Hash } from '../record/hash.ts';
import { signersOf } from '../record/manifest.ts';
import { rangeLevels, RangeBuilder } from '../record/merkle.ts';
import { consistencySpans, inclusionSpans, type Span } from '../record/proof-spans.ts';
import { verifyTail, type Segment } from '../record/segment.ts';
import { brokenLog, type LogState, type SignedSize } from './log-state.ts';
import { segmentHolding, type LogPlace } from './segments.ts';

/** Nodes kept: complete subtrees never change. 100 bytes each. */
const MOST_NODES = 4096;

/**
 * Proofs that reach behind the window of the tree, for connectors that were away. Every node of a proof takes one segment: a
 * segment's edge holds the subtrees left of it, and its entries complete the node that ends inside it. So a proof of any age
 * takes about as many reads as the tree is high, and no memory. One proof is made at a time.
 */
export class PastTree {
  readonly #place: LogPlace;
  readonly #state: LogState;
  readonly #nodes = new Map<string, Hash>();
  #busy: Promise<unknown> = Promise.resolve();

  constructor(place: LogPlace, state: LogState) {
    this.#place = place;
    this.#state = state;
  }

  /** RFC 6962 section 2.1.2: that the first `size` leaves, at least one, are the beginning of `now`. */
  consistencyProof(size: number, now: SignedSize): Promise<Hash[]> {
    return this.#alone(() => this.#resolve(consistencySpans(size, now.size), now));
  }

  /** RFC 6962 section 2.1.1, with the leaf's hash, which a caller that knows only heads may lack. */
  inclusionProof(leaf: number, now: SignedSize): Promise<{ id: Hash; inclusion: Hash[] }> {
    return this.#alone(async () => {
      const segment = await this.#segmentHolding(leaf);
      const id = leafHash(segment.entries[leaf - segment.head.first] as Buffer);
      return { id, inclusion: await this.#resolve(inclusionSpans(leaf, now.size), now) };
    });
  }

  /** Who asks can be anybody with access to the queue, so reading for one must not crowd out the log. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#busy.then(work);
    this.#busy = done.catch(() => undefined);
    return done;
  }

  async #resolve(spans: readonly Span[], now: SignedSize): Promise<Hash[]> {
    const hashes: Hash[] = [];
    for (const span of spans) hashes.push(nodeOfEdge(now, span) ?? (await this.#node(span)));
    return hashes;
  }

  /** A complete subtree that is not on the present edge. */
  async #node([begin, end]: Span): Promise<Hash> {
    const name = `${begin}-${end}`;
    const known = this.#nodes.get(name);
    if (known !== undefined) return known;
    const hash = nodeEndingIn(await this.#segmentHolding(end - 1), begin, end);
    if (this.#nodes.size >= MOST_NODES) this.#nodes.delete(this.#nodes.keys().next().value as string);
    this.#nodes.set(name, hash);
    return hash;
  }

  /** Believed because an archiver of this log signed it, whatever has happened to the store since. */
  async #segmentHolding(leaf: number): Promise<Segment> {
    const segment = await segmentHolding(this.#place, leaf);
    const signers = this.#state.manifests.map(({ manifest }) => signersOf(manifest, 'archiver').get(segment.tail.key));
    const signer = signers.find((key) => key !== undefined);
    if (signer === undefined) throw brokenLog(`a segment by an unknown archiver at leaf ${segment.head.first}`);
    verifyTail(segment, signer);
    return segment;
  }
}

/** Root of the complete subtree `[begin, end)`, whose last leaf lies in this segment. */
function nodeEndingIn({ head, entries }: Segment, begin: number, end: number): Hash {
  const builder = new RangeBuilder(begin);
  let at = 0;
  for (const [index, level] of rangeLevels(0, head.first).entries()) {
    const next = at + 2 ** level;
    if (at >= begin) builder.append({ begin: at, end: next, hashes: [head.edge.hashes[index] as Hash] });
    at = next;
  }
  const from = Math.max(0, begin - head.first);
  for (const line of entries.slice(from, end - head.first)) builder.appendLeaf(leafHash(line));
  const [hash, ...rest] = builder.range().hashes;
  if (hash === undefined || rest.length > 0) throw brokenLog(`a segment with another edge at leaf ${head.first}`);
  return hash;
}

/** A node made of whole subtrees of the present edge: the last, ragged one of a proof. Null for all others. */
function nodeOfEdge({ range, size }: SignedSize, [begin, end]: Span): Hash | null {
  const found: Hash[] = [];
  let at = 0;
  for (const [index, level] of rangeLevels(0, size).entries()) {
    const next = at + 2 ** level;
    if (at >= begin && next <= end) found.push(range.hashes[index] as Hash);
    at = next;
  }
  return found.length > 0 ? found.reduceRight((right, left) => nodeHash(left, right)) : null;
}
