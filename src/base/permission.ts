// SPDX-License-Identifier: AGPL-3.0-or-later

/** What somebody may do by the reader's API. Every route names one; what an identity is not given it does not have. */
export const PERMISSIONS = [
  'status',
  'search',
  'view',
  'people',
  'file',
  'matters',
  'decide',
  'holds',
  'hold',
  'approve',
  'directory',
  'directory-change',
  'access-log',
  'export',
  'exports',
  'export-file',
  'export-delete',
  'sessions',
] as const;
export type Permission = (typeof PERMISSIONS)[number];

export function isPermission(value: unknown): value is Permission {
  return PERMISSIONS.some((one) => one === value);
}

const READER: readonly Permission[] = ['status', 'search', 'view', 'people', 'file', 'matters', 'directory'];
const REVIEWER: readonly Permission[] = [...READER, 'decide', 'export', 'exports', 'export-file', 'export-delete'];

/**
 * What people are in an agency, and what that lets them do. Who administers or supervises sees nothing that was archived: an auditor
 * reads what others looked for, an administrator who is signed on.
 */
export const ROLES = {
  reader: READER,
  reviewer: REVIEWER,
  'records-officer': [...REVIEWER, 'holds', 'hold', 'approve', 'directory-change'],
  'holds-officer': ['status', 'holds', 'approve'],
  auditor: ['status', 'access-log', 'holds'],
  administrator: ['status', 'sessions'],
} as const satisfies Readonly<Record<string, readonly Permission[]>>;
export type Role = keyof typeof ROLES;
export const ROLE_NAMES = Object.keys(ROLES) as [Role, ...Role[]];
