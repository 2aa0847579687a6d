// SPDX-License-Identifier: AGPL-3.0-or-later
import http from 'node:http';
import https from 'node:https';
import { s3Failure } from './s3-failure.ts';
import type { S3Wire } from './s3-wire.ts';

const TIMEOUT_MS = 20_000;

/** PUTs to a presigned URL with exactly these headers, as an uploader would, and tells the status. */
export async function putPresigned(
  wire: S3Wire,
  url: string,
  headers: Readonly<Record<string, string>>,
  body: Uint8Array,
): Promise<number> {
  const secure = url.startsWith('https:');
  const agent = secure ? wire.agents.httpsAgent : wire.agents.httpAgent;
  try {
    return await new Promise<number>((resolve, reject) => {
      const options = { method: 'PUT', headers, agent, signal: AbortSignal.timeout(TIMEOUT_MS) };
      const request = (secure ? https : http).request(url, options, (response) => {
        response.resume();
        response.once('end', () => resolve(response.statusCode ?? 0));
        response.once('error', reject);
      });
      request.once('error', reject);
      request.end(body);
    });
  } catch (error) {
    throw s3Failure(error, 'a presigned upload', 'harmless');
  }
}
