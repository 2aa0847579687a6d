// SPDX-License-Identifier: AGPL-3.0-or-later
import { unzipSync } from 'fflate';
import type { RsmfManifest } from '../../src/export/rsmf/manifest.ts';

export interface OpenedRsmf {
  readonly manifest: RsmfManifest;
  readonly files: Readonly<Record<string, Uint8Array>>;
  readonly head: string;
  readonly text: string;
}

/** What a reader of the file sees: header, text, the zip's members. */
export function openedRsmf(bytes: Buffer): OpenedRsmf {
  const mail = bytes.toString('latin1');
  const head = mail.slice(0, mail.indexOf('\r\n\r\n'));
  const part = (type: string): string => {
    const from = mail.indexOf('\r\n\r\n', mail.indexOf(`Content-Type: ${type}`)) + 4;
    return mail.slice(from, mail.indexOf('\r\n--', from));
  };
  const [text, base64] = [part('text/plain'), part('application/zip')];
  const files = unzipSync(Buffer.from(base64, 'base64'));
  const manifest = JSON.parse(Buffer.from(files['rsmf_manifest.json'] ?? []).toString('utf8')) as RsmfManifest;
  return { manifest, files, head, text };
}
