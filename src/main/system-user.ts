// SPDX-License-Identifier: AGPL-3.0-or-later
import { userInfo } from 'node:os';

/** Who runs this process, as the machine knows them. */
export function systemUser(): string {
  try {
    return userInfo().username;
  } catch {
    // A user without an entry of its own, as in some containers.
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}
