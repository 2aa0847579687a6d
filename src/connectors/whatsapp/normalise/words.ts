// SPDX-License-Identifier: AGPL-3.0-or-later

/** The name of an enum's value as the protocol spells it; its number where this version knows no name. */
export function nameOf(names: object, value: number | null | undefined): string {
  if (value === null || value === undefined) return 'UNKNOWN';
  const name: unknown = (names as Record<number, unknown>)[value];
  return typeof name === 'string' ? name : String(value);
}

/** `GROUP_CHANGE_SUBJECT` as `group-change-subject`, `imageMessage` as `image-message`. */
export function wordOf(name: string): string {
  return name
    .replaceAll(/([a-z])([A-Z])/g, '$1-$2')
    .replaceAll(/[_\s]+/g, '-')
    .toLowerCase();
}
