// SPDX-License-Identifier: AGPL-3.0-or-later
import type { z } from 'zod';
import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiPathsObject } from 'zod-openapi';
import { PROOF_HEADER } from './authenticator.ts';
import type { Route } from './route.ts';

export const PREFIX = '/api/v1';

/** The OpenAPI document, from the forms that check what is asked. */
export function documentOf(routes: readonly Route[], version: string): object {
  const paths: Record<string, Record<string, ZodOpenApiOperationObject>> = {};
  for (const one of routes) {
    const path = PREFIX + one.path.replaceAll(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [one.method.toLowerCase()]: operationOf(one) };
  }
  return createDocument({
    openapi: '3.1.0',
    info: {
      title: 'Holdfast reader',
      version,
      description:
        'What the archive holds, for whoever may read it. Every look is recorded in the log before it is answered. Every answer says up to which checkpoint it is complete.',
    },
    paths: paths as ZodOpenApiPathsObject,
    components: {
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'The token of a one-user reader, or an access token.' },
        cookie: {
          type: 'apiKey',
          in: 'cookie',
          name: '__Host-holdfast-session',
          description: `Given by /sign-on. Whatever is not GET also carries \`proof\` of /status as \`${PROOF_HEADER}\`.`,
        },
      },
    },
    security: [{ token: [] }, { cookie: [] }],
  });
}

/** Said of routes that those may ask who see some matters only. */
const HEEDS = ' Heeds a limit to matters.';

function operationOf({ summary, permission, isLimited, forms, method, path }: Route): ZodOpenApiOperationObject {
  const { params, query, body, answer } = forms;
  const content =
    answer === undefined
      ? { 'application/octet-stream': { schema: { type: 'string' as const, format: 'binary' } } }
      : { 'application/json': { schema: answer } };
  const refusal = (description: string): object => ({
    description,
    content: {
      'application/json': {
        schema: {
          type: 'object' as const,
          properties: { error: { type: 'object' as const, properties: { code: { type: 'string' as const } } } },
        },
      },
    },
  });
  return {
    operationId: `${method.toLowerCase()}${path.replaceAll(/[^A-Za-z]+(\w?)/g, (_all, next: string) => next.toUpperCase())}`,
    summary,
    description: `Needs the permission \`${permission}\`.${isLimited === true ? HEEDS : ''}`,
    requestParams: {
      ...(params === undefined ? {} : { path: params as z.ZodObject }),
      ...(query === undefined ? {} : { query: query as z.ZodObject }),
    },
    ...(body === undefined ? {} : { requestBody: { content: { 'application/json': { schema: body } } } }),
    responses: {
      '200': { description: 'The answer', content },
      '400': refusal('The request is not what this document says; the member is named'),
      '401': refusal('Nobody known asks'),
      '403': refusal('Whoever asks may not, asks from another site, or by a cookie without its proof'),
      '404': refusal('There is no such thing'),
      '503': refusal('Not now: the record of the look cannot be written, or too much is asked at once'),
    } as ZodOpenApiOperationObject['responses'],
  };
}
