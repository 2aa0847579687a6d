// SPDX-License-Identifier: Apache-2.0
import type { AccountCoverage } from './coverage.ts';
import type { Finding, FoundCode } from './findings.ts';
import { renderTimeline } from './render-timeline.ts';
import type { ManifestReport, Report } from './report.ts';

/** What of a report is not in it: the file stands by itself, years later. */
export interface Occasion {
  /** What was checked, as it was named; without secrets. */
  readonly url: string;
  /** When the check ended. */
  readonly at: Date;
  /** Version of the verifier. */
  readonly version: string;
}

/** The report as one page to file or print: no scripts, nothing loaded from anywhere. Holds pseudonyms, names of keys and hashes only. */
export function renderHtml(report: Report, occasion: Occasion): string {
  const title = `Verification of ${report.origin}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${escaped(title)}</h1>
<p class="verdict ${report.verdict}">${escaped(report.headline)}</p>
${MEANING[report.verdict]}
${sections(report, occasion)}
</body>
</html>
`;
}

const MEANING: Readonly<Record<Report['verdict'], string>> = {
  verified: '<p>Everything in the archive was checked with public keys alone, and holds.</p>',
  integrity:
    '<p>All bytes and signatures hold. Locks and versions of the store cannot be seen from where it was checked.</p>',
  findings: '<p>Something is held against this archive: see “Findings”.</p>',
  unchecked:
    '<p>Nothing is held against this archive, but not everything could be judged: see “Not checked”. This is no verification.</p>',
};

function sections(report: Report, occasion: Occasion): string {
  const { findings, unchecked, notes, coverage, manifests, ceremonies } = report;
  return [
    section('Scope', facts(report, occasion)),
    section('Findings', codes(findings, 'None.')),
    section('Not checked', codes(unchecked, 'Nothing was left out.')),
    section('Coverage', coverageOf(coverage)),
    section('Gaps that the records themselves state', gaps(coverage)),
    section('Notes', codes(notes, 'None.')),
    section('Keys', manifests.length === 0 ? '<p>No manifest was read.</p>' : manifests.map(manifestOf).join('\n')),
    section('Scrub', scrubsOf(report.scrubs)),
    section('Escrow', ceremoniesOf(ceremonies)),
    section('What this cannot show', LIMITS),
  ].join('\n');
}

const LIMITS = `<ul>
<li>That a message was captured: only that nothing captured was changed, reordered or removed, and that silence is accounted for.</li>
<li>What the sealed records say. No decryption key was used.</li>
<li>That the log is not shown differently to somebody else: that is for witnesses, and for the checkpoint that you keep from visit to visit.</li>
</ul>`;

const CAUSES = {
  exchanged: 'its log key was exchanged',
  lost: 'its log key was lost, and the root alone says where it ended',
  stolen: 'its log key was stolen, and the root alone says up to where it counts',
};

/** The logs before and behind this one, where there are any. */
function lineOf({ line: { before, after } }: Report): [string, string][] {
  const rows: [string, string][] = [];
  if (before !== null) {
    const { origin, size, cause, report } = before;
    rows.push([
      'Log before',
      `${origin}, ${size} leaves; ${CAUSES[cause]}; ${report === null ? 'not read' : report.headline}`,
    ]);
  }
  if (after !== null)
    rows.push(['Log behind', `This one has ended. It goes on in ${after}, which has a trust file of its own.`]);
  return rows;
}

function witnessesOf({ witnesses: { size, at, by, of, quorum } }: Report): string {
  if (size === 0) return quorum === 'missing' ? 'none that the policy asks for' : 'none';
  const words = {
    met: 'as the policy asks',
    none: 'the policy asks for none',
    missing: '',
    'no policy': 'no policy given',
  };
  return `${size} leaves cosigned by ${by.length} of ${of} (${by.join(', ')}) on ${at}; ${words[quorum]}`;
}

function facts(report: Report, { url, at, version }: Occasion): string {
  const { counts, store } = report;
  const types = Object.entries(counts.entries).map(([type, count]) => `${count} ${type}`);
  const rows: [string, string][] = [
    ['Archive', url],
    ['Checked', `${at.toISOString().slice(0, 19)}Z, holdfast ${version}`],
    [
      'Leaves',
      report.from > 0
        ? `${report.size}, read from leaf ${report.from}; earlier ones by the root alone`
        : `${report.size}`,
    ],
    ['Root', report.root === '' ? 'none' : report.root],
    ['Newest segment', report.at === '' ? 'none' : report.at],
    ['Segments', `${counts.segments} (${counts.segmentBytes} bytes)`],
    ['Records', `${counts.records} of ${counts.streams} streams and ${counts.accounts} accounts`],
    ['Entries', types.length === 0 ? 'none' : types.join(', ')],
    [
      'Payloads',
      `${counts.payloads} (${counts.payloadBytes} bytes), ${report.payloads ? 'every byte hashed' : 'existence and size only'}`,
    ],
    ['Store', store.words],
    ...lineOf(report),
    ['Witnesses', witnessesOf(report)],
    [
      'Time stamps',
      report.time.stamps === 0
        ? 'none judged'
        : `${report.time.size} leaves on ${report.time.at}; ${report.time.stamps} hold`,
    ],
    ['Tiles', report.tiles.size === 0 ? 'none' : `of ${report.tiles.size} leaves, ${report.tiles.compared} compared`],
  ];
  if (report.evaluation)
    rows.push([
      'Evaluation',
      'One machine made all keys, so this proves nothing about who holds them, or who watched.',
    ]);
  return `<table class="facts">${rows.map(([name, value]) => `<tr><th>${name}</th><td>${escaped(value)}</td></tr>`).join('')}</table>`;
}

function codes(found: readonly FoundCode[], none: string): string {
  if (found.length === 0) return `<p>${none}</p>`;
  return found.map(codeOf).join('\n');
}

function codeOf({ code, meaning, count, first }: FoundCode): string {
  const rest = count - first.length;
  const rows = first.map((finding) => row([placeOf(finding), finding.expected, finding.got]));
  const more = rest > 0 ? `<p>… and ${rest} more places.</p>` : '';
  return `<h3>${escaped(code)} <small>× ${count}</small></h3><p>${escaped(meaning)}</p>
${tableOf(['Where', 'Expected', 'Got'], rows)}${more}`;
}

function placeOf({ where: { leaf, stream, seq, key } }: Finding): string {
  const parts = [
    leaf === undefined ? '' : `leaf ${leaf}`,
    stream === undefined ? '' : `stream ${stream}${seq === undefined ? '' : ` record ${seq}`}`,
    key ?? '',
  ];
  return parts.filter((part) => part !== '').join(', ') || 'the archive';
}

function coverageOf(coverage: readonly AccountCoverage[]): string {
  if (coverage.length === 0) return '<p>No records.</p>';
  const rows = coverage.map(({ acct, app, role, streams, records, firstAt, lastAt, lost, openGaps }) =>
    row([
      acct,
      role === 'process' ? 'process' : app,
      `${streams}`,
      `${records}`,
      firstAt,
      lastAt,
      `${lost}`,
      `${openGaps}`,
    ]),
  );
  const header = ['Account (pseudonym)', 'Kind', 'Streams', 'Records', 'First', 'Last', 'Lost', 'Open gaps'];
  const legend =
    '<p><small>Blue: from the first record to the last. Red: times that the account’s own gap records cover.</small></p>';
  return `${renderTimeline(coverage)}\n${legend}\n${tableOf(header, rows)}`;
}

function gaps(coverage: readonly AccountCoverage[]): string {
  const counted = coverage.flatMap(({ acct, gaps: counts }) =>
    Object.entries(counts).map(([name, count]) => row([acct, name, `${count}`])),
  );
  if (counted.length === 0) return '<p>None.</p>';
  const listed = coverage.flatMap(({ acct, listed: all }) =>
    all.map(({ leaf, cause, scope, state, from, to, at }) =>
      row([acct, `${leaf}`, `${cause} ${scope}`, state, from ?? 'unknown', to ?? 'unknown', at]),
    ),
  );
  const details =
    listed.length === 0
      ? ''
      : `<h3>Over a whole account or chat</h3>${tableOf(['Account', 'Leaf', 'Cause and scope', 'State', 'From', 'To', 'Recorded'], listed)}`;
  return `${tableOf(['Account', 'Cause, scope, state', 'Records'], counted)}${details}`;
}

function manifestOf({ n, since, evaluation, recipients, signers }: ManifestReport): string {
  const rows = [
    ...signers.map(({ role, name, id }) => row([role, name, id])),
    ...recipients.map(({ role, id }) => row([`${role} (decrypts)`, '', id])),
  ];
  return `<h3>Manifest ${n}, since ${escaped(since)}${evaluation ? ', evaluation' : ''}</h3>
${tableOf(['Role', 'Name', 'Key id'], rows)}`;
}

/** Every round is in the JSON of the report. */
const MOST_SCRUBS = 24;

function scrubsOf(scrubs: Report['scrubs']): string {
  if (scrubs.length === 0) return '<p>The log tells of no full reading of what is stored besides this one.</p>';
  const rows = scrubs
    .slice(-MOST_SCRUBS)
    .toReversed()
    .map(({ from, at, size, objects, bytes, findings }) =>
      row([at, from, `${size}`, `${objects}`, `${bytes}`, findings === 0 ? 'none' : `${findings}`]),
    );
  return tableOf(['Ended', 'Began', 'Leaves', 'Objects', 'Bytes', 'Findings'], rows);
}

function ceremoniesOf(ceremonies: Report['ceremonies']): string {
  if (ceremonies.length === 0) return '<p>The log tells of no ceremony with the shares of a decryption key.</p>';
  const rows = ceremonies.map(({ act, at, key, need, of, outcome, leaf }) =>
    row([
      act,
      at,
      key,
      `${need} of ${of}`,
      outcome === null ? 'not told' : `${outcome.state}, ${outcome.at}`,
      `${leaf}`,
    ]),
  );
  return tableOf(['Ceremony', 'Announced', 'Key', 'Shares', 'Outcome', 'Leaf'], rows);
}

function section(title: string, body: string): string {
  return `<section><h2>${title}</h2>\n${body}\n</section>`;
}

function tableOf(header: readonly string[], rows: readonly string[]): string {
  return `<table><thead>${row(header, 'th')}</thead><tbody>${rows.join('')}</tbody></table>`;
}

function row(cells: readonly string[], tag: 'td' | 'th' = 'td'): string {
  return `<tr>${cells.map((cell) => `<${tag}>${escaped(cell)}</${tag}>`).join('')}</tr>`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Keys of foreign objects in a bucket may be anything: markup, and marks that turn the direction of the text around them. */
function escaped(text: string): string {
  return text
    .replaceAll(/[&<>"']/g, (character) => ENTITIES[character] as string)
    .replaceAll(/\p{C}/gu, (character) => `\\u{${(character.codePointAt(0) as number).toString(16)}}`);
}

const STYLE = `
body { font: 14px/1.45 system-ui, sans-serif; max-width: 960px; margin: 2em auto; padding: 0 1em; color: #1b1f24; }
h1 { font-size: 1.5em; overflow-wrap: anywhere; } h2 { font-size: 1.15em; margin: 2em 0 .5em; border-bottom: 1px solid #d0d5db; }
h3 { font-size: 1em; margin: 1.2em 0 .3em; } small { font-weight: normal; color: #57606a; }
.verdict { font-size: 1.3em; font-weight: 600; padding: .6em .8em; border-left: 6px solid; }
.verified { background: #e6f4ea; border-color: #1e7e34; } .findings { background: #fdecea; border-color: #b3261e; }
.integrity, .unchecked { background: #fff6e0; border-color: #b7791f; }
table { border-collapse: collapse; width: 100%; font-size: .9em; } th, td { text-align: left; padding: .25em .6em .25em 0; vertical-align: top; overflow-wrap: anywhere; }
thead th { border-bottom: 1px solid #d0d5db; } tbody tr + tr { border-top: 1px solid #eef0f2; } .facts th { width: 10em; font-weight: 600; }
svg { width: 100%; margin: .5em 0 1em; } svg text { font: 11px system-ui, sans-serif; fill: #1b1f24; } svg line { stroke: #8c959f; }
.has { fill: #9cc3e6; } .lacks { fill: #b3261e; }
@media print { body { margin: 0; max-width: none; } section { break-inside: auto; } tr { break-inside: avoid; } }
`;
