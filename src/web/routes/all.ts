// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Route } from '../route.ts';
import { actsRoute } from './acts.ts';
import { approvalRoute, approvalsRoute, approveRoute, withdrawRoute } from './approvals.ts';
import {
  conversationRoute,
  conversationsRoute,
  findConversationsRoute,
  lineRoute,
  linesRoute,
} from './conversations.ts';
import {
  deleteExportRoute,
  exportFileRoute,
  exportFilesRoute,
  exportRoute,
  exportsRoute,
  exportZipRoute,
  orderExportRoute,
} from './exports.ts';
import { fileRoute } from './files.ts';
import {
  beginMatterRoute,
  changeMatterRoute,
  custodianRoute,
  noteRoute,
  saveSearchRoute,
  tagFoundRoute,
  tagRoute,
} from './decisions.ts';
import { directoryRoute, importDirectoryRoute } from './directory.ts';
import { facetsRoute } from './facets.ts';
import { extendHoldRoute, holdsRoute, placeHoldRoute, releaseHoldRoute } from './holds.ts';
import { matterRoute, mattersRoute, notesRoute, tagsRoute } from './matters.ts';
import { termsCsvRoute, termsRoute } from './terms.ts';
import { peopleRoute } from './people.ts';
import { searchRoute } from './search.ts';
import { endSessionRoute, sessionsRoute, signOffRoute } from './sessions.ts';
import { documentRoute, gapsRoute, statusRoute } from './status.ts';

/** Every way into the reader. What is not here is answered with 404. */
export const ROUTES: readonly Route[] = [
  statusRoute,
  documentRoute,
  searchRoute,
  facetsRoute,
  conversationsRoute,
  findConversationsRoute,
  conversationRoute,
  linesRoute,
  lineRoute,
  peopleRoute,
  fileRoute,
  gapsRoute,
  mattersRoute,
  matterRoute,
  tagsRoute,
  notesRoute,
  beginMatterRoute,
  changeMatterRoute,
  custodianRoute,
  saveSearchRoute,
  tagRoute,
  tagFoundRoute,
  noteRoute,
  termsRoute,
  termsCsvRoute,
  holdsRoute,
  placeHoldRoute,
  extendHoldRoute,
  releaseHoldRoute,
  approvalsRoute,
  approvalRoute,
  approveRoute,
  withdrawRoute,
  directoryRoute,
  importDirectoryRoute,
  actsRoute,
  sessionsRoute,
  endSessionRoute,
  signOffRoute,
  orderExportRoute,
  exportsRoute,
  exportRoute,
  exportFilesRoute,
  exportFileRoute,
  exportZipRoute,
  deleteExportRoute,
];
