// SPDX-License-Identifier: AGPL-3.0-or-later
import { ownRecordsOf } from '../own-records.ts';
import type { Via } from './reasons.ts';

export const { accountHead, gapCapture, ownRecord } = ownRecordsOf<Via>('whatsapp');
