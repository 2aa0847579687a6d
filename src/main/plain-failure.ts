// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Failure, FailureCode, FailureDetail } from '../base/failure.ts';

/** A failure as it goes from one thread to another: without its cause, which may be anything. */
export interface PlainFailure {
  readonly code: FailureCode;
  readonly detail: FailureDetail;
}

export function plainFailure({ code, detail }: Failure): PlainFailure {
  const { cause: _cause, ...plain } = detail;
  return { code, detail: plain };
}
