// Puts the official build of uWebSockets.js into node_modules, in the place of the packaged one. Only for the image's
// build, beside node_modules: `node engine.mjs v20.52.0`; an empty version keeps what npm installed. Ends with 1 unless the
// engine loads here.
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";

const version = process.argv[2] ?? "";

if (version !== "") await install(version);
const engine = await import("uWebSockets.js").catch(error => {
  if (version !== "") throw error;
  return import("uws-pack");
});
if (typeof (engine.App ?? engine.default?.App) !== "function") throw new Error("the engine has no App");
console.log(`uWebSockets.js ${version || "as npm has it"} runs on Node ${process.versions.node}`);

async function install(tag) {
  const url = `https://codeload.github.com/uNetworking/uWebSockets.js/tar.gz/refs/tags/${encodeURIComponent(tag)}`;
  const answer = await fetch(url).catch(error => ({ ok: false, status: String(error.cause?.code ?? error) }));
  if (!answer.ok) throw new Error(`${url}: ${answer.status}; --build-arg UWS= keeps the packaged build`);
  const folder = "node_modules/uWebSockets.js";
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync("engine.tar.gz", new Uint8Array(await answer.arrayBuffer()));
  execFileSync("tar", ["-xzf", "engine.tar.gz", "-C", folder, "--strip-components=1"]);
  // Binaries of other systems and versions are most of its size.
  const ours = `uws_${process.platform}_${process.arch}_${process.versions.modules}.node`;
  for (const file of readdirSync(folder)) if (file.endsWith(".node") && file !== ours) rmSync(`${folder}/${file}`);
}
