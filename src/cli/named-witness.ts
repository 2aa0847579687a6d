// SPDX-License-Identifier: AGPL-3.0-or-later
import { Failure } from '../base/failure.ts';
import { cosignerKey, parseCosignerKey } from '../record/cosignature.ts';
import type { NoteKey } from '../record/note.ts';
import { signingPublic } from './manifest-members.ts';
import { readHeldKey } from './possession.ts';

/** A witness as commands name it. */
export interface NamedWitness {
  readonly key: NoteKey;
  /** Where it takes checkpoints; null if that was not said. */
  readonly url: string | null;
}

/** A verifier key as C2SP writes it, or `name=file.pub`; then, where it is known, `@` and the address. */
const FORM =
  /^(?:(?<vkey>[^\s+=]+\+[0-9a-f]{8}\+[A-Za-z0-9+/]+={0,2})|(?<name>[^=\s]+)=(?<file>.+?))(?:@(?<url>https?:\/\/\S+))?$/;

export const WITNESS_FORM = 'name=file.pub@url';

/**
 * `isProven` false takes a public file whose holder has not signed for it. Throws `config/missing-part`, `config/key-unproven`,
 * `config/key-unusable`, `format/note-key` or `format/key`.
 */
export function witnessOf(text: string, isProven: boolean): NamedWitness {
  const { vkey, name, file, url } = FORM.exec(text)?.groups ?? {};
  if (url !== undefined && !URL.canParse(url)) throw otherForm();
  if (vkey !== undefined) return { key: parseCosignerKey(vkey), url: url ?? null };
  if (name === undefined || file === undefined) throw otherForm();
  return { key: cosignerKey(name, signingPublic(readHeldKey(file, 'witness', isProven), file)), url: url ?? null };
}

function otherForm(): Failure {
  return new Failure('config/missing-part', {
    expected: 'name=file.pub or a C2SP verifier key, then @ and http(s)://…',
    got: 'another form',
    where: '--witness',
  });
}
