// SPDX-License-Identifier: AGPL-3.0-or-later

/** What is held against an export: each code once, with what it means. A retired code stays as a comment. */
export const EXPORT_CATALOGUE = {
  'exported/manifest': 'there is no manifest, or it has not the form of one',
  'exported/manifest-other': 'the manifest is not the one whose hash was given',
  'exported/file-missing': 'a file that the manifest names is not there',
  'exported/file-unknown': 'a file that the manifest does not name',
  'exported/file-changed': 'a file has other bytes than the manifest says',
  'exported/trust-other': 'the trust file of the export is not the one that was given',
  'exported/checkpoint': 'the checkpoint is not signed by the log, or not the one that the manifest names',
  'exported/proof':
    'the records do not lead to the checkpoint, the proof has not the form of one, or there is none and trust was given',
  'exported/records': 'the list of records has others than those that are proven',
  'exported/content': 'disclosed content is not what the record commits to',
  'exported/lines': 'messages.jsonl shows other records than are listed, or says something else of one',
  'exported/time-stamp':
    'a time stamp is not over this manifest, not by an authority that is trusted, or otherwise does not hold',
  'exported/witnesses': 'the witnesses that the policy asks for have not cosigned this log, or another one',
  'exported/derived': 'a file says something else than those it was made from, or was made by another version',
} as const satisfies Record<string, string>;

export type ExportCode = keyof typeof EXPORT_CATALOGUE;

export interface ExportFinding {
  readonly code: ExportCode;
  readonly meaning: string;
  readonly file: string;
  readonly expected: string;
  readonly got: string;
}

export class ExportFindings {
  readonly #all: ExportFinding[] = [];

  add(code: ExportCode, file: string, expected: string, got: string): void {
    this.#all.push({ code, meaning: EXPORT_CATALOGUE[code], file, expected, got });
  }

  get all(): readonly ExportFinding[] {
    return this.#all;
  }
}
