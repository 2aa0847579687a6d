// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Config } from '../base/config.ts';
import type { TimeAuthority } from '../timestamp/ask.ts';
import { readCertificates } from './certificates.ts';

/** The time-stamping authorities of the config, with the certificates that their answers are held against. */
export function timeAuthorities({ timeStamps }: Pick<Config, 'timeStamps'>): TimeAuthority[] {
  return timeStamps.map(({ url, ca, crls }) => ({ url, crls, certificates: readCertificates(ca) }));
}
