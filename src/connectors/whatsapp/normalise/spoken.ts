// SPDX-License-Identifier: AGPL-3.0-or-later
import type { proto } from '@whiskeysockets/baileys/WAProto/index.js';
import type { Content } from '../../../record/message.ts';
import type { MediaFile } from './media.ts';

/** What a member says in itself, before what surrounds it (quote, mentions, timer) is added. */
export interface Spoken {
  readonly content: Partial<Content>;
  readonly files?: readonly MediaFile[];
  readonly context?: proto.IContextInfo | null | undefined;
}
