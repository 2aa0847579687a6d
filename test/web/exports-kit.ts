// SPDX-License-Identifier: AGPL-3.0-or-later
import { readdirSync } from 'node:fs';
import { eventually } from '../support/eventually.ts';
import type { WebOffice } from './kit.ts';

export interface Job extends Record<string, unknown> {
  readonly export: string;
  readonly state: string;
  readonly failed: string | null;
  readonly estimate: { readonly lines: number } | null;
  readonly progress: { readonly step: string } | null;
  readonly summary: { readonly files: number; readonly bytes: number; readonly manifestSha256: string } | null;
}
export interface Files extends Record<string, unknown> {
  readonly files: readonly { readonly name: string; readonly size: number; readonly sha256: string }[];
}

export const BERTHS = { selection: { by: 'query', query: '"berth 7" OR "with files"' }, formats: ['jsonl'] };

export async function order(office: WebOffice, body: unknown = BERTHS): Promise<string> {
  const response = await office.post('/exports', body);
  const told = (await response.json()) as { export: string };
  if (response.status !== 200) throw new Error(JSON.stringify(told));
  return told.export;
}

export const jobOf = (office: WebOffice, id: string): Promise<Job> => office.get<Job>(`/exports/${id}`);

export async function settled(office: WebOffice, id: string): Promise<Job> {
  await eventually(async () => (await jobOf(office, id)).state).toMatch(/finished|failed/);
  return jobOf(office, id);
}

export async function refusal(response: Response): Promise<[number, string]> {
  const { error } = (await response.json()) as { error: { code: string } };
  return [response.status, error.code];
}

export const remove = (office: WebOffice, id: string): Promise<Response> =>
  office.ask(`/api/v1/exports/${id}`, { method: 'DELETE' });
export const nameIn = (name: string): string => encodeURIComponent(name);
export const bytesOf = async (response: Response): Promise<Buffer> => Buffer.from(await response.arrayBuffer());
export const left = (folder: string): string[] => readdirSync(folder).filter((name) => !name.startsWith('lock'));

/** Holds exports back before they are recorded, until it is let go. */
export function heldBack(office: WebOffice): { readonly held: () => number; readonly letGo: () => void } {
  let held = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  office.beforeRecord = async (deeds) => {
    if (!deeds.some(({ act }) => act === 'export')) return;
    held += 1;
    await promise;
  };
  return { held: () => held, letGo: resolve };
}
