// The payment window, as a user and a shop see it.
import assert from "node:assert/strict";
import { OFFICE, SHOP_URL, claim, deposit, edited, merchant, order, picture, until } from "./support/browser.mjs";
import { WINDOW, pay, shownNumber } from "./support/window.mjs";

const toShop = (page) => page.getByRole("link", { name: "Back to the shop" });

claim("a user pays inside the shop's iframe and comes back", { viewport: { width: 700, height: 900 } }, async (page) => {
  const { id, link } = await order({ amount: 500, window: { success_url: `${SHOP_URL}/success?order=1` } });
  await page.goto(`${SHOP_URL}/?window=${encodeURIComponent(edited(link, { wallet_type: null }))}`);
  const window = page.frameLocator("iframe");
  const isCutOff = () => window.locator("html").evaluate((html) => html.scrollWidth > html.clientWidth);
  await window.getByRole("link", { name: "PayTM" }).click();
  await window.getByRole("heading", { name: "Pay", exact: true }).waitFor();
  assert.equal(await isCutOff(), false);
  await picture(page, "window in a frame");
  await pay(window);
  await toShop(window).waitFor();
  assert.equal(await isCutOff(), false);
  await toShop(window).click();
  await page.waitForURL(`${SHOP_URL}/success?order=1`);
  await deposit(id, ({ state, credited_sum }) => state === "credited" && credited_sum === "500");
});

const OUTCOMES = { success: 521, fail: 525, pending: 523 };
const ISSUED = { payment_url_success_id: 1, payment_url_fail_id: 2, payment_url_pending_id: 3 };

for (const [outcome, amount] of Object.entries(OUTCOMES)) {
  claim(`the user comes back to the shop's page for ${outcome}: by its id or by an address on this machine, by no other`, WINDOW, async (page) => {
    const { link } = await order({ amount, window: ISSUED });
    await page.goto(link);
    await pay(page);
    const result = page.url();
    await toShop(page).click();
    await page.waitForURL(`${SHOP_URL}/${outcome}`);
    const address = `${SHOP_URL}/order-1?how=${outcome}`;
    await page.goto(edited(result, { [`${outcome}_url`]: address }));
    await toShop(page).click();
    await page.waitForURL(address);
    await page.goto(edited(result, { [`${outcome}_url`]: "http://shop.example.com/", [`payment_url_${outcome}_id`]: null }));
    await page.getByText("The shop has named no page to go back to.").waitFor();
    assert.equal(await page.locator("[href^='http://shop']").count(), 0);
  });
}

claim("a wrong number is explained at its field, and the right one is then taken", WINDOW, async (page) => {
  const { id, link } = await order({ amount: 500 });
  await page.goto(link);
  await page.getByRole("button", { name: "Pay now" }).click();
  const shown = await shownNumber(page);
  const field = page.getByLabel("Transaction number", { exact: true });
  for (const wrong of ["123", `${shown}12`, "4775212351x", "४७७५२१२३५१९"]) {
    await field.fill(wrong);
    await page.getByRole("button", { name: "Confirm the payment" }).click();
    await page.getByRole("alert").waitFor();
    assert.equal(await field.getAttribute("aria-invalid"), "true");
    assert.equal(await field.inputValue(), wrong);
    const described = (await field.getAttribute("aria-describedby")).split(" ").map((id) => page.locator(`#${id}`).innerText());
    assert.deepEqual(await Promise.all(described), ["This is not a transaction number of this payment system.", "It has 11–12 digits."]);
    assert.equal(await page.title(), "This is not a transaction number of this payment system.");
    await field.focus();
    assert.ok(await field.evaluate((element) => element === document.activeElement));
  }
  await field.fill(shown);
  await page.getByRole("button", { name: "Confirm the payment" }).click();
  await page.getByRole("heading", { name: "The payment has arrived" }).waitFor();
  await deposit(id, ({ credited_sum }) => credited_sum === "500");
});

claim("an amount that is none is explained at its field", WINDOW, async (page) => {
  const { id, link } = await order();
  await page.goto(link);
  const field = page.getByLabel("Amount (INR)");
  for (const wrong of ["0", "-5", "five"]) {
    await field.fill(wrong);
    await page.getByRole("button", { name: "Pay now" }).click();
    await page.getByRole("alert").waitFor();
    assert.equal(await field.getAttribute("aria-invalid"), "true");
    assert.equal(await field.inputValue(), wrong);
  }
  await field.fill("700.10");
  await pay(page);
  await deposit(id, ({ credited_sum }) => credited_sum === "700.10");
});

claim("a payment for an edited label is held, and credits nobody", WINDOW, async (page) => {
  const { id, link } = await order({ amount: 500 });
  await page.goto(edited(link, { label: "thief" }));
  const number = await pay(page);
  const held = await until(
    async () => (await merchant("/transactions?state=quarantined")).body.transactions.find(({ transaction_id }) => transaction_id === number),
    Boolean,
  );
  assert.deepEqual([held.kind, held.mismatch], ["payment", "label"]);
  assert.equal((await merchant(`/deposits/${id}`)).body.credited_count, 0);
  await page.goto(`${OFFICE}/postbacks`);
  const row = page.getByRole("row", { name: `payment ${number}` });
  assert.equal(await row.getByRole("cell").last().innerText(), "200 delivered");
});

claim("an edited amount credits what was paid", WINDOW, async (page) => {
  const { id, link } = await order({ amount: 500 });
  await page.goto(edited(link, { fixed_amount: "5" }));
  await pay(page);
  const { amount } = await deposit(id, ({ credited_sum }) => credited_sum === "5");
  assert.equal(amount, "500");
});

claim("a user who has paid already enters the number at once", WINDOW, async (page) => {
  const { link } = await order({ amount: 500 });
  await page.goto(link);
  await page.getByRole("link", { name: "I have paid already" }).click();
  await page.getByLabel("Transaction number").fill("47752123519");
  await page.getByRole("button", { name: "Confirm the payment" }).click();
  await page.getByRole("heading", { name: "The payment is being checked" }).waitFor();
});
