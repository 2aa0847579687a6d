// SPDX-License-Identifier: AGPL-3.0-or-later
import type { BytesRef, GapEntry, SealedEntry } from '../record/entry-types.ts';
import { canonicalize, type Json } from '../record/canonical.ts';

/** A header whose body does not exist yet. */
export type Bodiless<T extends SealedEntry | GapEntry> = Omit<T, 'body'>;

/** Associated data of a body: the canonical header without `body`. */
export function associatedData(header: Bodiless<SealedEntry | GapEntry>): string {
  return header.t === 'content'
    ? renderContent(header as Bodiless<SealedEntry>, '')
    : canonicalize(header as unknown as Json);
}

/** The canonical header, with its body. Content, the hot path, is written from a template; tests hold it to `encodeEntry`. */
export function renderHeader(header: Bodiless<SealedEntry | GapEntry>, body: BytesRef): string {
  if (header.t === 'content')
    return renderContent(header as Bodiless<SealedEntry>, `"body":{"h":"${body.h}","n":${body.n}},`);
  return canonicalize({ ...header, body } as unknown as Json);
}

function renderContent(header: Bodiless<SealedEntry>, body: string): string {
  const objects =
    'obj' in header && header.obj !== undefined ? `"obj":${canonicalize(header.obj as unknown as Json)},` : '';
  return (
    `{"at":"${header.at}",${body}"com":"${header.com}","epoch":"${header.epoch}","i":${header.i},${objects}` +
    `"prev":"${header.prev}","ret":"${header.ret}","seq":${header.seq},"stream":"${header.stream}",` +
    `"t":"content","tag":"${header.tag}","v":1}`
  );
}
