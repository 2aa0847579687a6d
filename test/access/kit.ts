// SPDX-License-Identifier: AGPL-3.0-or-later
import { join } from 'node:path';
import type { Deed } from '../../src/access/act.ts';
import { SpooledAudit, type SpooledAuditOptions } from '../../src/access/spooled-audit.ts';
import type { Waiting } from '../../src/matters/approved-box.ts';
import type { InProcessLink } from '../../src/queue/in-process.ts';
import { openManifest } from '../../src/record/manifest.ts';
import { LONG_CLASS, MANIFEST, TRUST } from '../support/archive-fixture.ts';
import { ORIGIN, READER_SIGNING, ROOT } from '../vectors/keys.ts';

/** What a reader's audit told operators. */
export class Heard {
  readonly codes: string[] = [];
  readonly doubts: [string, number][] = [];
  readonly opened: string[] = [];

  readonly events: SpooledAuditOptions['events'] = {
    shipped: () => undefined,
    refused: (code) => this.codes.push(`refused ${code}`),
    trouble: (what, code) => this.codes.push(`${what} ${code}`),
    doubtful: (what, count) => this.doubts.push([what, count]),
    streamOpened: (_reader, _stream, cause) => this.opened.push(cause),
  };
}

export interface AuditKit {
  readonly link?: InProcessLink;
  readonly heard?: Heard;
  readonly user?: string;
  readonly clock?: () => number;
  readonly approved?: () => readonly Waiting[];
}

/** A reader's audit over a real spool in `directory`; with a link it ships. */
export function auditIn(
  directory: string,
  { link, heard = new Heard(), user = 'ines', clock = Date.now, approved }: AuditKit = {},
): SpooledAudit {
  return new SpooledAudit({
    directory: join(directory, 'reader-spool'),
    origin: ORIGIN,
    manifest: openManifest(MANIFEST, ROOT.key, ORIGIN),
    logKey: TRUST.log,
    signingKey: READER_SIGNING.privateKey,
    name: 'reader',
    retention: LONG_CLASS,
    clock,
    uplink: link === undefined ? null : async (reader) => link.uplink(reader),
    ships: link !== undefined,
    actor: { reader: 'reader', user, session: 'a'.repeat(32), via: 'command' },
    events: heard.events,
    ...(approved === undefined ? {} : { approved }),
  });
}

export const looked = (query: string, shown: readonly number[] = []): Deed => ({
  act: 'search',
  query,
  order: 'newest',
  hits: shown.length,
  shown: [...shown],
});

export const queriesOf = (acts: readonly { readonly deed: Deed }[]): string[] =>
  acts.flatMap(({ deed }) => (deed.act === 'search' ? [deed.query] : []));
