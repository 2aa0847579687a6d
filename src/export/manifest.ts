// SPDX-License-Identifier: AGPL-3.0-or-later
import type { FileBook } from './files/file-book.ts';
import type { Rendering } from './rendering.ts';
import { selectionText } from './selection.ts';
import type { WrittenFile } from './staging.ts';
import { isoOf } from './iso.ts';

export const MANIFEST_FILE = 'manifest.json';

/** What an export says of itself, for programs. No clock is in it: the same export has the same manifest. */
export function manifestOf(
  rendering: Rendering,
  formats: readonly string[],
  files: readonly WrittenFile[],
): Record<string, unknown> {
  const { provenance, plan, zone, gaps } = rendering;
  const { around, wholeUpTo } = plan.rule;
  return {
    type: 'holdfast-export',
    v: 1,
    origin: provenance.origin,
    checkpoint: provenance.checkpoint,
    generator: provenance.generator,
    selection: { by: plan.selection.by, text: selectionText(plan.selection), context: { around, wholeUpTo } },
    zone: zone.zone,
    formats,
    span: { first: isoOf(plan.span.firstMs), last: isoOf(plan.span.lastMs) },
    counts: {
      conversations: plan.conversations.length,
      lines: plan.lines,
      hits: plan.hits,
      gaps: gaps.length,
      unreadableInIndex: provenance.unreadable,
      ...attachmentCounts(rendering.files),
    },
    unmatched: plan.unmatched,
    unknownRecords: plan.unknownRecords,
    conversations: plan.conversations.map(({ key, number, facts, title, lines, hits, total }) => ({
      key,
      number,
      app: facts.app,
      kind: facts.type,
      title,
      lines: lines.length,
      hits,
      linesInArchive: total,
    })),
    files,
  };
}

function attachmentCounts(files: FileBook): Record<string, number> {
  const { missing, corrupt } = files.defects;
  return {
    filesNamed: files.named,
    filesInArchive: files.size.files,
    fileBytes: files.size.bytes,
    filesNeverCaptured: files.neverCaptured,
    filesMissing: missing,
    filesCorrupt: corrupt,
  };
}
