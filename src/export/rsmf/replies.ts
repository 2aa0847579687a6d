// SPDX-License-Identifier: AGPL-3.0-or-later
import type { MessageRef } from '../../record/message.ts';
import { lineKey, type Item } from '../item.ts';

/** Which message of a file an answer answers, by the messenger's own names. One that lies outside the file has its words in the answer. */
export class Replies {
  readonly #byName = new Map<string, string>();

  add(item: Item): void {
    for (const { view } of item.records) {
      if (view?.kind !== 'message' && view?.kind !== 'story') continue;
      const { id, sentAtMs, sender } = view;
      const author = { id: sender?.id ?? null, number: sender?.number ?? null };
      for (const name of namesOf({ author, sentAtMs, ...(id === undefined ? {} : { id }) })) {
        this.#byName.set(name, lineKey(item));
      }
    }
  }

  parentOf({ shown }: Item): string | null {
    const content = shown.line.versions.at(-1)?.content;
    const ref = content?.quote ?? content?.partOf ?? content?.storyReply;
    if (ref === undefined) return null;
    for (const name of namesOf(ref)) {
      const found = this.#byName.get(name);
      if (found !== undefined) return found;
    }
    return null;
  }
}

function namesOf({ author, sentAtMs, id }: MessageRef): string[] {
  const people = [author.id, author.number].filter((one) => typeof one === 'string');
  return people.flatMap((one) => [
    ...(id === undefined ? [] : [`id ${id} ${one}`]),
    ...(sentAtMs === null ? [] : [`at ${sentAtMs} ${one}`]),
  ]);
}
