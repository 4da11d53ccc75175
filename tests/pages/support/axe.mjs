// Whether a page is accessible.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { picture } from "./browser.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"];
const COLOURS = ["color-contrast", "link-in-text-block"];

async function violations(page, runOnly) {
  const rules = { "target-size": { enabled: true } }; // axe leaves it out unless it is asked for
  const { violations } = await page.evaluate((options) => globalThis.axe.run(options), { runOnly, rules });
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html)}`);
}

/** Checks the page that is open by WCAG 2.0, 2.1 and 2.2, A and AA, in light and dark, and at 320 px; and saves how it looks. */
export async function isAccessible(page, name) {
  await page.evaluate(AXE);
  assert.deepEqual(await violations(page, TAGS), [], name);
  await picture(page, name);
  await page.emulateMedia({ colorScheme: "dark" });
  assert.deepEqual(await violations(page, COLOURS), [], `${name}, dark`);
  await page.emulateMedia({ colorScheme: "light" });
  const { width, height } = page.viewportSize();
  await page.setViewportSize({ width: 320, height });
  const sideways = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(sideways, 0, `${name} scrolls sideways at 320 px`);
  assert.deepEqual(await violations(page, ["target-size"]), [], `${name}, 320 px`);
  await page.setViewportSize({ width, height });
}
