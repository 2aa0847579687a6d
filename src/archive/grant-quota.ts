// SPDX-License-Identifier: AGPL-3.0-or-later
import { Failure } from '../base/failure.ts';
import type { Hex128, Hex256 } from '../record/entry-types.ts';
import type { KeyId } from '../record/key.ts';

export interface GrantLimits {
  readonly maxObjectBytes: number;
  /** Bytes granted to one stream and not yet logged: what a broken or stolen connector could lock for nothing. */
  readonly maxOutstandingBytes: number;
  /** The same over all streams of one connector, which may name streams that do not exist yet. */
  readonly maxConnectorBytes: number;
  readonly maxConnectorObjects: number;
  /** What was granted and never logged counts for this long: uploads fail, spools get lost. */
  readonly lapseMs: number;
}

export const GRANT_LIMITS: GrantLimits = {
  maxObjectBytes: 4 * 2 ** 30,
  maxOutstandingBytes: 16 * 2 ** 30,
  maxConnectorBytes: 64 * 2 ** 30,
  maxConnectorObjects: 20_000,
  lapseMs: 86_400_000,
};

interface Held {
  readonly connector: KeyId;
  readonly bytes: number;
  readonly atMs: number;
}

/** What may still be uploaded by grants given, by stream and by connector. Held in memory: a restart forgets it. */
export class GrantQuota {
  readonly #limits: GrantLimits;
  /** By connector and stream, in the order of granting. */
  readonly #held = new Map<string, Map<Hex256, Held>>();
  readonly #totals = new Map<KeyId, { bytes: number; objects: number }>();

  constructor(limits: GrantLimits) {
    this.#limits = limits;
  }

  /** Counts all of these, or none and throws `archive/grant-limit`. An object that is asked for again counts once. */
  reserve(
    connector: KeyId,
    stream: Hex128,
    objects: readonly { readonly sha256: Hex256; readonly size: number }[],
    nowMs: number,
  ): void {
    this.#lapse(nowMs);
    const held = this.#held.get(`${connector} ${stream}`) ?? new Map<Hex256, Held>();
    const added = new Map<Hex256, number>();
    for (const { sha256, size } of objects) {
      // The same name with another length is another grant all the same: the larger one may be in use.
      const before = Math.max(held.get(sha256)?.bytes ?? 0, added.get(sha256) ?? 0);
      added.set(sha256, Math.max(before, size));
    }
    this.#assertFits(connector, held, added);
    this.#held.set(`${connector} ${stream}`, held);
    for (const [sha256, bytes] of added) this.#set(held, sha256, { connector, bytes, atMs: nowMs });
  }

  #assertFits(connector: KeyId, held: ReadonlyMap<Hex256, Held>, added: ReadonlyMap<Hex256, number>): void {
    const { maxObjectBytes, maxOutstandingBytes, maxConnectorBytes, maxConnectorObjects } = this.#limits;
    const total = this.#totals.get(connector) ?? { bytes: 0, objects: 0 };
    const more = [...added].map(([sha256, bytes]) => bytes - (held.get(sha256)?.bytes ?? 0));
    const moreBytes = more.reduce((sum, bytes) => sum + bytes, 0);
    const moreObjects = [...added.keys()].filter((sha256) => !held.has(sha256)).length;
    const streamBytes = held.values().reduce((sum, { bytes }) => sum + bytes, 0);
    const fits =
      [...added.values()].every((bytes) => bytes <= maxObjectBytes) &&
      streamBytes + moreBytes <= maxOutstandingBytes &&
      total.bytes + moreBytes <= maxConnectorBytes &&
      total.objects + moreObjects <= maxConnectorObjects;
    if (fits) return;
    throw new Failure('archive/grant-limit', {
      expected: `objects of at most ${maxObjectBytes} bytes, ${maxOutstandingBytes} a stream, ${maxConnectorBytes} a connector`,
      got: 'more that is granted and not logged',
      fix: 'look why uploads of this connector are not followed by records',
    });
  }

  /** An object of this stream is in the log: it no longer counts. */
  logged(connector: KeyId, stream: Hex128, sha256: Hex256): void {
    this.#drop(`${connector} ${stream}`, sha256);
  }

  #set(held: Map<Hex256, Held>, sha256: Hex256, one: Held): void {
    const before = held.get(sha256);
    const total = this.#totals.get(one.connector) ?? { bytes: 0, objects: 0 };
    this.#totals.set(one.connector, {
      bytes: total.bytes + one.bytes - (before?.bytes ?? 0),
      objects: total.objects + (before === undefined ? 1 : 0),
    });
    held.delete(sha256);
    held.set(sha256, one);
  }

  #drop(place: string, sha256: Hex256): void {
    const held = this.#held.get(place);
    const one = held?.get(sha256);
    if (held === undefined || one === undefined) return;
    held.delete(sha256);
    if (held.size === 0) this.#held.delete(place);
    const total = this.#totals.get(one.connector) ?? { bytes: 0, objects: 0 };
    const left = { bytes: total.bytes - one.bytes, objects: total.objects - 1 };
    if (left.objects === 0) this.#totals.delete(one.connector);
    else this.#totals.set(one.connector, left);
  }

  /** Grants have long expired by then; what was uploaded with them and never named stays locked for nothing. */
  #lapse(nowMs: number): void {
    for (const [place, held] of this.#held) {
      for (const [sha256, { atMs }] of held) {
        if (nowMs - atMs < this.#limits.lapseMs) break;
        this.#drop(place, sha256);
      }
    }
  }
}
