// SPDX-License-Identifier: AGPL-3.0-or-later
import { z } from 'zod';
import type { FileBook } from './files/file-book.ts';
import { PROOFS, type Rendering } from './rendering.ts';
import { selectionText } from './selection.ts';
import type { WrittenFile } from './staging.ts';
import { isoOf } from './iso.ts';

export const MANIFEST_FILE = 'manifest.json';

/** No part of a path may lead elsewhere, whoever wrote the manifest. */
const NAME = /^(?!\.)[^/\\\0]+(?:\/(?!\.)[^/\\\0]+)*$/;

const manifestForm = z.object({
  type: z.literal('holdfast-export'),
  v: z.literal(1),
  origin: z.string(),
  checkpoint: z.object({ size: z.int(), root: z.string(), at: z.string() }),
  formats: z.array(z.string()),
  // Exports of the first renderer had none.
  proofs: z.enum(PROOFS).default('none'),
  counts: z.record(z.string(), z.int()),
  unmatched: z.array(z.string()),
  files: z.array(z.object({ name: z.string().regex(NAME), size: z.int().min(0), sha256: z.string() })),
});

/** What is read of a manifest again; null for bytes that are none. */
export function parseManifest(bytes: Uint8Array): z.output<typeof manifestForm> | null {
  try {
    return manifestForm.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
  } catch {
    return null;
  }
}

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
    proofs: rendering.proofs,
    span: { first: isoOf(plan.span.firstMs), last: isoOf(plan.span.lastMs) },
    counts: {
      conversations: plan.conversations.length,
      lines: plan.lines,
      records: rendering.records,
      hits: plan.hits,
      gaps: gaps.length,
      unreadableInIndex: provenance.unreadable,
      ...attachmentCounts(rendering.files),
    },
    custodians: rendering.custodians.all,
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
