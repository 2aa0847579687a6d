// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import { renderHtml } from '../../src/verify/render-html.ts';
import { renderTimeline } from '../../src/verify/render-timeline.ts';
import type { AccountCoverage, ListedGap } from '../../src/verify/coverage.ts';
import type { Report } from '../../src/verify/report.ts';
import { flip, smallArchive, verify } from './subject.ts';

const occasion = { url: 'file:///archive', at: new Date('2026-11-22T15:02:03Z'), version: '0.1.0' };

describe('the report as a page', () => {
  it('says of a clean archive what was checked, whose keys counted, and what every account has', async () => {
    const report = await verify(await smallArchive());
    const page = renderHtml(report, occasion);
    expect(page).toContain('<p class="verdict verified">verified</p>');
    for (const text of [report.root, report.origin, '2026-11-22T15:02:03Z, holdfast 0.1.0', 'not WORM'])
      expect(page).toContain(text);
    expect(report.coverage.length).toBeGreaterThan(0);
    for (const { acct } of report.coverage) expect(page).toContain(acct);
    const keys = report.manifests.flatMap(({ signers, recipients }) => [...signers, ...recipients]);
    expect(keys.length).toBeGreaterThan(2);
    for (const { id } of keys) expect(page).toContain(`<td>${id}</td>`);
  });

  it('shows every finding with its place, what was expected and what was got', async () => {
    const archive = await smallArchive();
    const [pack = ''] = archive.keys().filter((key) => key.includes('/pack/'));
    archive.put(pack, flip(archive.get(pack), 0));
    const report = await verify(archive);
    const page = renderHtml(report, occasion);
    expect(page).toContain('class="verdict findings"');
    expect(report.findings.length).toBeGreaterThan(0);
    for (const { code } of report.findings) expect(page).toContain(`<h3>${code}`);
    expect(page).toContain(pack);
  });

  it('loads and runs nothing, whatever an object is called', async () => {
    // What verify prints of foreign names is bounded already; a page that is filed does not rely on that.
    const hostile = '<script>alert(1)</script>"\u202Egnp.exe';
    const code = 'verify/version-unknown-key';
    const found = { code, severity: 'finding', where: { key: hostile }, expected: hostile, got: hostile } as const;
    const clean = await verify(await smallArchive());
    const report: Report = { ...clean, findings: [{ ...found, meaning: hostile, count: 1, first: [found] }] };
    const page = renderHtml(report, { ...occasion, url: 'file:///<img src=x onerror=alert(2)>' });
    expect(page).toContain("default-src 'none'; style-src 'unsafe-inline'");
    expect(page).not.toMatch(/<(?:script|img|link|iframe|object)\b/);
    expect(page).not.toContain('\u202E');
    expect(page).toContain(String.raw`&lt;script&gt;alert(1)&lt;/script&gt;&quot;\u{202e}gnp.exe`);
  });
});

describe('the timeline', () => {
  const gap = (leaf: number, state: ListedGap['state'], from: string | null, to: string | null): ListedGap => ({
    leaf,
    cause: 'backend-outage',
    scope: 'account',
    state,
    at: to ?? from ?? '',
    from,
    to,
  });
  const account = (listed: readonly ListedGap[]): AccountCoverage => ({
    acct: '0123456789abcdef0123456789abcdef',
    app: 'signal',
    role: 'account',
    streams: 1,
    records: 10,
    firstAt: '2026-01-01T00:00:00Z',
    lastAt: '2026-01-05T00:00:00Z',
    lost: 0,
    gaps: {},
    openGaps: 0,
    listed,
  });
  const lacks = (svg: string): [number, number][] =>
    [...svg.matchAll(/class="lacks" x="([\d.]+)" y="\d+" width="([\d.]+)"/g)].map(([, x, width]) => [
      Number(x),
      Number(width),
    ]);

  it('draws a gap over the time that it says, once it is closed', () => {
    const listed = [
      gap(3, 'open', '2026-01-02T00:00:00Z', null),
      gap(5, 'closed', '2026-01-02T23:59:00Z', '2026-01-03T00:00:00Z'),
    ];
    expect(lacks(renderTimeline([account(listed)]))).toEqual([[337.5, 187.5]]);
  });

  it('draws one that nothing closes to the end', () => {
    expect(lacks(renderTimeline([account([gap(3, 'open', '2026-01-04T00:00:00Z', null)])]))).toEqual([[712.5, 187.5]]);
  });

  it('draws nothing where there is nothing', () => {
    expect(renderTimeline([])).toBe('');
  });
});
