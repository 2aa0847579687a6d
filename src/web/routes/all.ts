// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Route } from '../route.ts';
import { actsRoute } from './acts.ts';
import { conversationRoute, conversationsRoute, lineRoute, linesRoute } from './conversations.ts';
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
import { beginMatterRoute, matterRoute, mattersRoute, noteRoute, tagRoute } from './matters.ts';
import { peopleRoute } from './people.ts';
import { searchRoute } from './search.ts';
import { documentRoute, gapsRoute, statusRoute } from './status.ts';

/** Every way into the reader. What is not here is answered with 404. */
export const ROUTES: readonly Route[] = [
  statusRoute,
  documentRoute,
  searchRoute,
  conversationsRoute,
  conversationRoute,
  linesRoute,
  lineRoute,
  peopleRoute,
  fileRoute,
  gapsRoute,
  mattersRoute,
  matterRoute,
  beginMatterRoute,
  tagRoute,
  noteRoute,
  actsRoute,
  orderExportRoute,
  exportsRoute,
  exportRoute,
  exportFilesRoute,
  exportFileRoute,
  exportZipRoute,
  deleteExportRoute,
];
