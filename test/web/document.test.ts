// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import { PREFIX } from '../../src/web/document.ts';
import { ROUTES } from '../../src/web/routes/all.ts';
import { apiDocument } from '../guards/api-document.ts';
import { read } from '../guards/files.ts';

interface Document {
  readonly security: readonly object[];
  readonly paths: Record<string, Record<string, { readonly description: string; readonly security?: unknown }>>;
}
const document = JSON.parse(apiDocument()) as Document;

describe('the document of the API', () => {
  it('is the one in docs/: `node test/guards/api-document.ts` writes it', () => {
    expect(read('docs/openapi.json')).toBe(apiDocument());
  });

  it('has every route, and with each who may ask', () => {
    const documented = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { description }]) => `${method.toUpperCase()} ${path} ${description}`),
    );
    const served = ROUTES.map(({ method, path, permission, isLimited }) => {
      const needs = `Needs the permission \`${permission}\`.${isLimited === true ? ' Heeds a limit to matters.' : ''}`;
      return `${method} ${PREFIX}${path.replaceAll(/:(\w+)/g, '{$1}')} ${needs}`;
    });
    expect(documented.toSorted()).toEqual(served.toSorted());
  });

  it('leaves no route open', () => {
    expect(document.security).toEqual([{ token: [] }, { cookie: [] }]);
    const open = Object.values(document.paths).flatMap((methods) =>
      Object.values(methods).filter(({ security }) => security !== undefined),
    );
    expect(open).toEqual([]);
  });
});
