// Puts the volume viewer where the portal looks for it: vendor/niivue.js, with the licenses of all that is in it.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const modules = join(here, "node_modules");
const vendor = join(here, "vendor");

// Packages that hold no text of their license, as their repositories have it.
const BSD_2 = `Redistribution and use in source and binary forms, with or without modification, are permitted provided that the
following conditions are met:

1. Redistributions of source code must retain the above copyright notice, this list of conditions and the following
   disclaimer.

2. Redistributions in binary form must reproduce the above copyright notice, this list of conditions and the following
   disclaimer in the documentation and/or other materials provided with the distribution.

THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND ANY EXPRESS OR IMPLIED WARRANTIES,
INCLUDING, BUT NOT LIMITED TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE
DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR CONTRIBUTORS BE LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL,
SPECIAL, EXEMPLARY, OR CONSEQUENTIAL DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR
SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF LIABILITY,
WHETHER IN CONTRACT, STRICT LIABILITY, OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE
OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.`;
const NOTICES = { "@niivue/niivue": `BSD 2-Clause License\n\nCopyright (c) 2021, Niivue\nAll rights reserved.\n\n${BSD_2}` };

/** A package and all that it needs, by name. */
function needed(name, found = new Map()) {
  const folder = join(modules, name);
  if (found.has(name) || !existsSync(join(folder, "package.json"))) return found;
  const about = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  found.set(name, { ...about, folder });
  for (const each of Object.keys(about.dependencies ?? {})) needed(each, found);
  return found;
}

const packages = [...needed("@niivue/niivue").values()].sort((one, other) => one.name.localeCompare(other.name, "en"));
const notices = packages.map(({ name, version, license, repository, homepage, folder }) => {
  const file = readdirSync(folder).find((each) => /^(licen[cs]e|copying)/i.test(each));
  const where = typeof repository === "string" ? repository : (repository?.url ?? homepage ?? "");
  const text = file ? readFileSync(join(folder, file), "utf8").trim() : NOTICES[name];
  if (!text) throw new Error(`${name} ${version}: its package holds no text of its license; put it into NOTICES`);
  return `${name} ${version}\n${license ?? ""}\n${where}\n\n${text}\n`;
});
mkdirSync(vendor, { recursive: true });
// The package carries its bundle as a text in a module.
const { esm } = await import("@niivue/niivue/min");
writeFileSync(join(vendor, "niivue.js"), decodeURIComponent(esm));
writeFileSync(join(vendor, "niivue-licenses.txt"), `niivue.js holds these packages, each under its own license.\n\n${notices.join(`\n${"-".repeat(72)}\n\n`)}`);
console.log(`vendor/niivue.js: ${packages.map(({ name, version }) => `${name} ${version}`).join(", ")}`);
