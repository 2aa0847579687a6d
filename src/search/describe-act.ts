// SPDX-License-Identifier: AGPL-3.0-or-later
import { countOf } from '../base/counted.ts';
import type { Deed, HoldScope, Target } from '../access/act.ts';

/** What was done, as people read it, without the name of the deed. Plain text of whoever did it: not made safe for a terminal. */
export function describeDeed(deed: Deed): string {
  switch (deed.act) {
    case 'login':
      return '';
    case 'search':
      return `${deed.query === '' ? '(everything)' : deed.query} → ${countOf(deed.hits, 'hit')}, ${deed.shown.length} shown`;
    case 'view':
      return deed.leaf === null
        ? `list of ${countOf(deed.lines, 'conversation')}`
        : `${countOf(deed.lines, 'line')} from leaf ${deed.leaf} on`;
    case 'file':
      return `a file of the message at leaf ${deed.leaf}`;
    case 'export':
      return `${countOf(deed.items, 'item')} as ${deed.format}: ${deed.selection}`;
    case 'report':
      return `${deed.what}, ${countOf(deed.items, 'item')}`;
    case 'denial':
      return `${deed.what}: ${deed.code}`;
    case 'matter':
      return `${deed.name}, ${deed.state}`;
    case 'custodian':
      return `${deed.on ? 'added' : 'removed'} ${deed.custodian}`;
    case 'saved-search':
      return deed.query === null ? `${deed.name} taken back` : `${deed.name}: ${deed.query}`;
    case 'tag':
      return `${deed.on ? '' : 'removed '}${deed.tag} on ${describeTarget(deed.target)}`;
    case 'note':
      return `${deed.target === null ? '' : `on ${describeTarget(deed.target)}: `}${deed.text}`;
    case 'hold':
      return `${deed.hold.slice(0, 8)} on ${describeScope(deed.scope)}`;
    case 'escrow':
      return `${deed.what} of key ${deed.key.slice(0, 8)}, ceremony ${deed.ceremony.slice(0, 8)}, ${deed.step}`;
    case 'directory':
      return `version ${deed.version.slice(0, 8)}, part ${deed.part} of ${deed.of}, ${countOf(deed.rows.length, 'row')}`;
  }
}

export function describeTarget(target: Target): string {
  switch (target.what) {
    case 'message':
      return `the message at leaf ${target.leaf}`;
    case 'conversation':
      return `the conversation of leaf ${target.leaf}`;
    case 'range':
      return `the lines from leaf ${target.from} to leaf ${target.to}`;
  }
}

export function describeScope(scope: HoldScope): string {
  switch (scope.by) {
    case 'custodian':
      return `custodian ${scope.custodian}`;
    case 'conversation':
      return `the conversation of leaf ${scope.leaf}`;
    case 'search':
      return `the search ${scope.query}`;
    case 'record':
      return `the message at leaf ${scope.leaf}`;
  }
}
