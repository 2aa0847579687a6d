// SPDX-License-Identifier: AGPL-3.0-or-later
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as fontkit from 'fontkit';
import type { Font } from 'fontkit';
import wawoff2 from 'wawoff2';

/** A font file that is in use, and how it is called in the document. */
export interface Face {
  readonly name: string;
  readonly font: Font;
  /** Share of the size by which its strokes are drawn wider: some fonts come in their thinnest weight. */
  readonly thicken: number;
}

interface Family {
  readonly package: string;
  /** A file of it, by the name of a part. */
  readonly file: (part: string) => string;
  readonly thicken: number;
}

const variable = (name: string, thicken = 0): Family => ({
  package: `@fontsource-variable/${name}`,
  file: (part) => `${name}-${part}-wght-normal.woff2`,
  thicken,
});
const THIN = 0.034;

/**
 * In the order in which they are asked. Han characters are drawn in the forms of China, kana and what China's fonts lack in those of
 * Japan. What no other has is in the last one: it is of squares, and joins no letters, but it drops nothing.
 */
const FAMILIES: readonly Family[] = [
  variable('noto-sans'),
  variable('noto-sans-arabic'),
  variable('noto-sans-hebrew', THIN),
  variable('noto-sans-thai'),
  { package: '@fontsource/noto-emoji', file: (part) => `noto-emoji-${part}-400-normal.woff2`, thicken: 0 },
  variable('noto-sans-sc', THIN),
  variable('noto-sans-jp', THIN),
  variable('noto-sans-kr', THIN),
];
const LAST: Family = { package: '@fontsource/unifontex', file: () => 'unifontex-latin-400-normal.woff2', thicken: 0 };

interface Part {
  readonly family: Family;
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

/** Finds a face for every character, and opens those that are needed. */
export class Faces {
  readonly #parts: readonly Part[];
  readonly #byCharacter = new Map<number, Face | null>();
  readonly #open = new Map<string, Promise<Face>>();
  /** Characters that no font here has. */
  readonly uncovered = new Set<number>();

  private constructor(parts: readonly Part[]) {
    this.#parts = parts;
  }

  static async load(): Promise<Faces> {
    const parts = await Promise.all(FAMILIES.map(partsOf));
    return new Faces(parts.flat());
  }

  /** Opens what a text needs; must come before {@link of}. */
  async prepare(text: string): Promise<void> {
    for (const character of text) {
      const point = character.codePointAt(0) ?? 0;
      if (this.#byCharacter.has(point)) continue;
      const face = await this.#find(point);
      this.#byCharacter.set(point, face);
      if (face === null) this.uncovered.add(point);
    }
  }

  /** Null for a character that no font has. */
  of(point: number): Face | null {
    return this.#byCharacter.get(point) ?? null;
  }

  async #find(point: number): Promise<Face | null> {
    const asked = new Set<string>();
    for (const { family, name, from, to } of this.#parts) {
      if (point < from || point > to || asked.has(`${family.package} ${name}`)) continue;
      asked.add(`${family.package} ${name}`);
      const face = await this.#opened(family, name);
      if (face.font.hasGlyphForCodePoint(point)) return face;
    }
    const last = await this.#opened(LAST, 'latin');
    return last.font.hasGlyphForCodePoint(point) ? last : null;
  }

  #opened(family: Family, part: string): Promise<Face> {
    const file = family.file(part);
    let face = this.#open.get(file);
    if (face === undefined) {
      face = openFace(family, file);
      this.#open.set(file, face);
    }
    return face;
  }
}

async function openFace({ package: from, thicken }: Family, file: string): Promise<Face> {
  const packed = await readFile(join(folderOf(from), 'files', file));
  // A copy of its own: fontkit reads from the beginning of the buffer it is given.
  const bytes = Buffer.from(new Uint8Array(await wawoff2.decompress(packed)));
  const font = fontkit.create(bytes);
  if (!('layout' in font)) throw new TypeError('a font, not a collection');
  return { name: file.replace(/\.woff2$/, ''), font, thicken };
}

async function partsOf(family: Family): Promise<Part[]> {
  const ranges = JSON.parse(await readFile(join(folderOf(family.package), 'unicode.json'), 'utf8')) as Record<
    string,
    string
  >;
  return Object.entries(ranges).flatMap(([key, list]) =>
    list.split(',').flatMap((range) => {
      const [from = '', to = from] = range.replace('U+', '').split('-');
      const name = key.replaceAll(/[[\]]/g, '');
      return from === '' ? [] : [{ family, name, from: Number.parseInt(from, 16), to: Number.parseInt(to, 16) }];
    }),
  );
}

function folderOf(name: string): string {
  return dirname(fileURLToPath(import.meta.resolve(`${name}/LICENSE`)));
}
