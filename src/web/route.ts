// SPDX-License-Identifier: AGPL-3.0-or-later
import { z } from 'zod';
import type { Deed } from '../access/act.ts';
import type { ExportDesk } from '../export/desk/export-desk.ts';
import type { ArchiveFiles } from '../export/files/archive-files.ts';
import type { HoldDesk } from '../matters/hold-desk.ts';
import type { QueryThreads } from '../search/query-threads.ts';
import type { Identity, SessionBook } from './authenticator.ts';
import type { Permission } from '../base/permission.ts';
import { wrongRequest } from './refusal.ts';

/** What routes answer from. */
export interface RouteParts {
  readonly index: QueryThreads;
  readonly files: ArchiveFiles;
  readonly exports: ExportDesk;
  readonly holds: HoldDesk;
  readonly sessions: SessionBook;
  /** The OpenAPI document of all routes. */
  readonly document: unknown;
  readonly version: string;
}

export interface AskedRange {
  readonly range: string | null;
  /** The tag that a part must be of, if it is to fit what the client has. */
  readonly ifRange: string | null;
}

/** Who asks, and until when. */
export interface Asking {
  readonly identity: Identity;
  /** The request's `Range` and `If-Range`, for answers of bytes. */
  readonly range: AskedRange;
  /** Aborts when the client has gone, or has waited long enough. */
  readonly signal: AbortSignal;
}

/**
 * An answer, and what is to be recorded of it. The server records the deeds, and only then sends anything; `nothing-shown` is for
 * answers that hold nothing of what was archived.
 */
export type Answer<Body> = { readonly deeds: readonly [Deed, ...Deed[]] | 'nothing-shown' } & (
  | { readonly body: Body }
  /** Done once the deeds are recorded, and not at all if they cannot be: what changes something. */
  | { readonly done: () => Promise<Body> }
  | {
      /** 200 if left out. */
      readonly status?: 206;
      readonly headers: Readonly<Record<string, string>>;
      readonly bytes: AsyncIterable<Uint8Array>;
      /** Where something is opened already: lets go of it, if nothing is sent. */
      readonly letGo?: () => Promise<unknown>;
    }
);

interface Forms<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, R extends z.ZodType> {
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  /** Form of the JSON answered; absent where bytes of a file are. */
  readonly answer?: R;
}

interface RouteSpec<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, R extends z.ZodType> {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Behind `/api/v1`; members as `:name`. */
  readonly path: string;
  readonly permission: Permission;
  /** True where the answer heeds `identity.matters`; whoever is limited to matters gets no other. */
  readonly isLimited?: true;
  readonly summary: string;
  /** Longest body that is taken; 64 KiB if left out. */
  readonly mostBytes?: number;
  readonly forms: Forms<P, Q, B, R>;
  readonly answer: (
    asked: { readonly params: z.output<P>; readonly query: z.output<Q>; readonly body: z.output<B> } & Asking,
    parts: RouteParts,
  ) => Promise<Answer<z.input<R>>>;
}

/** A route as the server and the document take it, whatever its forms. */
export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly permission: Permission;
  readonly isLimited?: true;
  readonly summary: string;
  readonly mostBytes?: number;
  readonly forms: Forms<z.ZodType, z.ZodType, z.ZodType, z.ZodType>;
  readonly answer: (raw: RawRequest, asking: Asking, parts: RouteParts) => Promise<Answer<unknown>>;
}

export interface RawRequest {
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
}

const NONE = z.strictObject({});

/** Throws `web/request` from the route for what does not have its form: nothing is guessed, and nothing unknown passed over. */
export function route<
  P extends z.ZodType = typeof NONE,
  Q extends z.ZodType = typeof NONE,
  B extends z.ZodType = z.ZodUndefined | z.ZodNull,
  R extends z.ZodType = z.ZodNever,
>(spec: RouteSpec<P, Q, B, R>): Route {
  const { forms, answer, ...head } = spec;
  return {
    ...head,
    forms,
    answer: (raw, asking, parts) => {
      const params = parsed<P>('path', forms.params, raw.params);
      const query = parsed<Q>('query', forms.query, raw.query);
      const body = forms.body === undefined ? undefined : parsed<B>('body', forms.body, raw.body);
      return answer({ params, query, body: body as z.output<B>, ...asking }, parts);
    },
  };
}

function parsed<F extends z.ZodType>(part: string, form: F | undefined, value: unknown): z.output<F> {
  const result = (form ?? NONE).safeParse(value ?? {});
  if (!result.success) throw wrongRequest(part, result.error);
  return result.data as z.output<F>;
}
