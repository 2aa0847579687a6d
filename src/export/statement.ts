// SPDX-License-Identifier: AGPL-3.0-or-later
import { countOf } from '../base/counted.ts';
import { called } from '../search/describe.ts';
import type { GapRow } from '../search/index-db.ts';
import { plainLine } from '../search/plain-text.ts';
import type { Plan } from './plan.ts';
import type { Proofs, Rendering } from './rendering.ts';
import { contextText, selectionText } from './selection.ts';
import type { LocalTime } from '../search/local-time.ts';

/** A part of the statement of completeness: every format that people read begins with them. */
export interface StatementPart {
  readonly title: string;
  readonly lines: readonly string[];
}

const PROVEN: Readonly<Record<Proofs, readonly string[]>> = {
  none: [],
  records: ['proof/ shows that every record behind these lines is in the log: see proof/README.txt'],
  content: ['proof/ shows that every record behind these lines is in the log, and what it says: see proof/README.txt'],
};

/** What this export holds, what it does not, and up to when: in plain words, the same in every format. */
export function statementOf(rendering: Rendering): StatementPart[] {
  const { plan, zone, provenance } = rendering;
  const { origin, checkpoint, generator } = provenance;
  return [
    {
      title: 'What was asked for',
      lines: [
        plainLine(selectionText(plan.selection)),
        ...(plan.selection.by === 'conversation' ? [] : [contextText(plan.rule)]),
        ...plan.unmatched.map((name) => `nobody and nothing in the archive is called “${plainLine(name)}”`),
        ...plan.unknownRecords.map((id) => `not in this archive: record ${id}`),
      ],
    },
    {
      title: 'What is here',
      lines: [
        `${plan.lines} lines of ${countOf(plan.conversations.length, 'conversation')}, from ${zone.text(plan.span.firstMs)} to ${zone.text(plan.span.lastMs)}`,
        `${countOf(plan.hits, 'hit')}; the other ${plan.lines - plan.hits} lines are context and marked so`,
        `${plan.lines} lines were selected, and each file with messages was held against that list before it was kept`,
        ...fileLines(rendering),
        ...PROVEN[rendering.proofs],
        `Times are in the time zone ${zone.zone}${zone.zone === 'UTC' ? '' : '; each says how far it is from UTC'}`,
      ],
    },
    {
      title: 'Up to when',
      lines: [
        `log ${plainLine(origin)}`,
        `complete up to its checkpoint of ${checkpoint.size} entries, ${checkpoint.at}, root ${checkpoint.root}`,
        'What was captured later, or reached the log later, is not in here',
        `rendered by ${generator}`,
      ],
    },
    { title: 'Whose accounts', lines: custodianLines(rendering) },
    { title: 'What is missing', lines: missingLines(rendering) },
  ];
}

function fileLines({ files }: Rendering): string[] {
  const { missing, corrupt } = files.defects;
  const { files: different, bytes } = files.size;
  if (files.named === 0) return ['no message names a file'];
  return [
    `messages name ${countOf(files.named, 'file')}; ${countOf(different - missing - corrupt, 'different file')} of ${different} in the archive ${different === 1 ? 'is' : 'are'} here, ${bytes} bytes in all`,
    ...(files.neverCaptured === 0
      ? []
      : [`of ${countOf(files.neverCaptured, 'file')} the bytes never reached the archive`]),
    ...(missing === 0
      ? []
      : [`${countOf(missing, 'file')} of the archive ${missing === 1 ? 'is' : 'are'} gone from its store`]),
    ...(corrupt === 0
      ? []
      : [
          `${countOf(corrupt, 'file')} of the archive ${corrupt === 1 ? 'is' : 'are'} not what the log says, and not here`,
        ]),
  ];
}

function custodianLines({ custodians: { all, unnamed } }: Rendering): string[] {
  if (all.length === 0)
    return ['the agency’s directory names nobody for the accounts that these lines were captured from'];
  return [
    'captured from accounts of, by the agency’s directory as of the time of each line:',
    ...all.map(({ name, lines }) => `  ${plainLine(name)}: ${countOf(lines, 'line')}`),
    ...(unnamed === 0 ? [] : [`of ${countOf(unnamed, 'line')} the directory does not say whose account it was`]),
  ];
}

function missingLines({ gaps, zone, provenance }: Rendering): string[] {
  const broken = provenance.unreadable;
  return [
    ...(gaps.length === 0
      ? ['the log tells of no gap in what these accounts captured within the span of this export']
      : [
          `the log tells of ${countOf(gaps.length, 'gap')} in what these accounts captured within the span of this export:`,
        ]),
    ...gaps.map((gap) => `  ${gapText(gap, zone)}`),
    ...(broken === 0
      ? [`every record of the log was read (${provenance.recordsInIndex})`]
      : [
          `${broken} of ${provenance.recordsInIndex} records of the log could not be read; those that belong here stand in their place and say why`,
        ]),
  ];
}

export function gapText(
  { leaf, account, app, cause, scope, state, sinceMs, untilMs }: GapRow,
  zone: LocalTime,
): string {
  const who = plainLine(account === null ? 'an account' : called(account));
  const from = sinceMs === null ? 'an unknown time' : zone.text(sinceMs);
  const to = untilMs === null ? (state === 'open' ? 'still open' : 'an unknown time') : zone.text(untilMs);
  return `${app} ${who}: ${cause} (${scope}, ${state}), from ${from} to ${to}, entry ${leaf} of the log`;
}

/** Gaps that touch the span. One whose beginning or end nobody knows may touch it, and is told. */
export function gapsWithin(gaps: readonly GapRow[], { span }: Pick<Plan, 'span'>): GapRow[] {
  return gaps.filter(
    ({ sinceMs, untilMs }) => (sinceMs ?? 0) <= span.lastMs && (untilMs ?? Number.MAX_SAFE_INTEGER) >= span.firstMs,
  );
}

export function statementText(rendering: Rendering): string {
  const parts = statementOf(rendering).map(
    ({ title, lines }) => `${title.toUpperCase()}\n\n${lines.map((line) => `  ${line}`).join('\n')}\n`,
  );
  return `STATEMENT OF COMPLETENESS\n\n${parts.join('\n')}`;
}
