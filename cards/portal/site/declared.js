// Port of `DeclaredMember` in medimg/fusion/select.py: a member by its declaration alone.

import { partition, sorted } from "./python.js";
import { splitFused } from "./request.js";

const WHOLE_BODY = ["multiple organs", "whole body"];

/** One sub-collection of one dataset, with what its declaration says of rows of these modalities (none: all). */
export class DeclaredMember {
  constructor(facts, dataset, config, modality) {
    Object.assign(this, { dataset, config });
    this.key = dataset.apart ? `${dataset.name}/${config.name}` : dataset.name;
    this.labels = Object.entries(dataset.labels).filter(
      ([label]) => !dataset.configs.some((each) => each !== config && each.name === partition(label, "/")[0]),
    );
    this.parts = this.#parts(facts, modality);
    this.outlined = new Set(this.parts.flatMap((part) => [...part.outlined]));
    this.named = new Set(this.parts.flatMap((part) => [...part.named].filter((name) => !this.outlined.has(name))));
    this.undeclared = dataset.undeclared;
    this.hinted = new Set(this.undeclared ? config.organ.filter((organ) => !WHOLE_BODY.includes(organ)) : []);
  }

  #parts(facts, asked) {
    const found = new Map();
    const every = this.labels.flatMap(([, names]) => names);
    for (const modality of this.config.modality) {
      if (asked.length && !facts.kindOf(modality, asked, facts.vocabularies.modality)) continue;
      for (const [number, names] of this.config.said[modality]) {
        const legend = this.dataset.legends[number];
        const outlined = new Set(legend.flatMap(([, each]) => each));
        const named = new Set((names ?? every).filter((name) => !outlined.has(name)));
        const key = JSON.stringify([legend, sorted(named)]);
        const old = found.get(key)?.modality ?? [];
        found.set(key, { modality: [...old, modality], legend, outlined, named });
      }
    }
    return [...found.values()];
  }

  get rows() {
    return this.config.splits.reduce((sum, [, count]) => sum + count, 0);
  }

  /** The source's names of the wanted splits, in the declared order. */
  splits(wanted) {
    return this.config.splits.map(([split]) => split)
      .filter((split) => !wanted.length || wanted.includes(splitFused(split)));
  }
}
