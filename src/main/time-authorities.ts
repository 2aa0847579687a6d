// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Config } from '../base/config.ts';
import type { TimeAuthority } from '../timestamp/ask.ts';
import { readCertificates } from './certificates.ts';

/** An authority of the config, with the certificates that its answers are held against. Throws `config/key-unusable`. */
export function timeAuthorityOf({ url, ca, crls }: Config['timeStamps'][number]): TimeAuthority {
  return { url, crls, certificates: readCertificates(ca) };
}
