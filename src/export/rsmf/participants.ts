// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Party } from '../../record/message.ts';
import { called } from '../../search/describe.ts';
import type { Named } from '../../search/index-db.ts';
import type { PersonId } from '../../search/line.ts';
import { plainLine } from '../../search/plain-text.ts';
import { customOf, type RsmfParticipant } from './manifest.ts';

const NOBODY = -1;

/** The people of one file, numbered as they come. Their names are those in force when they first come. */
export class Participants {
  readonly #app: string;
  readonly #custodianOf: (named: Named) => string | null;
  readonly #ids = new Map<PersonId, string>();
  readonly #list: { readonly participant: RsmfParticipant; readonly named: Named | null }[] = [];

  /** `custodianOf`: whose number or identifier it was then, by the agency's directory. */
  constructor(app: string, custodianOf: (named: Named) => string | null) {
    this.#app = app;
    this.#custodianOf = custodianOf;
  }

  idOf(named: Named | undefined): string {
    const key = named?.person ?? NOBODY;
    let id = this.#ids.get(key);
    if (id === undefined) {
      id = `P${this.#list.length + 1}`;
      this.#ids.set(key, id);
      const custodian = named === undefined ? null : this.#custodianOf(named);
      this.#list.push({ participant: participantOf(id, named, custodian), named: named ?? null });
    }
    return id;
  }

  /** Somebody whom a view names: one who is here already, where number or identifier say so. */
  idOfParty({ id, number = null, name = null }: Party): string {
    const known = this.#list.find(
      ({ named }) =>
        named !== null && ((id !== null && named.id === id) || (number !== null && named.number === number)),
    );
    if (known !== undefined) return known.participant.id;
    // Numbers below any that an index gives.
    return this.idOf({ person: NOBODY - 1 - this.#list.length, name, number, id });
  }

  get all(): readonly RsmfParticipant[] {
    return this.#list.map(({ participant }) => participant);
  }

  /** Names and addresses for the message's headers. Nobody has a mail address: what stands for one ends in `.invalid`. */
  get addresses(): { readonly name: string; readonly address: string }[] {
    return this.#list.map(({ participant, named }) => {
      const local = (named?.number ?? named?.id ?? participant.id).replaceAll(/[^A-Za-z0-9-]+/g, '').slice(0, 60);
      return {
        name: participant.display ?? participant.id,
        address: `${local === '' ? participant.id : local}@${this.#app}.invalid`,
      };
    });
  }
}

function participantOf(id: string, named: Named | undefined, custodian: string | null): RsmfParticipant {
  const shown = plainLine(called(named));
  const owner = plainLine(custodian ?? '');
  const display = owner === '' || owner === shown ? shown : `${shown} (${owner})`;
  const account = named?.number ?? named?.id ?? null;
  const custom = customOf({
    'identity.basis': basisOf(named, custodian),
    'identity.custodian': custodian,
    'identity.id': named?.id,
    'identity.number': named?.number,
  });
  return { id, display: display === '' ? id : display, ...(account === null ? {} : { account_id: account }), custom };
}

function basisOf(named: Named | undefined, custodian: string | null): string {
  if (custodian !== null) return 'the agency’s directory';
  return named?.name == null ? 'unresolved' : 'name given by the messenger';
}
