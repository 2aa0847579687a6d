// SPDX-License-Identifier: AGPL-3.0-or-later
import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { keyIdOf } from '../../src/record/key.ts';
import { mediaKey, packKey, segmentPrefix } from '../../src/record/layout.ts';
import { parseEntry, sealedPart } from '../../src/record/entry.ts';
import type { Entry, PackEntry } from '../../src/record/entry-types.ts';
import type { View } from '../../src/record/message.ts';
import { parseSegment } from '../../src/record/segment.ts';
import { readPublicKey } from '../../src/base/secrets.ts';
import { openReader } from '../../src/main/readers.ts';
import type { S3Settings } from '../../src/main/stores.ts';
import { openObject } from '../../src/seal/object.ts';
import { Opener } from '../../src/seal/open.ts';
import type { ArchiveReader } from '../../src/verify/reader.ts';

export interface ReaderKey {
  readonly privateFile: string;
  readonly publicFile: string;
}

/** One record of a stream as its reader sees it. */
export interface OpenedRecord {
  readonly leaf: number;
  readonly entry: Entry;
  /** Null for records without a body. */
  readonly opened: { readonly via: string; readonly view: View; readonly raw: Buffer } | null;
}

/** Records that a messenger brought, by any intake: not what the connector asked for, or said itself. */
export const INTAKES: readonly string[] = ['webhook', 'websocket', 'journal'];

/**
 * Reads an archive the way the holder of a reader key does: entries, packs, objects, and that key. Goes on where it stopped, so that
 * a test may look again and again.
 */
export class ArchiveView implements AsyncDisposable {
  readonly records: OpenedRecord[] = [];
  readonly #source: { readonly reader: ArchiveReader } & AsyncDisposable;
  readonly #origin: string;
  readonly #opener: Opener;
  #after = '';

  private constructor(source: { readonly reader: ArchiveReader } & AsyncDisposable, origin: string, key: ReaderKey) {
    const kid = keyIdOf(readPublicKey(key.publicFile).export({ format: 'der', type: 'spki' }));
    this.#source = source;
    this.#origin = origin;
    this.#opener = new Opener(createPrivateKey(readFileSync(key.privateFile, 'utf8')), kid);
  }

  static async open(url: string, s3: S3Settings | null, origin: string, key: ReaderKey): Promise<ArchiveView> {
    return new ArchiveView(await openReader(url, s3), origin, key);
  }

  /** Reads what was archived since the last time. */
  async refresh(): Promise<this> {
    const names: string[] = [];
    for await (const { key, deleteMarker } of this.#source.reader.listVersions(
      segmentPrefix(this.#origin),
      this.#after,
    )) {
      if (!deleteMarker && names.at(-1) !== key) names.push(key);
    }
    for (const name of names) {
      await this.#segment(await this.#whole(name));
      this.#after = name;
    }
    return this;
  }

  async #segment(bytes: Buffer): Promise<void> {
    const { head, docs, entries } = parseSegment(bytes);
    for (const document of docs) this.#opener.addEpoch(document.toString());
    const lines = entries.map((line) => line.toString('latin1'));
    const parsed = lines.map(parseEntry);
    const bodies = await this.#bodies(parsed, head.first);
    for (const [index, entry] of parsed.entries()) {
      const body = bodies.get(index);
      const opened = body === undefined ? null : await this.#open(lines[index] as string, body);
      this.records.push({ leaf: head.first + index, entry, opened });
    }
  }

  /** Bodies by position in the segment, cut out of the packs that hold them. */
  async #bodies(entries: readonly Entry[], first: number): Promise<Map<number, Buffer>> {
    const bodies = new Map<number, Buffer>();
    for (const pack of entries.filter((entry): entry is PackEntry => entry.t === 'pack')) {
      const bytes = await this.#whole(packKey(this.#origin, pack.h));
      let at = 0;
      for (const leaf of pack.leaves.flatMap(([start, count]) => Array.from({ length: count }, (_, n) => start + n))) {
        const sealed = sealedPart(entries[leaf - first] as Entry);
        if (sealed === null || sealed.ret !== pack.ret) continue;
        bodies.set(leaf - first, bytes.subarray(at, at + sealed.body.n));
        at += sealed.body.n;
      }
    }
    return bodies;
  }

  async #open(line: string, body: Buffer): Promise<NonNullable<OpenedRecord['opened']>> {
    const { parts } = await this.#opener.open(line, body, (hash) => this.#stream(mediaKey(hash)));
    const { via } = JSON.parse(parts.cap.toString()) as { via: string };
    return { via, view: JSON.parse(parts.view.toString()) as View, raw: Buffer.from(parts.raw) };
  }

  async #whole(key: string): Promise<Buffer> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.#stream(key)) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  async *#stream(key: string): AsyncGenerator<Uint8Array> {
    yield* await this.#source.reader.readStream(key, await this.#firstVersion(key));
  }

  /** Where a store keeps versions, the first one is the object. */
  async #firstVersion(key: string): Promise<string> {
    let version = '';
    for await (const one of this.#source.reader.listVersions(key)) {
      if (one.key === key && !one.deleteMarker) ({ version } = one);
    }
    return version;
  }

  /** Upstream bytes of all that the intakes brought, in the order of the log. */
  native(): string[] {
    return this.records.flatMap(({ opened }) =>
      opened !== null && INTAKES.includes(opened.via) ? opened.raw.toString() : [],
    );
  }

  views<Kind extends View['kind']>(kind: Kind): Extract<View, { kind: Kind }>[] {
    return this.records.flatMap(({ opened }) => {
      return opened?.view.kind === kind ? (opened.view as Extract<View, { kind: Kind }>) : [];
    });
  }

  /** `cause state` of all gaps, in the order of the log. */
  gaps(): string[] {
    return this.records.flatMap(({ entry }) => (entry.t === 'gap' ? `${entry.cause} ${entry.state}` : []));
  }

  /** Plaintext of all archived files by their upstream names. */
  async files(): Promise<Map<string, Buffer>> {
    const files = new Map<string, Buffer>();
    for (const { entry, opened } of this.records) {
      if (entry.t !== 'media' || opened?.view.kind !== 'attachment') continue;
      const { object, attachment } = opened.view;
      const chunks: Buffer[] = [];
      const sealed = this.#stream(mediaKey(entry.obj[0]?.h ?? ''));
      for await (const chunk of openObject(Buffer.from(object.key, 'hex'), sealed)) chunks.push(chunk);
      files.set(attachment.id ?? '', Buffer.concat(chunks).subarray(0, object.size));
    }
    return files;
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#source[Symbol.asyncDispose]();
  }
}
