// SPDX-License-Identifier: Apache-2.0
import type { AccountCoverage } from './coverage.ts';
import type { Finding, FoundCode } from './findings.ts';
import type { Report } from './report.ts';

/** Places shown of one code; the report has more of them, and the count of all. */
const MOST_PLACES = 20;
const MOST_ACCOUNTS = 50;

/** The report as one JSON document, for machines and for the file. */
export function renderJson(report: Report): string {
  return `${JSON.stringify(report, null, 2)}\n`;
}

/** The report for people: the verdict first, then what was looked at, then what was found. Holds pseudonyms and hashes only. */
export function renderText(report: Report): string {
  const sections = [
    [report.headline],
    facts(report),
    report.findings.flatMap(shownCode),
    report.unchecked.flatMap(shownCode),
    report.notes.map(shownNote),
    accounts(report.coverage),
  ];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

function facts(report: Report): string[] {
  const { counts, store } = report;
  const types = Object.entries(counts.entries).map(([type, count]) => `${count} ${type}`);
  const lines = [
    `log        ${report.origin}`,
    `leaves     ${report.size}${report.from > 0 ? `, read from leaf ${report.from}; earlier ones by the root alone` : ''}`,
    `root       ${report.root === '' ? 'none' : report.root}`,
    `newest     ${report.at === '' ? 'none' : report.at}`,
    `segments   ${counts.segments} (${counts.segmentBytes} bytes)`,
    `records    ${counts.records} of ${counted(counts.streams, 'stream')} and ${counted(counts.accounts, 'account')}`,
    `entries    ${types.length === 0 ? 'none' : types.join(', ')}`,
    `payloads   ${counts.payloads} (${counts.payloadBytes} bytes), ${report.payloads ? 'every byte hashed' : 'existence and size only'}`,
    `store      ${store.words}`,
  ];
  lines.push(...shownLine(report));
  const watched = shownWitnesses(report);
  if (watched !== null) lines.push(`witnesses  ${watched}`);
  const { time } = report;
  if (time.stamps > 0)
    lines.push(
      `time       ${time.size} leaves stamped ${time.at}; ${time.stamps === 1 ? '1 stamp holds' : `${time.stamps} stamps hold`}`,
    );
  if (report.tiles.size > 0) {
    lines.push(
      `tiles      ${report.tiles.compared} tiles of ${report.tiles.size} leaves, ${report.payloads ? 'compared' : 'by size only'}`,
    );
  }
  const last = report.scrubs.at(-1);
  if (last !== undefined) lines.push(`scrubbed   ${shownScrub(last)}`);
  const { ceremonies } = report;
  if (ceremonies.length > 0) lines.push(`escrow     ${shownCeremonies(ceremonies)}`);
  if (report.evaluation) {
    lines.push(
      'keys       evaluation: one machine made all keys, so this proves nothing about who holds them, or who watched',
    );
  }
  return lines;
}

const CAUSES = {
  exchanged: 'its log key was exchanged',
  lost: 'its log key was lost',
  stolen: 'its log key was stolen',
};

/** Which log came before, and which comes after. */
function shownLine({ line: { before, after } }: Report): string[] {
  const lines: string[] = [];
  if (before !== null) {
    const { origin, size, cause, report } = before;
    const judged = report === null ? 'not read' : report.headline;
    lines.push(`before     ${origin}, ${size} leaves: ${CAUSES[cause]}; ${judged}`);
  }
  if (after !== null) lines.push(`after      ended; goes on in ${after}, which has a trust file of its own`);
  return lines;
}

function shownWitnesses({ witnesses: { size, at, by, of, quorum } }: Report): string | null {
  const words = {
    met: ', as the policy asks',
    none: '; the policy asks for none',
    missing: '',
    'no policy': '; no policy given',
  };
  if (size > 0) return `${size} leaves cosigned by ${by.length} of ${of} (${by.join(', ')}), ${at}${words[quorum]}`;
  return quorum === 'missing' ? 'none that the policy asks for' : null;
}

function shownScrub({ from, at, size, objects, bytes, findings }: Report['scrubs'][number]): string {
  return `${from} to ${at}: ${counted(objects, 'object')} (${bytes} bytes) of ${size} leaves read again, ${counted(findings, 'finding')}`;
}

function shownCeremonies(ceremonies: Report['ceremonies']): string {
  const open = ceremonies.filter(({ outcome }) => outcome === null).length;
  const drill = ceremonies.findLast(({ act, outcome }) => act === 'drill' && outcome?.state === 'done');
  const combined = ceremonies.filter(({ act }) => act === 'combine').length;
  return [
    `${ceremonies.length === 1 ? '1 ceremony' : `${ceremonies.length} ceremonies`}, ${combined} to take the key out`,
    ...(open === 0 ? [] : [`${open} without an outcome`]),
    `last good drill ${drill?.outcome?.at ?? 'never'}`,
  ].join('; ');
}

function shownCode({ code, meaning, count, first }: FoundCode): string[] {
  const places = first.slice(0, MOST_PLACES).map((finding) => `  ${shownPlace(finding)}`);
  const rest = count - places.length;
  return [
    `${code}  ${meaning}${count > 1 ? ` (${count})` : ''}`,
    ...places,
    ...(rest > 0 ? [`  … and ${rest} more`] : []),
  ];
}

function shownPlace({ where, expected, got }: Finding): string {
  const { log, leaf, stream, seq, key } = where;
  const parts = [
    log ?? '',
    leaf === undefined ? '' : `leaf ${leaf}`,
    stream === undefined ? '' : `stream ${stream}${seq === undefined ? '' : ` record ${seq}`}`,
    key ?? '',
  ];
  const place = parts.filter((part) => part !== '').join(', ');
  return `${place === '' ? '' : `${place}: `}expected ${expected}, got ${got}`;
}

function shownNote({ code, meaning, count, first }: FoundCode): string {
  const [one] = first;
  return `note ${code}  ${meaning}${count > 1 ? ` (${count})` : ''}${one === undefined ? '' : `; ${shownPlace(one)}`}`;
}

function accounts(coverage: readonly AccountCoverage[]): string[] {
  const lines = coverage.slice(0, MOST_ACCOUNTS).flatMap(shownAccount);
  const rest = coverage.length - MOST_ACCOUNTS;
  return rest > 0 ? [...lines, `… and ${rest} more account${rest === 1 ? '' : 's'}`] : lines;
}

function shownAccount(account: AccountCoverage): string[] {
  const { acct, app, role, streams, records, firstAt, lastAt, lost, gaps, openGaps, listed } = account;
  const what = role === 'process' ? 'process' : app;
  const head = `account ${acct}  ${what}, ${counted(records, 'record')} in ${counted(streams, 'stream')}, ${firstAt} to ${lastAt}`;
  const counts = Object.entries(gaps).map(([name, count]) => `  ${count} × gap ${name}`);
  const details = listed.map(
    ({ leaf, cause, scope, state, at, from, to }) =>
      `  leaf ${leaf}: ${scope} ${cause}, ${state}, from ${from ?? 'unknown'} to ${to ?? 'unknown'}, recorded ${at}`,
  );
  return [
    head,
    ...(lost > 0 ? [`  ${counted(lost, 'record')} lost and admitted as holes`] : []),
    ...(openGaps > 0 ? [`  ${counted(openGaps, 'gap')} still open`] : []),
    ...counts,
    ...details,
  ];
}

function counted(count: number, one: string): string {
  return `${count} ${one}${count === 1 ? '' : 's'}`;
}
