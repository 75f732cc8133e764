// Port of medimg/licenses.py: what each license allows, and the terms of a set of works.

import { compare, sorted } from "./python.js";

const RANKS = ["open", "gated", "recipe"];
const STRICT = new Map([[true, 0], [null, 1], [false, 2]]);

const called = (name, license) => (name === license.id ? name : `${name} (${license.id})`);

export class Licenses {
  /**
   * @param table id -> license
   * @param terms that a selection may ask for, beside ids
   */
  constructor(table, terms) {
    this.terms = terms;
    this.table = new Map(Object.entries(table).map(([id, license]) => [id, { id, ...license }]));
  }

  has(id) {
    return this.table.has(id);
  }

  get(id) {
    return this.table.get(id);
  }

  /** Whether a license meets all the terms asked for; what is not known is not met. */
  allowed(id, asked) {
    const ids = asked.filter((term) => !this.terms.includes(term));
    const { meets } = this.get(id);
    return asked.every((term) => meets.includes(term) || ids.includes(term)) && (!ids.length || ids.includes(id));
  }

  /** The terms of a set of works, joined into one adapted work: member -> license id. */
  combine(ids) {
    const members = new Map(sorted(Object.keys(ids)).map((name) => [name, this.get(ids[name])]));
    const licenses = [...members.values()];
    const conflicts = this.#conflicts(members);
    const partner = shareAlike(licenses);
    const strictest = licenses.reduce((one, other) => (stricter(other, one, partner) > 0 ? other : one));
    return {
      members: { ...ids },
      adapt: every(licenses.map((license) => license.adapt)),
      commercial: every(licenses.map((license) => license.commercial)),
      share_alike: partner,
      attribution: licenses.some((license) => license.attribution),
      publish: conflicts.length
        ? "recipe"
        : RANKS[Math.max(...licenses.map((license) => RANKS.indexOf(license.publish)))],
      strictest: strictest.id,
      reasons: reasons(members, partner, conflicts),
    };
  }

  #conflicts(members) {
    const found = [];
    const names = [...members.keys()];
    names.forEach((first, at) => {
      for (const second of names.slice(at + 1)) {
        const [one, other] = [members.get(first), members.get(second)];
        const problem = clash(one, other) ?? clash(other, one);
        if (problem) found.push({ members: [first, second], problem });
      }
    });
    for (const [name, license] of members) {
      const problem = license.per_row
        ? "its rows have licenses of their own: combine those instead of the dataset's"
        : license.publish === "recipe"
          ? "its license does not let the data be passed on, only the recipe"
          : license.adapt === false
            ? "no-derivatives data cannot be part of an adapted set"
            : license.adapt === null
              ? "its license does not say whether adapted copies may be passed on"
              : null;
      if (problem) found.push({ members: [name], problem });
    }
    return found;
  }
}

/** Why a share-alike license and another one cannot meet in one adapted work; null where they can. */
function clash(one, other) {
  if (!one.share_alike) return null;
  if (other.share_alike) {
    return family(one.id) === family(other.id)
      ? null
      : "two different share-alike licenses, and an adapted work can carry only one";
  }
  if (other.adapt === false) return "share-alike asks for an adaptable result, no-derivatives forbids it";
  if (other.per_row) return null;
  if (one.commercial && !other.commercial) {
    return `${one.id} lets nobody add a restriction, and ${other.id} does not allow commercial use`;
  }
  return other.gate ? `${one.id} lets nobody add terms, and ${other.id} has terms to accept` : null;
}

function family(id) {
  const stated = /^(CC-[A-Z-]+)-\d\.\d$/.exec(id);
  return stated ? `${stated[1]} stated` : id;
}

function shareAlike(licenses) {
  const ids = sorted(new Set(licenses.filter((license) => license.share_alike).map((license) => license.id)));
  if (!ids.length) return null;
  return new Set(ids.map(family)).size === 1 ? ids.at(-1) : ids[0];
}

function every(values) {
  return values.includes(false) ? false : values.includes(null) ? null : true;
}

function stricter(one, other, partner) {
  const order = (license) => [
    RANKS.indexOf(license.publish), STRICT.get(license.adapt), STRICT.get(license.commercial),
    Number(license.share_alike), Number(license.attribution), Number(license.id === partner),
  ];
  const [a, b] = [order(one), order(other)];
  const at = a.findIndex((value, place) => value !== b[place]);
  return at < 0 ? compare(one.id, other.id) : a[at] - b[at];
}

function reasons(members, partner, conflicts) {
  const those = (test, value) =>
    [...members].filter(([, license]) => license[test] === value).map(([name, license]) => called(name, license)).join(", ");
  const found = conflicts.map(
    (conflict) =>
      `not to be passed on: ${conflict.members.map((name) => called(name, members.get(name))).join(" and ")}: ${conflict.problem}`,
  );
  const restricted = those("commercial", false);
  if (restricted) {
    found.push(
      `non-commercial: the narrower terms of ${restricted} hold for the set as a whole; ` +
        "members that allow commercial use allow it outside the set",
    );
  }
  const unsure = those("commercial", null);
  if (unsure) found.push(`commercial use not known: ${unsure}`);
  if (partner) {
    found.push(`share-alike: adapted copies must carry ${partner}, asked for by ${those("share_alike", true)}`);
  }
  const fixed = those("adapt", false);
  if (fixed) found.push(`no derivatives: ${fixed} may be passed on unchanged only, at most in another format`);
  const gated = those("gate", true);
  if (gated) found.push(`gated: readers accept the terms of ${gated}`);
  const rows = those("per_row", true);
  if (rows) {
    found.push(`per row: the rows of ${rows} state their own licenses, and rows without one are not passed on`);
  }
  const credited = those("attribution", true);
  if (credited) found.push(`attribution: name ${credited}`);
  return found;
}
