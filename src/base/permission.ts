// SPDX-License-Identifier: AGPL-3.0-or-later

/** What somebody may do. Every route names one; what an identity is not given it does not have. */
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
] as const;
export type Permission = (typeof PERMISSIONS)[number];

export function isPermission(value: unknown): value is Permission {
  return PERMISSIONS.some((one) => one === value);
}
