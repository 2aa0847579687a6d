// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';
import type { Audit } from '../access/audit.ts';
import { rootOf } from '../record/merkle.ts';
import type { IndexState } from '../search/index-db.ts';
import type { IndexSnapshot } from '../search/snapshot.ts';
import type { Opener } from '../seal/open.ts';
import type { ArchiveReader } from '../verify/reader.ts';
import { certificationText } from './certification.ts';
import { ArchiveFiles } from './files/archive-files.ts';
import { Custodians } from './custodians.ts';
import { FileBook } from './files/file-book.ts';
import { FORMATS, type Format } from './formats.ts';
import { allItems } from './item.ts';
import { MANIFEST_FILE, manifestOf } from './manifest.ts';
import { plannedLines, planOf, type Plan } from './plan.ts';
import { writeProof } from './proof/write.ts';
import type { Bates, Proofs, Provenance, Rendering } from './rendering.ts';
import { selectionText, type ContextRule, type Selection } from './selection.ts';
import { ShownRecords } from './shown-records.ts';
import { Staging } from './staging.ts';
import { gapsWithin, statementText } from './statement.ts';
import { writeFormat } from './write-format.ts';
import type { Trust } from '../record/trust.ts';
import type { LocalTime } from '../search/local-time.ts';

/** Changes with every change of what any format looks like: a half export of another version is not gone on with. */
const RENDERER_VERSION = 3;
const MOST_SELECTION_TEXT = 4000;

export interface ExportParts {
  readonly snapshot: IndexSnapshot;
  readonly reader: ArchiveReader;
  readonly trust: Trust;
  /** Called where what records say is to be proven. */
  readonly opener: () => Opener;
  /** Told of the export before a byte of it is written; if it cannot be told, nothing is written. */
  readonly audit: Pick<Audit, 'record'>;
  /** Version of the program. */
  readonly version: string;
}

export interface ExportOptions {
  readonly selection: Selection;
  readonly rule: ContextRule;
  readonly formats: readonly Format[];
  readonly zone: LocalTime;
  readonly bates: Bates;
  readonly proofs: Proofs;
}

/** What an export will be, before anything of it is written. */
export interface Estimate {
  readonly conversations: number;
  readonly lines: number;
  readonly hits: number;
  readonly files: number;
  readonly fileBytes: number;
}

export interface ExportProgress {
  readonly step: string;
  readonly done: number;
  readonly total: number;
}

export interface ExportResult extends Estimate {
  readonly out: string;
  readonly formats: readonly Format[];
  readonly checkpoint: Provenance['checkpoint'];
  readonly gaps: number;
  readonly filesMissing: number;
  readonly filesCorrupt: number;
  readonly filesNeverCaptured: number;
  readonly written: number;
  readonly bytes: number;
  /** SHA-256 of the manifest, which has that of every other file. */
  readonly manifestSha256: string;
}

/** What is noted of every line before any is written. */
interface Seen {
  readonly files: FileBook;
  readonly records: ShownRecords;
  readonly custodians: Custodians;
}

/** An export that has been chosen and counted. */
export class PreparedExport {
  readonly #parts: ExportParts;
  readonly #options: ExportOptions;
  readonly #plan: Plan;
  readonly #files: FileBook;
  readonly #records: ShownRecords;
  readonly #custodians: Custodians;

  private constructor(parts: ExportParts, options: ExportOptions, plan: Plan, { files, records, custodians }: Seen) {
    this.#parts = parts;
    this.#options = options;
    this.#plan = plan;
    this.#files = files;
    this.#records = records;
    this.#custodians = custodians;
  }

  /** Reads what is selected once, for what it needs. Throws `export/nothing`, `search/not-found`. */
  static async choose(
    parts: ExportParts,
    options: ExportOptions,
    onProgress: (progress: ExportProgress) => void,
  ): Promise<PreparedExport> {
    const plan = await planOf(parts.snapshot, options.selection, options.rule);
    const seen: Seen = { files: new FileBook(), records: new ShownRecords(), custodians: new Custodians() };
    let done = 0;
    for await (const item of allItems(parts.snapshot, plan)) {
      seen.files.want(item);
      seen.records.add(item);
      seen.custodians.add(item);
      done += 1;
      onProgress({ step: 'counting', done, total: plan.lines });
    }
    return new PreparedExport(parts, options, plan, seen);
  }

  get estimate(): Estimate {
    const { conversations, lines, hits } = this.#plan;
    const { files, bytes } = this.#files.size;
    return { conversations: conversations.length, lines, hits, files, fileBytes: bytes };
  }

  get unmatched(): readonly string[] {
    return [...this.#plan.unmatched, ...this.#plan.unknownRecords];
  }

  /**
   * Writes it to a folder that does not exist yet. What an interrupted run of the same export finished is kept. Throws `export/exists`,
   * `export/in-use`, `export/write`, `export/archive-unread`, and whatever the audit throws.
   */
  async write(out: string, onProgress: (progress: ExportProgress) => void): Promise<ExportResult> {
    const { snapshot, reader, audit } = this.#parts;
    const { selection, formats, zone } = this.#options;
    const provenance = provenanceOf(snapshot.state, this.#parts.version);
    await using staging = await Staging.open(out, this.#fingerprint(provenance));
    const text = selectionText(selection).slice(0, MOST_SELECTION_TEXT).toWellFormed();
    await audit.record([{ act: 'export', selection: text, format: formats.join(', '), items: this.#plan.lines }]);
    await this.#fetchFiles(new ArchiveFiles(reader, provenance.origin), staging, onProgress);
    const gaps = await snapshot.gaps(this.#plan.conversations.map(({ facts }) => facts.id));
    const rendering: Omit<Rendering, 'onLine'> = {
      provenance,
      proofs: this.#options.proofs,
      records: this.#records.count,
      custodians: this.#custodians,
      snapshot,
      plan: this.#plan,
      zone,
      bates: this.#options.bates,
      files: this.#files,
      staging,
      gaps: gapsWithin(gaps, this.#plan),
    };
    for (const format of FORMATS.filter((one) => formats.includes(one))) {
      let done = 0;
      const onLine = (): void => onProgress({ step: format, done: (done += 1), total: this.#plan.lines });
      await writeFormat(format, { ...rendering, onLine });
    }
    return await this.#finish({ ...rendering, onLine: () => undefined }, out);
  }

  async #fetchFiles(
    archive: ArchiveFiles,
    staging: Staging,
    onProgress: (progress: ExportProgress) => void,
  ): Promise<void> {
    let done = 0;
    const { files: total } = this.#files.size;
    await this.#files.fetch(archive, staging, () => onProgress({ step: 'files', done: (done += 1), total }));
  }

  async #finish(rendering: Rendering, out: string): Promise<ExportResult> {
    const { staging, provenance, files, gaps } = rendering;
    const { formats } = this.#options;
    await staging.write('records.csv', () => this.#records.csv(this.#plan));
    await this.#prove(rendering);
    await staging.write('completeness.txt', () => one(statementText(rendering)));
    await staging.write('certification-draft.txt', () => one(certificationText(rendering)));
    const listed = staging.files.filter(({ name }) => name !== MANIFEST_FILE);
    const manifest = `${JSON.stringify(manifestOf(rendering, formats, listed), null, 1)}\n`;
    const { sha256: manifestSha256 } = await staging.write(MANIFEST_FILE, () => one(manifest));
    const { files: all } = staging;
    await staging.finish();
    const { missing, corrupt } = files.defects;
    return {
      ...this.estimate,
      out,
      formats,
      checkpoint: provenance.checkpoint,
      gaps: gaps.length,
      filesMissing: missing,
      filesCorrupt: corrupt,
      filesNeverCaptured: files.neverCaptured,
      written: all.length,
      bytes: all.reduce((sum, { size }) => sum + size, 0),
      manifestSha256,
    };
  }

  async #prove({ staging, provenance }: Rendering): Promise<void> {
    const { proofs } = this.#options;
    if (proofs === 'none') return;
    const { reader, trust } = this.#parts;
    const { origin, checkpoint } = provenance;
    const opener = proofs === 'content' ? this.#parts.opener() : null;
    await writeProof(staging, { reader, trust, state: { origin, ...checkpoint }, opener }, this.#records.leaves());
  }

  #fingerprint(provenance: Provenance): string {
    const { selection, rule, formats, zone, bates, proofs } = this.#options;
    const hash = createHash('sha256');
    const text = selectionText(selection);
    hash.update(JSON.stringify({ provenance, text, rule, formats, zone: zone.zone, bates, proofs }));
    for (const { leaf, isHit } of plannedLines(this.#plan)) hash.update(`${leaf} ${isHit}\n`);
    return hash.digest('hex');
  }
}

async function* one(text: string): AsyncGenerator<string> {
  yield text;
}

function provenanceOf({ position, unreadable, records }: IndexState, version: string): Provenance {
  const { origin, size, at, edge } = position;
  const root = rootOf({ begin: 0, end: size, hashes: edge.map((hash) => Buffer.from(hash, 'hex')) }).toString('hex');
  // What these versions draw and compress differently, they draw and compress differently for ever.
  const { icu = '', zlib } = process.versions;
  const generator = `holdfast ${version} (renderer ${RENDERER_VERSION}, ICU ${icu}, zlib ${zlib})`;
  return { origin, checkpoint: { size, root, at }, generator, unreadable, recordsInIndex: records };
}
