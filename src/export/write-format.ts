// SPDX-License-Identifier: AGPL-3.0-or-later
import { csv, membersCsv } from './csv.ts';
import { pagesOf } from './html/pages.ts';
import { htmlPage } from './html/render.ts';
import type { Format } from './formats.ts';
import { jsonl } from './jsonl.ts';
import { pdf } from './pdf/render.ts';
import type { Rendering } from './rendering.ts';
import { rsmfFile } from './rsmf/render.ts';
import { slicesOf } from './rsmf/slices.ts';

/** Writes all files of a format, those excepted that are finished already. */
export async function writeFormat(format: Format, rendering: Rendering): Promise<void> {
  const { staging } = rendering;
  switch (format) {
    case 'rsmf':
      for (const slice of slicesOf(rendering.plan.conversations, rendering.zone, (leaf) =>
        rendering.files.bytesAt(leaf),
      )) {
        await staging.write(slice.name, () => rsmfFile(rendering, slice));
      }
      return;
    case 'jsonl':
      await staging.write('messages.jsonl', () => jsonl(rendering, 'messages.jsonl'));
      return;
    case 'csv':
      await staging.write('messages.csv', () => csv(rendering, 'messages.csv'));
      await staging.write('members.csv', () => membersCsv(rendering));
      return;
    case 'html': {
      const pages = pagesOf(rendering.plan);
      for (const page of pages) await staging.write(page.file, () => htmlPage(rendering, page, pages));
      return;
    }
    case 'pdf':
      await staging.write('messages.pdf', () => pdf(rendering, 'messages.pdf'));
      return;
  }
}
