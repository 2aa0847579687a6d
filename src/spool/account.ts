// SPDX-License-Identifier: AGPL-3.0-or-later
import type { KeyObject } from 'node:crypto';
import { canonicalize, type Json } from '../record/canonical.ts';
import type { BytesRef, Hex128 } from '../record/entry-types.ts';
import type { NativeId, View } from '../record/message.ts';
import { toSeconds } from '../record/period.ts';
import type { App } from '../record/vocabulary.ts';
import { MAX_INFLATED_BYTES, MAX_PADDED_BYTES, prepareParts, type Prepared } from '../seal/seal.ts';
import { newObjectStub, stubFor } from '../seal/stub.ts';
import { accountPseudonym, devicePseudonym, nativeTag, tagKey } from '../seal/tag.ts';
import { Failure, isFailure } from '../base/failure.ts';
import type {
  AccountSink,
  ContentCapture,
  Delivered,
  GapCapture,
  MediaCapture,
  OpenGap,
  SessionChange,
  Sightings,
} from '../connectors/connector.ts';
import type { Unit } from './committer.ts';
import type { StagedObject } from './objects.ts';
import { refOf, type SealedRecordFields } from './recorder.ts';
import { SeenTable, type Seen } from './sightings.ts';
import type { SpoolParts } from './spool.ts';
import type { SpoolStream } from './streams.ts';

/** An act, or a record that holds another one whole; what else it says is for whoever opens it. */
export interface AccessView {
  readonly v: 1;
  readonly kind: 'act' | 'orphan';
}

/** What a reader did. It names no object: it is short, or it is refused. */
export interface AccessCapture {
  readonly type: 'access';
  readonly native: NativeId;
  readonly via: string;
  readonly atMs: number;
  readonly view: AccessView;
  readonly raw: Uint8Array;
}

/** What this folder itself records: it may name objects that are in the spool already, and a tag whose identity it does not know. */
export type OwnContent = ContentCapture & { readonly objects?: readonly BytesRef[] };
export type OwnGap = GapCapture & { readonly tag?: Hex128 };
export type OwnCapture = OwnContent | OwnGap | AccessCapture;

export interface SpoolAccount {
  readonly app: App;
  readonly account: string;
  /** Class of its records. */
  readonly ret: string;
  /** Label of this device, where several of the account are archived. */
  readonly device?: string;
}

interface ReadyContent {
  readonly capture: OwnContent | AccessCapture;
  readonly tag: Hex128;
  readonly mac: Buffer;
  /** The same bytes are recorded already; nothing was prepared then. */
  readonly seen: Seen | null;
  sealing: Sealing | null;
}

interface ReadyGap {
  readonly capture: OwnGap;
  readonly sealing: Sealing;
}

/** Compressed plaintext; if it is too long for a body, the object that holds it once it is staged. */
interface Sealing {
  prepared: Prepared;
  readonly isLong: boolean;
  object: StagedObject | null;
  used: boolean;
}

type Ready = ReadyContent | ReadyGap;

/** More in one capture belongs into a media object, which takes any length. */
const MAX_CAPTURE_BYTES = 256 * 1024 * 1024;
/** More than labels, salts and lengths of the parts take. */
const HEADS_BYTES = 1024;

/** One account's way into the spool: fold, seal, chain, commit. Captures are recorded in the order of the calls. */
export class AccountSpool implements AccountSink {
  readonly acct: Hex128;
  readonly #parts: SpoolParts;
  readonly #ret: string;
  readonly #tagKey: KeyObject;
  /** Settles when the last call that had to wait has entered the committer. */
  #turn: Promise<unknown> | null = null;

  constructor(parts: SpoolParts, { app, account, ret, device }: SpoolAccount) {
    const { deploymentKey } = parts.options;
    const pseudonym = accountPseudonym(deploymentKey, app, account);
    this.#parts = parts;
    this.#ret = ret;
    this.acct = device === undefined ? pseudonym : devicePseudonym(deploymentKey, app, account, device);
    this.#tagKey = tagKey(deploymentKey, pseudonym);
  }

  /** True where this spool is a reader's: it may sign no `content`. */
  get isReaders(): boolean {
    return this.#parts.options.role === 'reader';
  }

  ready(): Promise<void> {
    return this.#parts.gate.ready();
  }

  deliver(captures: readonly OwnCapture[], session: readonly SessionChange[] = []): Promise<readonly Delivered[]> {
    return this.deliverWith(captures, { after: () => this.#parts.sessions.apply(this.acct, session) });
  }

  /** Like `deliver`, with something else before or after it in the same transaction. */
  async deliverWith(
    captures: readonly OwnCapture[],
    also: { readonly before?: (unit: Unit) => void; readonly after?: (unit: Unit) => void },
  ): Promise<readonly Delivered[]> {
    const ready = this.#parts.committer.read(() => captures.map((capture) => this.#ready(capture)));
    const sealings = ready.flatMap(({ sealing }) => sealing ?? []);
    const long = sealings.filter(({ isLong }) => isLong);
    const enter = (): Promise<readonly Delivered[]> =>
      this.#commit(sealings, (unit) => {
        also.before?.(unit);
        const delivered = ready.map((one) => this.#record(unit, one));
        also.after?.(unit);
        return delivered;
      });
    if (long.length === 0 && this.#turn === null) return enter();
    const staged = this.#stage(long);
    const turn = Promise.allSettled([staged, this.#turn]);
    this.#turn = turn;
    const [own] = await turn;
    if (this.#turn === turn) this.#turn = null;
    if (own.status === 'rejected') throw own.reason;
    return enter();
  }

  async deliverMedia(media: MediaCapture, session: readonly SessionChange[] = []): Promise<Delivered> {
    const object = await this.#parts.objects.stage(media.bytes);
    const tag = this.tagOf(media.native);
    const mac = SeenTable.mac(this.#tagKey, Buffer.from(object.plainSha256));
    const sealing = await this.#sealMedia(media, object);
    return this.#commit([sealing], (unit) => {
      const seen = this.#parts.seen.find(tag, mac);
      const delivered =
        seen === null
          ? this.#append(unit, { t: 'media', ret: this.#ret, obj: [refOf(object.hash, object.size)], tag }, sealing)
          : this.#fold(unit, { tag, mac, via: media.via }, seen);
      if (seen === null) this.#see(unit, { tag, mac, via: media.via }, delivered.seq);
      this.#parts.sessions.apply(this.acct, session);
      return delivered;
    });
  }

  session(name: string): Buffer | null {
    return this.#parts.sessions.get(this.acct, name);
  }

  sessionNames(prefix: string): readonly string[] {
    return this.#parts.sessions.names(this.acct, prefix);
  }

  openGaps(): readonly OpenGap[] {
    return this.#parts.gaps.ofAccount(this.acct);
  }

  has(native: NativeId): boolean {
    return this.#parts.seen.has(this.tagOf(native));
  }

  tagOf(native: NativeId): string {
    return nativeTag(this.#tagKey, native);
  }

  sightings(sinceMs: number): Sightings {
    return this.#parts.seen.report(this.acct, sinceMs);
  }

  #stream(): SpoolStream {
    const stream = this.#parts.streams.current(this.acct);
    if (stream === undefined) {
      throw new Failure('spool/no-stream', { expected: 'an open stream for the account', got: 'none' });
    }
    return stream;
  }

  #ready(capture: OwnCapture): Ready {
    // A gap names no objects: what it is about is recorded as content, the gap only says so.
    if (capture.type === 'gap') {
      return { capture, sealing: assertShort(this.#seal(capture, capture.view, null), 'spool/too-large') };
    }
    const tag = this.tagOf(capture.native);
    const mac = SeenTable.mac(this.#tagKey, capture.raw);
    const seen = this.#parts.seen.find(tag, mac);
    if (seen !== null) return { capture, tag, mac, seen, sealing: null };
    const sealing = this.#seal(capture, capture.view, null);
    return {
      capture,
      tag,
      mac,
      seen,
      sealing: capture.type === 'access' ? assertShort(sealing, 'spool/too-large') : sealing,
    };
  }

  #seal(
    { atMs, via, raw }: { atMs: number; via: string; raw: Uint8Array },
    view: View | AccessView,
    object: StagedObject | null,
  ): Sealing {
    const cap = Buffer.from(canonicalize({ atMs, via }));
    const seen = Buffer.from(canonicalize(view as unknown as Json));
    const bytes = cap.length + seen.length + raw.length;
    if (bytes > MAX_CAPTURE_BYTES) {
      throw new Failure('spool/too-large', { expected: `at most ${MAX_CAPTURE_BYTES} bytes`, got: `${bytes} bytes` });
    }
    const prepared = prepareParts({ cap, view: seen, raw });
    // What compresses well may still be more than a reader inflates from a body.
    const isLong = prepared.padded.length > MAX_PADDED_BYTES || bytes > MAX_INFLATED_BYTES - HEADS_BYTES;
    return { prepared, isLong, object, used: false };
  }

  async #sealMedia(media: MediaCapture, object: StagedObject): Promise<Sealing> {
    try {
      const key = { key: object.key, size: object.plainSize, sha256: object.plainSha256 };
      return assertShort(this.#seal(media, media.view(key), object), 'spool/media-record');
    } catch (error) {
      await this.#parts.objects.remove(object.hash);
      throw error;
    }
  }

  /** Moves what is too long for a body into objects. */
  async #stage(long: readonly Sealing[]): Promise<void> {
    try {
      for (const sealing of long) {
        const { padded } = sealing.prepared;
        sealing.object = await this.#parts.objects.stage(single(padded));
        padded.fill(0);
        sealing.prepared = { ...sealing.prepared, padded: newObjectStub(stubFor(sealing.object)) };
      }
    } catch (error) {
      await this.#discard(long);
      throw error;
    }
  }

  /** Runs a unit; objects that no record of it names are removed, unless its outcome is unknown. */
  async #commit<T>(sealings: readonly Sealing[], work: (unit: Unit) => T): Promise<T> {
    try {
      const result = await this.#parts.committer.run(work);
      await this.#discard(sealings.filter(({ used }) => !used));
      return result;
    } catch (error) {
      if (!isFailure(error, 'fatal')) await this.#discard(sealings);
      throw error;
    }
  }

  async #discard(sealings: readonly Sealing[]): Promise<void> {
    for (const { prepared, object } of sealings) {
      prepared.padded.fill(0);
      if (object !== null) await this.#parts.objects.remove(object.hash);
    }
  }

  #record(unit: Unit, ready: Ready): Delivered {
    if (!('tag' in ready)) return this.#recordGap(unit, ready);
    const { capture, tag, mac, sealing } = ready;
    const sight = { tag, mac, via: capture.via };
    const seen = this.#parts.seen.find(tag, mac) ?? ready.seen;
    if (seen !== null || sealing === null) return this.#fold(unit, sight, seen as Seen);
    if (capture.type === 'access') {
      const delivered = this.#append(unit, { t: 'access', ret: this.#ret, tag }, sealing);
      this.#see(unit, sight, delivered.seq);
      return delivered;
    }
    const { object } = sealing;
    const refs = [...(object === null ? [] : [refOf(object.hash, object.size)]), ...(capture.objects ?? [])];
    const obj: { obj?: readonly BytesRef[] } = refs.length === 0 ? {} : { obj: refs };
    const delivered = this.#append(unit, { t: 'content', ret: this.#ret, ...obj, tag }, sealing);
    const place = { ret: this.#ret, streamNo: this.#stream().no, seq: delivered.seq };
    for (const ref of capture.objects ?? []) this.#parts.objects.move(ref, place);
    this.#see(unit, sight, delivered.seq);
    return delivered;
  }

  #fold(unit: Unit, sight: { tag: Hex128; mac: Buffer; via: string }, seen: Seen): Delivered {
    this.#parts.seen.mark(unit, sight, seen);
    return { seq: seen.seq, id: this.#parts.outbox.idAt(seen.streamNo, seen.seq) ?? '', fresh: false };
  }

  #recordGap(unit: Unit, { capture: gap, sealing }: ReadyGap): Delivered {
    const { cause, scope, state, count, last, ref, native, fromMs, toMs, atMs } = gap;
    const tag = native === undefined ? (gap.tag ?? null) : this.tagOf(native);
    const fields = {
      t: 'gap',
      ret: this.#ret,
      cause,
      scope,
      state,
      ...(count === undefined ? {} : { count }),
      ...(last === undefined ? {} : { last }),
      ...(ref === undefined ? {} : { ref }),
      ...(tag === null ? {} : { tag }),
      ...(fromMs === undefined ? {} : { from: toSeconds(fromMs) }),
      ...(toMs === undefined ? {} : { to: toSeconds(toMs) }),
    } as const;
    const delivered = this.#append(unit, fields, sealing);
    if (state === 'open') this.#parts.gaps.open(this.acct, { id: delivered.id, cause, scope, tag, atMs });
    else if (ref !== undefined) this.#parts.gaps.end(ref);
    return delivered;
  }

  #append(unit: Unit, fields: SealedRecordFields, sealing: Sealing): Delivered {
    const stream = this.#stream();
    const { seq, id } = this.#parts.recorder.sealed(
      unit,
      stream,
      this.#parts.options.clock(),
      fields,
      sealing.prepared,
    );
    if (sealing.object !== null) {
      this.#parts.objects.attach(sealing.object, { ret: this.#ret, streamNo: stream.no, seq });
    }
    sealing.used = true;
    return { seq, id, fresh: true };
  }

  #see(unit: Unit, sight: { tag: Hex128; mac: Buffer; via: string }, seq: number): void {
    const place = { streamNo: this.#stream().no, seq };
    this.#parts.seen.add(unit, { ...sight, nowMs: this.#parts.options.clock() }, place);
  }
}

function assertShort(sealing: Sealing, code: 'spool/media-record' | 'spool/too-large'): Sealing {
  const { length } = sealing.prepared.padded;
  if (!sealing.isLong) return sealing;
  throw new Failure(code, { expected: 'a small record beside what it is about', got: `${length} bytes` });
}

async function* single(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
