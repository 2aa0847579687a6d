// SPDX-License-Identifier: AGPL-3.0-or-later
import type { FastifyInstance } from 'fastify';
import type { Identity } from '../authenticator.ts';
import { unauthenticated } from '../refusal.ts';
import { BACK_PATH, SIGN_ON_PATH, type SignOn } from './sign-on.ts';

/** The only ways in that need no permission: nothing that was archived is behind them. */
export const OPEN_PATHS: ReadonlySet<string> = new Set([SIGN_ON_PATH, BACK_PATH]);

/** Records that somebody signed on; rejects if that cannot be. */
export type Greeter = (identity: Identity) => Promise<void>;

const SIGNED_ON = '/api/v1/status';
/**
 * A page, and no redirection: a browser that comes from the provider's site sends the new cookie only with what this site's own page
 * asks for. Not in a sandbox, in which it would be no page of this site.
 */
const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="refresh" content="0; url=${SIGNED_ON}">
<title>Signed on</title>
<p>You are signed on. What you look at is recorded. <a href="${SIGNED_ON}">Go on</a></p>
</html>
`;
const PAGE_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

export function registerSignOn(server: FastifyInstance, signOn: SignOn, greet: Greeter): void {
  server.get(SIGN_ON_PATH, async (_request, reply) => {
    const { location, cookies } = await signOn.begin();
    return reply.header('set-cookie', [...cookies]).redirect(location, 302);
  });
  server.get(BACK_PATH, async (request, reply) => {
    const { search } = new URL(request.url, 'http://back');
    const found = await signOn.finish(search, request.headers.cookie);
    if (found === null) throw unauthenticated();
    await greet(found.identity);
    return reply
      .header('set-cookie', [...found.cookies])
      .header('content-security-policy', PAGE_POLICY)
      .type('text/html; charset=utf-8')
      .send(PAGE);
  });
}
