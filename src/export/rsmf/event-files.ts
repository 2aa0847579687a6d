// SPDX-License-Identifier: AGPL-3.0-or-later
import { safeName, shortened } from '../files/file-name.ts';
import type { ToldFile } from '../telling.ts';
import type { RsmfAttachment } from './manifest.ts';

/** A file of the zip: bytes that the export holds already, or a text of ours in place of some that it does not. */
export interface ZippedFile {
  readonly name: string;
  readonly from: { readonly path: string } | { readonly text: string };
}

/** More than what Relativity takes together: a file of this length lies in the export's folder only. */
const MOST_BYTES = 1_500_000_000;

/** The files of one event as attachments, and as what goes into the zip. Names are ours, so that no sender chooses a path. */
export function eventFiles(
  eventId: string,
  files: readonly ToldFile[],
): { readonly attachments: readonly RsmfAttachment[]; readonly zipped: readonly ZippedFile[] } {
  const attachments: RsmfAttachment[] = [];
  const zipped: ZippedFile[] = [];
  files.forEach((file, index) => {
    const { exported, held, label } = file;
    const begin = `${eventId}-${index + 1}-`;
    if (exported?.path != null && exported.size <= MOST_BYTES) {
      const ending = exported.path.slice(exported.path.lastIndexOf('.') + 1);
      const name = begin + safeName(held.attachment.fileName, ending);
      attachments.push({ id: name, display: displayed(label, ending), size: exported.size });
      zipped.push({ name, from: { path: exported.path } });
      return;
    }
    const name = `${begin}${safeName(held.attachment.fileName, 'UNAVAILABLE')}.txt`;
    const text = unavailable(file);
    attachments.push({ id: name, display: `${shortened(label)} (not available).txt`, size: Buffer.byteLength(text) });
    zipped.push({ name, from: { text } });
  });
  return { attachments, zipped };
}

/** A viewer shows what ends in .png or .jpg as a picture: a name ends as the bytes say. */
function displayed(label: string, ending: string): string {
  const shown = shortened(label);
  return shown.toLowerCase().endsWith(`.${ending}`) ? shown : `${shown}.${ending}`;
}

function unavailable({ label, state, lie }: ToldFile): string {
  return `[ARCHIVE NOTE, not a message]\n${label}\n${state}\n${lie === null ? '' : `${lie}\n`}`;
}
