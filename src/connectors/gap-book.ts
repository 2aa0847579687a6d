// SPDX-License-Identifier: AGPL-3.0-or-later
import type { GapCause } from '../record/vocabulary.ts';
import type { AccountSink, OpenGap } from './connector.ts';

/** The account's open gaps, by what is missing. The spool's table is the truth; this is read again after each change. */
export class GapBook {
  readonly #sink: AccountSink;
  #all: readonly OpenGap[] = [];
  #byTag = new Map<string, OpenGap[]>();

  constructor(sink: AccountSink) {
    this.#sink = sink;
    this.refresh();
  }

  refresh(): void {
    this.#all = this.#sink.openGaps();
    this.#byTag = Map.groupBy(
      this.#all.filter(({ tag }) => tag !== null),
      ({ tag }) => tag as string,
    );
  }

  ofTag(tag: string): readonly OpenGap[] {
    return this.#byTag.get(tag) ?? [];
  }

  ofCause(cause: GapCause): readonly OpenGap[] {
    return this.#all.filter((gap) => gap.cause === cause);
  }

  /** The account's gap of this cause, where there is one at a time. */
  find(cause: GapCause): OpenGap | undefined {
    return this.#all.find((gap) => gap.cause === cause && gap.scope === 'account');
  }
}
