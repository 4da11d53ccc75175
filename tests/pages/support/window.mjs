// The payment window: how a user pays in it, and all its states.
import { edited, order } from "./browser.mjs";

export const WINDOW = { viewport: { width: 640, height: 750 } };

/** The number that the wallet shows after a payment. */
export const shownNumber = (page) => page.locator("section.card dd.number").last().innerText();

/** Pays in the window that is open, in any language, and enters the number that the wallet shows. Gives it. */
export async function pay(page, { arrival } = {}) {
  if (arrival) await page.getByLabel(arrival).check();
  await page.locator("button.primary").click();
  const number = await shownNumber(page);
  await page.locator("#entered").fill(number);
  await page.locator("button.primary").click();
  await page.locator(".outcome").waitFor();
  return number;
}

const SHOP = { success_url: "http://localhost:8080/", fail_url: "http://localhost:8080/" };

/** Opens the window in each of its states, and calls `check` with the order's id and the state's name. */
export async function inEveryState(page, lang, check) {
  const { id, link } = await order({ amount: 500, lang });
  const visit = async (state, parameters) => {
    await page.goto(edited(link, parameters));
    await check(id, state);
  };
  await visit("wallets", { wallet_type: null });
  await visit("no wallet", { wallet_type: null, currency_code: "XXX" });
  await visit("bad link", { wallet_type: "?" });
  await visit("pay", {});
  await visit("test amount", { fixed_amount: "521" });
  await visit("any amount", { fixed_amount: null });
  await page.locator("#amount").fill("0");
  await page.locator("button.primary").click();
  await page.locator("#amount-error").waitFor();
  await check(id, "wrong amount");
  await page.locator("#amount").fill("500");
  await page.locator("button.primary").click();
  await page.locator("#entered").waitFor();
  await check(id, "number");
  await page.locator("#entered").fill("1");
  await page.locator("button.primary").click();
  await page.locator("#entered-error").waitFor();
  await check(id, "wrong number");
  for (const [outcome, fixed_amount] of Object.entries({ success: "521", pending: "523", fail: "525", possible: "527" })) {
    await page.goto(edited(link, { fixed_amount, ...SHOP }));
    await pay(page);
    await check(id, outcome);
  }
}
