// SPDX-License-Identifier: AGPL-3.0-or-later
import type { KeyObject } from 'node:crypto';
import { canonicalize, type Json } from '../record/canonical.ts';
import type { BytesRef, Hex128, Hex256 } from '../record/entry-types.ts';
import type { NativeId, View } from '../record/message.ts';
import { toSeconds } from '../record/period.ts';
import type { App } from '../record/vocabulary.ts';
import { newObjectStub, stubFor } from '../seal/stub.ts';
import { MAX_PADDED_BYTES, prepareParts, type Prepared } from '../seal/seal.ts';
import { accountPseudonym, nativeTag, tagKey } from '../seal/tag.ts';
import { Failure } from '../base/failure.ts';
import type {
  AccountSink,
  Capture,
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
import { refOf, type Recorded } from './recorder.ts';
import { SeenTable } from './sightings.ts';
import type { SpoolParts } from './spool.ts';
import type { SpoolStream } from './streams.ts';

/** A capture whose plaintext is compressed and, if it is too long for a body, already sealed into an object. */
interface PreparedCapture {
  readonly prepared: Prepared;
  readonly overflow: StagedObject | null;
}

/** One account's way into the spool: fold, seal, chain, commit. */
export class AccountSpool implements AccountSink {
  readonly acct: Hex128;
  readonly #parts: SpoolParts;
  readonly #ret: string;
  readonly #tagKey: KeyObject;

  constructor(parts: SpoolParts, account: { app: App; account: string; ret: string }) {
    this.#parts = parts;
    this.#ret = account.ret;
    this.acct = accountPseudonym(parts.options.deploymentKey, account.app, account.account);
    this.#tagKey = tagKey(parts.options.deploymentKey, this.acct);
  }

  ready(): Promise<void> {
    return this.#parts.gate.ready();
  }

  async deliver(captures: readonly Capture[], session: readonly SessionChange[] = []): Promise<readonly Delivered[]> {
    const prepared: PreparedCapture[] = [];
    for (const capture of captures) prepared.push(await this.#prepare(capture));
    return this.#parts.committer.run((unit) => {
      const delivered = captures.map((capture, index) =>
        this.#record(unit, capture, prepared[index] as PreparedCapture),
      );
      this.#parts.sessions.apply(this.acct, session);
      return delivered;
    });
  }

  async deliverMedia(media: MediaCapture, session: readonly SessionChange[] = []): Promise<Delivered> {
    const object = await this.#parts.objects.stage(media.bytes);
    const sealed = { key: object.key, size: object.plainSize, sha256: object.plainSha256 };
    const prepared = this.#prepareParts(media, media.view(sealed), media.raw);
    if (prepared.padded.length > MAX_PADDED_BYTES) {
      throw new Failure('spool/media-record', {
        expected: 'a small record beside an object',
        got: `${prepared.padded.length} bytes`,
      });
    }
    return this.#parts.committer.run((unit) => {
      const stream = this.#stream();
      const tag = this.tagOf(media.native);
      const fields = { t: 'media', ret: this.#ret, obj: [refOf(object.hash, object.size)], tag } as const;
      const recorded = this.#parts.recorder.sealed(unit, stream, this.#now(), fields, prepared);
      this.#parts.objects.attach(object, this.#ret, stream.no, recorded.seq);
      this.#see(tag, SeenTable.mac(this.#tagKey, Buffer.from(object.plainSha256)), stream, recorded, media.via);
      this.#parts.sessions.apply(this.acct, session);
      return { ...recorded, fresh: true };
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

  #now(): number {
    return this.#parts.options.clock();
  }

  #stream(): SpoolStream {
    const stream = this.#parts.streams.current(this.acct);
    if (stream === undefined) {
      throw new Failure('spool/no-stream', { expected: 'an open stream for the account', got: 'none' });
    }
    return stream;
  }

  #prepareParts(capture: { atMs: number; via: string }, view: View, raw: Uint8Array): Prepared {
    return prepareParts({
      cap: Buffer.from(canonicalize({ atMs: capture.atMs, via: capture.via })),
      view: Buffer.from(canonicalize(view as unknown as Json)),
      raw,
    });
  }

  async #prepare(capture: Capture): Promise<PreparedCapture> {
    const prepared = this.#prepareParts(capture, capture.view, capture.raw);
    if (prepared.padded.length <= MAX_PADDED_BYTES) return { prepared, overflow: null };
    const overflow = await this.#parts.objects.stage(single(prepared.padded));
    prepared.padded.fill(0);
    return { prepared: { ...prepared, padded: newObjectStub(stubFor(overflow)) }, overflow };
  }

  #record(unit: Unit, capture: Capture, prepared: PreparedCapture): Delivered {
    return capture.type === 'content'
      ? this.#recordContent(unit, capture, prepared)
      : this.#recordGap(unit, capture, prepared);
  }

  #recordContent(unit: Unit, capture: ContentCapture, { prepared, overflow }: PreparedCapture): Delivered {
    const tag = this.tagOf(capture.native);
    const mac = SeenTable.mac(this.#tagKey, capture.raw);
    const seen = this.#parts.seen.find(tag, mac);
    if (seen !== null) {
      this.#parts.seen.mark(tag, mac, seen, capture.via);
      return { seq: seen.seq, id: '', fresh: false };
    }
    const stream = this.#stream();
    const obj: { obj?: readonly BytesRef[] } = overflow === null ? {} : { obj: [refOf(overflow.hash, overflow.size)] };
    const fields = { t: 'content', ret: this.#ret, ...obj, tag } as const;
    const recorded = this.#parts.recorder.sealed(unit, stream, this.#now(), fields, prepared);
    if (overflow !== null) this.#parts.objects.attach(overflow, this.#ret, stream.no, recorded.seq);
    this.#see(tag, mac, stream, recorded, capture.via);
    return { ...recorded, fresh: true };
  }

  #recordGap(unit: Unit, gap: GapCapture, { prepared }: PreparedCapture): Delivered {
    const { cause, scope, state, count, ref, native, fromMs, toMs, atMs } = gap;
    const tag = native === undefined ? null : this.tagOf(native);
    const fields = {
      t: 'gap',
      ret: this.#ret,
      cause,
      scope,
      state,
      ...(count === undefined ? {} : { count }),
      ...(ref === undefined ? {} : { ref }),
      ...(tag === null ? {} : { tag }),
      ...(fromMs === undefined ? {} : { from: toSeconds(fromMs) }),
      ...(toMs === undefined ? {} : { to: toSeconds(toMs) }),
    } as const;
    const recorded = this.#parts.recorder.sealed(unit, this.#stream(), this.#now(), fields, prepared);
    if (state === 'open') this.#parts.gaps.open(this.acct, { id: recorded.id, cause, scope, tag, atMs });
    else if (ref !== undefined) this.#parts.gaps.end(ref);
    return { ...recorded, fresh: true };
  }

  #see(tag: Hex128, mac: Buffer, stream: SpoolStream, recorded: Recorded, via: string): void {
    this.#parts.seen.add(tag, mac, { streamNo: stream.no, seq: recorded.seq }, via, this.#now());
  }
}

async function* single(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

export type { Hex256 };
