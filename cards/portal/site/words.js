// How facts are put in words, once for all pages.
import { brief, count, h, size } from "./dom.js";

export const VERDICTS = {
  open: ["open", "Open", "the data may be published for everyone"],
  gated: ["gated", "Gated", "the data may be published for readers who accept the terms"],
  recipe: ["recipe", "Own copy only", "the license lets nothing be published: a recipe says how to build it from your copy"],
  unknown: ["unknown", "Not verified", "the source's own license was not read, so nothing is published"],
};
export const USES = {
  commercial: "Commercial use allowed",
  research: "No commercial use",
  unsaid: "Commercial use not said",
  unverified: "Only a list states a license",
  none: "No license stated",
};
export const LOADABLE = {
  builder: "With medimg",
  collection: "Imaging Data Commons",
  "own copy only": "From your own copy",
  "not yet": "Not yet",
};
export const HOW = {
  builder: "loads with medimg",
  collection: "streams from the Imaging Data Commons",
  "own copy only": "loads from your own copy",
  "not yet": "no builder yet",
};
export const ACCESS = { open: "Open download", registration: "Registration", application: "Application", unavailable: "Unavailable" };
export const STANDS = { source: "the source", list: "a list", mirror: "somebody who uploaded it again" };
export const KINDS = { modality: "Modality", organ: "Organ", task: "Task", dimension: "Dimension" };
export const DIMENSIONS = { "2d": "2-D images", "3d": "3-D volumes", video: "Video" };

/** What the license lets be done, as a key of USES. Only what the source says counts. */
export function use(entry) {
  if (!entry.license) return "none";
  if (entry.license_by !== "source") return "unverified";
  return entry.commercial === null ? "unsaid" : entry.commercial ? "commercial" : "research";
}

/** The license's name without the prefix that SPDX asks for. */
export const licenseName = (id) => id.replace(/^LicenseRef-/, "");

/** Verdict as a mark and a word. */
export function verdict(entry) {
  const [kind, word, says] = VERDICTS[entry.verdict] ?? VERDICTS.unknown;
  return h(`span.verdict.is-${kind}`, { title: says }, word);
}

/** "131 volumes", or null where nobody says. */
export const amount = (entry) => (entry.count === null ? null : `${brief(entry.count)} ${entry.count === 1 ? entry.unit.replace(/s$/, "").replace(/serie$/, "series") : entry.unit}`);
export const subjects = (entry) => (entry.subjects === null ? null : `${brief(entry.subjects)} subject${entry.subjects === 1 ? "" : "s"}`);
export const bytes = (entry) => (entry.bytes === null ? null : size(entry.bytes));
export { count };
