// SPDX-License-Identifier: AGPL-3.0-or-later
import PDFDocument from 'pdfkit';
import type { Bates } from '../rendering.ts';
import type { Faces } from './faces.ts';
import { Layout, type Piece, type TextLine } from './layout.ts';

/** US Letter, in points. */
const PAGE = { width: 612, height: 792, side: 54, top: 54, bottom: 60 };
export const TEXT_WIDTH = PAGE.width - 2 * PAGE.side;
const LEADING = 1.36;
const FOOT_SIZE = 8;
const BOLD = 0.03;
/** Texts drawn before shaped words are forgotten: pdfkit keeps each for ever. */
const REMEMBERED = 1500;

export interface Style {
  readonly size: number;
  readonly colour: string;
  readonly bold?: boolean;
  /** Points from the left edge of the text. */
  readonly indent?: number;
  /** Kept free at the right of the first line. */
  readonly right?: number;
}

export interface SheetParts {
  readonly faces: Faces;
  readonly bates: Bates;
  readonly title: string;
  /** Foot of every page, left. */
  readonly foot: string;
  readonly date: Date;
}

/** Pages one after the other: text that flows from one to the next, and at the foot of each its Bates number and “page n of m”. */
export class Sheet {
  readonly doc: PDFKit.PDFDocument;
  readonly #parts: SheetParts;
  readonly #layout: Layout;
  /** How many pages there are is said on each: by a drawing that all of them show and that is made last. */
  readonly #total: PDFKit.PDFKitReference;
  readonly #used = new Set<string>();
  #drawn = 0;
  #y = PAGE.top;
  pages = 0;

  constructor(parts: SheetParts) {
    const { title, date } = parts;
    this.#parts = parts;
    this.#layout = new Layout(parts.faces);
    this.doc = new PDFDocument({
      size: [PAGE.width, PAGE.height],
      margin: 0,
      autoFirstPage: false,
      // Without a font of its own: none is there before it is needed.
      font: null as unknown as string,
      lang: 'en',
      displayTitle: true,
      info: { Title: title, Producer: 'holdfast', Creator: 'holdfast', CreationDate: date, ModDate: date },
    });
    const { doc } = this;
    const plain = doc.ref({ Type: 'Font', Subtype: 'Type1', BaseFont: 'Helvetica', Encoding: 'WinAnsiEncoding' });
    this.#total = doc.ref({
      Type: 'XObject',
      Subtype: 'Form',
      BBox: [0, -3, 80, 12],
      Resources: { Font: { Plain: plain } },
    });
    plain.end(undefined as never);
  }

  /** Room on this page for so many points; else the next one begins. */
  async keep(points: number): Promise<void> {
    if (this.pages === 0 || this.#y + points > PAGE.height - PAGE.bottom) await this.#nextPage();
  }

  async newPage(): Promise<void> {
    if (this.pages === 0 || this.#y > PAGE.top) await this.#nextPage();
  }

  async #nextPage(): Promise<void> {
    const { doc } = this;
    doc.addPage();
    this.pages += 1;
    this.#y = PAGE.top;
    const { bates, foot } = this.#parts;
    const number = bates.prefix + String(bates.first + this.pages - 1).padStart(bates.digits, '0');
    const y = PAGE.height - 40;
    const grey = { size: FOOT_SIZE, colour: '#57606a' };
    await this.#lineAt(foot, PAGE.side, y, grey);
    const wide = await this.#widthOf(number, 9);
    await this.#lineAt(number, PAGE.width - PAGE.side - wide, y, { size: 9, colour: '#000000', bold: true });
    const page = `page ${this.pages} of`;
    await this.#lineAt(page, PAGE.width / 2 - 30, y, grey);
    const x = PAGE.width / 2 - 30 + (await this.#widthOf(page, FOOT_SIZE)) + 2.2;
    const resources = doc.page as unknown as { readonly xobjects: Record<string, unknown> };
    resources.xobjects['Total'] = this.#total;
    const form = doc as unknown as { addContent(content: string): void };
    // pdfkit’s pages stand on their head.
    form.addContent(`q 1 0 0 -1 ${x.toFixed(2)} ${(y + FOOT_SIZE * 1.069).toFixed(2)} cm /Total Do Q`);
  }

  space(points: number): void {
    this.#y += points;
  }

  rule(colour: string): void {
    this.doc
      .moveTo(PAGE.side, this.#y)
      .lineTo(PAGE.width - PAGE.side, this.#y)
      .lineWidth(0.7)
      .stroke(colour);
  }

  /** A paragraph, over as many pages as it takes. */
  async text(text: string, style: Style): Promise<void> {
    await this.#parts.faces.prepare(text);
    const { size, indent = 0, right = 0 } = style;
    const width = TEXT_WIDTH - indent - right;
    for (const line of this.#layout.lines(text, width / size)) {
      await this.keep(size * LEADING);
      const shift = line.isRightToLeft ? width - line.width * size : 0;
      this.#draw(line, PAGE.side + indent + shift, this.#y, style);
      this.#y += size * LEADING;
    }
  }

  /** On the line that the next text begins, at the right edge. */
  async aside(text: string, style: Style): Promise<void> {
    await this.keep(style.size * LEADING);
    const wide = await this.#widthOf(text, style.size);
    await this.#lineAt(text, PAGE.width - PAGE.side - wide, this.#y, style);
  }

  /** Several texts one behind the other on one line, each in its style; what does not fit goes on below. */
  async row(parts: readonly { readonly text: string; readonly style: Style }[], right: number): Promise<void> {
    const size = parts.reduce((most, { style }) => Math.max(most, style.size), 0);
    await this.keep(size * LEADING);
    let x = 0;
    for (const { text, style } of parts) {
      await this.#parts.faces.prepare(text);
      const lines = this.#layout.lines(text, TEXT_WIDTH / style.size);
      for (const line of lines) {
        const wide = line.width * style.size;
        if (x > 0 && x + wide > TEXT_WIDTH - right) {
          this.#y += size * LEADING;
          x = 0;
          await this.keep(size * LEADING);
        }
        this.#draw(line, PAGE.side + x, this.#y + (size - style.size) * 0.9, style);
        x += wide + size * 0.5;
      }
    }
    this.#y += size * LEADING;
  }

  /** A picture, as large as fits into `width` × `height`. Throws what pdfkit throws for one that it cannot read. */
  async image(path: string, indent: number, width: number, height: number): Promise<void> {
    const reading = this.doc as unknown as { openImage(src: string): { width: number; height: number } };
    const image = reading.openImage(path);
    const scale = Math.min(1, width / image.width, height / image.height);
    await this.keep(image.height * scale + 4);
    this.doc.image(image as never, PAGE.side + indent, this.#y, { width: image.width * scale });
    this.#y += image.height * scale + 4;
  }

  /** A vertical mark left of everything from `fromY`, on one page. */
  get y(): number {
    return this.#y;
  }

  bar(fromY: number, colour: string): void {
    const top = fromY > this.#y ? PAGE.top : fromY;
    this.doc.rect(PAGE.side - 10, top, 2.5, Math.max(0, this.#y - top)).fill(colour);
  }

  destination(name: string): void {
    this.doc.addNamedDestination(name, 'XYZ', 0, this.#y, null as unknown as number);
  }

  link(name: string, height: number): void {
    this.doc.goTo(PAGE.side, this.#y - height, TEXT_WIDTH, height, name);
  }

  async #widthOf(text: string, size: number): Promise<number> {
    await this.#parts.faces.prepare(text);
    return (this.#layout.lines(text, 10_000)[0]?.width ?? 0) * size;
  }

  async #lineAt(text: string, x: number, y: number, style: Style): Promise<void> {
    await this.#parts.faces.prepare(text);
    const [line] = this.#layout.lines(text, 10_000);
    if (line !== undefined) this.#draw(line, x, y, style);
  }

  #draw({ pieces }: TextLine, x: number, y: number, style: Style): void {
    let at = x;
    for (const piece of joined(pieces)) {
      const { face, text, width } = piece;
      if (!this.#used.has(face.name)) {
        this.doc.registerFont(face.name, face.font as unknown as string);
        this.#used.add(face.name);
      }
      const heavier = face.thicken + (style.bold === true ? BOLD : 0);
      const { size, colour } = style;
      const drawing = this.doc.font(face.name).fontSize(size).fillColor(colour);
      if (heavier > 0) drawing.strokeColor(colour).lineWidth(heavier * size);
      // Baselines together, whatever the faces’ heights.
      const ascent = (face.font.ascent / face.font.unitsPerEm) * size;
      this.#forget();
      drawing.text(text, at, y + size - ascent, { lineBreak: false, fill: true, stroke: heavier > 0 });
      at += width * size;
    }
  }

  #forget(): void {
    this.#drawn += 1;
    if (this.#drawn % REMEMBERED !== 0) return;
    const { _fontFamilies: families } = this.doc as unknown as {
      readonly _fontFamilies: Record<string, { layoutCache?: object }>;
    };
    for (const family of Object.values(families)) family.layoutCache = {};
  }

  /** Says how many pages there are, and ends the document. */
  end(): void {
    this.#total.end(Buffer.from(`BT /Plain ${FOOT_SIZE} Tf 0.34 0.38 0.42 rg (${this.pages}) Tj ET`));
    this.doc.end();
  }
}

/** Neighbours in one face and direction are drawn at once. */
function joined(pieces: readonly Piece[]): Piece[] {
  const found: Piece[] = [];
  for (const piece of pieces) {
    const last = found.at(-1);
    if (last?.face !== piece.face || last.level !== 0 || piece.level !== 0) found.push(piece);
    else found[found.length - 1] = { ...last, text: last.text + piece.text, width: last.width + piece.width };
  }
  return found;
}
