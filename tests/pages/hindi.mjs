// The payment window in Hindi.
import assert from "node:assert/strict";
import { isAccessible } from "./support/axe.mjs";
import { claim, fontsOf } from "./support/browser.mjs";
import { WINDOW, inEveryState } from "./support/window.mjs";

/** What is no word of a language: names, ids, and what the provider says in its own words. */
const NAMES = /PayTM|PhonePe|UPI|upi_\w+|INR|XXX|wallet_type/g;

async function isHindi(page, id, state) {
  assert.equal(await page.locator("html").getAttribute("lang"), "hi");
  const said = await page.evaluate(() => {
    const page = document.documentElement.cloneNode(true);
    page.querySelectorAll("[lang=en], script").forEach((element) => element.remove());
    const attributes = ["title", "aria-label", "alt", "placeholder"];
    const named = attributes.flatMap((name) => [...page.querySelectorAll(`[${name}]`)].map((element) => element.getAttribute(name)));
    return [page.textContent, ...named].join(" ");
  });
  assert.deepEqual(said.replaceAll(id, "").replace(NAMES, "").match(/[a-z]+/gi), null, `${state}: ${said}`);
  const session = await page.context().newCDPSession(page);
  await session.send("DOM.enable");
  await session.send("CSS.enable");
  const { root } = await session.send("DOM.getDocument");
  const { nodeId } = await session.send("DOM.querySelector", { nodeId: root.nodeId, selector: "h1" });
  const { fonts } = await session.send("CSS.getPlatformFontsForNode", { nodeId });
  const others = fonts.filter(({ familyName }) => !fontsOf("hi").includes(familyName)).reduce((sum, { glyphCount }) => sum + glyphCount, 0);
  const spaces = (await page.locator("h1").innerText()).replace(/[\u0900-\u097f\u200d]/g, "").length;
  assert.ok(others <= spaces, `${state}: ${JSON.stringify(fonts)}`); // a box for a missing letter is of another font
}

claim("the payment window in Hindi is so in every state, in a font that has its letters, and accessible", { ...WINDOW, statuses: [400] }, async (page) => {
  await inEveryState(page, "hi", async (id, state) => {
    await isHindi(page, id, state);
    await isAccessible(page, `window in Hindi, ${state}`);
  });
});
