// Bundles src/ into src/fluxbase/web/static under names that hold a hash of the content, and writes
// manifest.json ({"app.js": "app-4F2K….js", …}) from which templates find them.
import { build } from "esbuild";
import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
const target = path.resolve(here, "../src/fluxbase/web/static");

await rm(target, { recursive: true, force: true });
await mkdir(target, { recursive: true });

const result = await build({
  absWorkingDir: here,
  entryPoints: {
    app: "src/app.ts",
    theme: "src/theme.ts",
    charts: "src/charts.ts",
    styles: "src/styles.css",
    icon: "src/icon.svg",
  },
  outdir: target,
  bundle: true,
  minify: true,
  format: "iife",
  target: ["es2022", "chrome110", "firefox115", "safari16.4"],
  entryNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  loader: { ".woff2": "copy", ".svg": "copy" },
  legalComments: "linked",
  metafile: true,
  logLevel: "warning",
});

const manifest = {};
for (const file of Object.keys(result.metafile.outputs)) {
  const name = path.basename(file);
  const logical = name.replace(/-[A-Z0-9]{8}(?=\.)/, "");
  if (!name.includes("LEGAL")) manifest[logical] = name;
}
await writeFile(path.join(target, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
