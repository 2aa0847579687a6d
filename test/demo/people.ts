// SPDX-License-Identifier: AGPL-3.0-or-later
import type { GroupRef, Sender } from '../emulators/signal/envelopes.ts';

// An agency nobody works for. Numbers are from the range that is reserved for fiction.

export const DUTY_PHONE = '+12025550100';

export const duty: Sender = { uuid: '7c0e2c1a-5b1e-4f0e-9a53-1d1b7f0a9e01', number: DUTY_PHONE, name: 'Duty Phone' };
export const ortiz: Sender = {
  uuid: 'b5c1d9f4-6f39-4d2b-8a0e-3a2f3c9d7711',
  number: '+12025550171',
  name: 'Dana Ortiz',
};
export const kessler: Sender = { uuid: '0d5f1b8e-2f44-4a6b-bb0f-77d2f1c0a3b2', number: null, name: 'R. Kessler' };
export const park: Sender = { uuid: '3f1f6a52-8f0e-4d9c-9d0e-54a1c7a0e6b4', number: '+12025550188', name: 'Lee Park' };
export const imani: Sender = {
  uuid: 'e2a8d3c7-6f5b-4c1a-8e9d-0b1c2d3e4f50',
  number: '+12025550142',
  name: 'Imani Cole',
};

/** Everybody but the duty phone itself. */
export const contacts = [ortiz, kessler, park, imani];

export const operations: GroupRef = {
  internalId: 'q2Vt0p1X7m0cWm3m4dYbYx0m9lqQwzjz3b8K1o0y9hE=',
  name: 'Field Office Ops',
  revision: 7,
};
export const harbour: GroupRef = {
  internalId: 'Zk9mYb0x1s3v5u7w9yABCDEFGHIJKLMNOPQRSTUVWXY=',
  name: 'Harbour Inspection',
  revision: 2,
};

export const members = {
  [operations.internalId]: [ortiz, kessler, park, imani],
  [harbour.internalId]: [ortiz, kessler, park, imani],
};
