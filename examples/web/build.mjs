// node build.mjs MODEL.onnx [FOLDER]: everything that a web server has to hand out, in one folder.
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const [model = "birds.onnx", site = join(here, "site")] = process.argv.slice(2);
const library = join(here, "node_modules", "onnxruntime-web", "dist");
for (const [path, hint] of [
  [model, "make it: t2i-export --bundle birds --single-file --attention"],
  [library, "get it: npm install"],
]) {
  if (!existsSync(path)) {
    console.error(`error: there is no ${path}\n hint: ${hint}`);
    process.exit(1);
  }
}

rmSync(site, { recursive: true, force: true });
mkdirSync(join(site, "ort"), { recursive: true });
cpSync(join(here, "..", "..", "runtime", "page"), site, { recursive: true });
for (const name of ["painter.mjs", "drawing.mjs"]) cpSync(join(here, name), join(site, name));
cpSync(model, join(site, "model.onnx"));
const parts = ["", ".asyncify"].flatMap((kind) => [`${kind}.mjs`, `${kind}.wasm`]);
const files = ["ort.wasm.min.mjs", "ort.webgpu.min.mjs"];
for (const name of [...files, ...parts.map((part) => `ort-wasm-simd-threaded${part}`)])
  cpSync(join(library, name), join(site, "ort", name));

const names = readdirSync(site, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(site.length + 1))
  .sort();
const hash = createHash("sha256");
for (const name of names) hash.update(readFileSync(join(site, name)));
// Machines without WebGPU never need its half, which is the larger one.
const common = names.filter((name) => !/webgpu|asyncify/.test(name));
const kept = ["./", ...common.map((name) => name.replaceAll("\\", "/"))];
const worker = readFileSync(join(here, "offline.js"), "utf8")
  .replace("t2i-BUILD", `t2i-${hash.digest("hex").slice(0, 12)}`)
  .replace("FILES = []", `FILES = ${JSON.stringify(kept)}`);
writeFileSync(join(site, "offline.js"), worker);
console.log(`wrote ${site}\nnext: python3 -m http.server --bind 127.0.0.1 --directory ${site}`);
