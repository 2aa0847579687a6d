// SPDX-License-Identifier: AGPL-3.0-or-later
import type { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { codeOf, Failure } from '../base/failure.ts';
import { certificatesOf } from '../timestamp/judge.ts';

/** The certificates of a PEM file, at least one. */
export function readCertificates(file: string): X509Certificate[] {
  let found: X509Certificate[] = [];
  let got = 'none';
  let cause: unknown;
  try {
    found = certificatesOf(readFileSync(file, 'utf8'));
  } catch (error) {
    [got, cause] = [codeOf(error), error];
  }
  if (found.length > 0) return found;
  throw new Failure('config/key-unusable', { expected: 'certificates in PEM', got, where: file, cause });
}
