// SPDX-License-Identifier: Apache-2.0
import type { AccountCoverage, ListedGap } from './coverage.ts';

/** Rows drawn; the table beside the picture has every account. */
const MOST_ROWS = 40;
const WIDTH = 900;
const LABEL_WIDTH = 150;
const ROW_HEIGHT = 22;
const AXIS_HEIGHT = 24;
/** Something that lasted seconds in a year is still to be seen. */
const LEAST_WIDTH = 2;

/** When there were records of each account, and over which times its own records say that some are missing. An SVG drawing; empty without accounts. */
export function renderTimeline(coverage: readonly AccountCoverage[]): string {
  const rows = coverage.filter(({ firstAt }) => firstAt !== '').slice(0, MOST_ROWS);
  if (rows.length === 0) return '';
  const scale = new Scale(
    Math.min(...rows.map(({ firstAt }) => Date.parse(firstAt))),
    Math.max(...rows.map(({ lastAt }) => Date.parse(lastAt))),
  );
  const height = rows.length * ROW_HEIGHT + AXIS_HEIGHT;
  const marks = rows.flatMap((account, row) => drawAccount(account, row * ROW_HEIGHT, scale));
  return [
    `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="Times with records of each account, and its gaps">`,
    ...marks,
    ...drawAxis(scale, rows.length * ROW_HEIGHT),
    '</svg>',
  ].join('\n');
}

class Scale {
  readonly fromMs: number;
  readonly toMs: number;

  constructor(fromMs: number, toMs: number) {
    this.fromMs = fromMs;
    this.toMs = Math.max(toMs, fromMs + 1000);
  }

  /** Times outside are drawn at the edge. */
  x(atMs: number): number {
    const share = (atMs - this.fromMs) / (this.toMs - this.fromMs);
    return LABEL_WIDTH + Math.min(Math.max(share, 0), 1) * (WIDTH - LABEL_WIDTH);
  }
}

function drawAccount(account: AccountCoverage, top: number, scale: Scale): string[] {
  const { acct, app, role, firstAt, lastAt, listed } = account;
  const label = `${role === 'process' ? 'process' : app} ${acct.slice(0, 8)}`;
  return [
    `<text x="0" y="${top + 15}">${label}</text>`,
    drawBar('has', Date.parse(firstAt), Date.parse(lastAt), top, scale, `${firstAt} to ${lastAt}`),
    ...missing(listed, scale.toMs).map(({ fromMs, toMs, title }) => drawBar('lacks', fromMs, toMs, top, scale, title)),
  ];
}

interface Missing {
  readonly fromMs: number;
  readonly toMs: number;
  readonly title: string;
}

/** A gap lasts from the record that opens it to the next of its cause that closes or ends it; without one, to the end. */
function missing(listed: readonly ListedGap[], endMs: number): Missing[] {
  const gaps = listed.filter(({ scope }) => scope === 'account');
  const ends = new Map<ListedGap, ListedGap>();
  for (const gap of gaps.filter(({ state }) => state !== 'open')) {
    const begin = gaps.findLast(({ cause, state, leaf }) => state === 'open' && cause === gap.cause && leaf < gap.leaf);
    if (begin !== undefined && !ends.has(begin)) ends.set(begin, gap);
  }
  const closing = new Set(ends.values());
  return gaps
    .filter((gap) => !closing.has(gap))
    .map((gap) => {
      const end = gap.state === 'open' ? ends.get(gap) : gap;
      return {
        fromMs: Date.parse(gap.from ?? gap.at),
        toMs: end === undefined ? endMs : Date.parse(end.to ?? end.at),
        title: `${gap.cause}, ${(end ?? gap).state}, leaf ${gap.leaf}`,
      };
    });
}

function drawBar(
  kind: 'has' | 'lacks',
  fromMs: number,
  toMs: number,
  top: number,
  scale: Scale,
  title: string,
): string {
  const x = Math.min(scale.x(fromMs), WIDTH - LEAST_WIDTH);
  const width = Math.max(scale.x(toMs) - x, LEAST_WIDTH);
  const place = `x="${x.toFixed(1)}" y="${top + 4}" width="${width.toFixed(1)}" height="${ROW_HEIGHT - 8}"`;
  return `<rect class="${kind}" ${place}><title>${title}</title></rect>`;
}

function drawAxis({ fromMs, toMs }: Scale, top: number): string[] {
  const shown = (atMs: number): string => `${new Date(atMs).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
  return [
    `<line x1="${LABEL_WIDTH}" y1="${top + 2}" x2="${WIDTH}" y2="${top + 2}"/>`,
    `<text x="${LABEL_WIDTH}" y="${top + 18}">${shown(fromMs)}</text>`,
    `<text x="${WIDTH}" y="${top + 18}" text-anchor="end">${shown(toMs)}</text>`,
  ];
}
