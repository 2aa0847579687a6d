// SPDX-License-Identifier: AGPL-3.0-or-later

/** Endings that a file may keep from its sender: kinds that viewers open and no system runs. Everything else ends in `.bin`. */
const HARMLESS: ReadonlySet<string> = new Set(
  (
    'pdf doc docx xls xlsx ppt pptx odt ods odp rtf txt csv tsv json log md ics vcf eml msg pages numbers key epub ' +
    'jpg jpeg png gif webp heic heif tif tiff bmp avif mp4 m4v mov 3gp webm mkv avi mpg mpeg ' +
    'mp3 m4a ogg opus oga wav aac amr flac aiff zip 7z rar gz tar p7m p7s dwg dxf'
  ).split(' '),
);
const MOST_SHOWN = 120;
/** Names that Windows keeps for devices, with or without an ending. */
const RESERVED = /^(?:con|prn|aux|nul|com\d|lpt\d|conin\$|conout\$)(?:\.|$)/i;

/** The ending a file gets: what its bytes say, else what its sender said, if that is harmless. Without dot. */
export function endingOf(byBytes: string | null, claimed: string | null): string {
  if (byBytes !== null && HARMLESS.has(byBytes)) return byBytes;
  const ending = /\.([A-Za-z0-9]{1,5})$/.exec(claimed ?? '')?.[1]?.toLowerCase();
  // Bytes that say what they are do not pass for something else.
  return byBytes === null && ending !== undefined && HARMLESS.has(ending) ? ending : 'bin';
}

/**
 * A sender's file name as a label or a name within one folder: ASCII letters, digits, dot, dash and underscore; no path, no device, no
 * leading or doubled dot, at most 80 characters before the ending.
 */
export function safeName(name: string | null, ending: string): string {
  const stem = (name ?? '')
    .normalize('NFKD')
    .replaceAll(/\p{M}+/gu, '')
    .replace(/\.[A-Za-z0-9]{1,5}$/, '')
    .replaceAll(/[^A-Za-z0-9_-]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 80);
  const named = stem === '' ? 'file' : RESERVED.test(stem) ? `file-${stem}` : stem;
  return `${named}.${ending}`;
}

/** A title as part of a file name, for whoever looks into the folder. Never alone: it may be empty. */
export function slugOf(title: string): string {
  return title
    .normalize('NFKD')
    .replaceAll(/\p{M}+/gu, '')
    .replaceAll(/[^A-Za-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .toLowerCase()
    .slice(0, 40)
    .replace(/-+$/, '');
}

/** Cut to what a label holds. */
export function shortened(text: string): string {
  const points = Array.from(text);
  return points.length <= MOST_SHOWN ? text : `${points.slice(0, MOST_SHOWN).join('')}…`;
}
