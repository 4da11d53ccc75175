// Pages that show by themselves what has changed.
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { OFFICE, claim, control, newNumber, order } from "./support/browser.mjs";
import { pay } from "./support/window.mjs";

claim("a page shows a new payment by itself, but not while somebody types", {}, async (page) => {
  await page.goto(`${OFFICE}/payments`);
  const [first, second] = [newNumber(), newNumber()];
  await control("payments", { transaction_id: first, amount: "500" });
  await page.getByRole("cell", { name: first }).waitFor();
  await page.getByLabel("Amount", { exact: true }).fill("12");
  await control("payments", { transaction_id: second, amount: "500" });
  await sleep(1500);
  assert.equal(await page.getByRole("cell", { name: second }).count(), 0);
  assert.equal(await page.getByLabel("Amount", { exact: true }).inputValue(), "12");
  await page.reload();
  await page.getByRole("cell", { name: second }).waitFor();
});

claim("a page shows what has changed before it could listen", {}, async (page) => {
  const number = newNumber();
  await page.route("**/live", async (route) => {
    await control("payments", { transaction_id: number, amount: "500" });
    await route.continue();
  });
  await page.goto(`${OFFICE}/payments`);
  await page.getByRole("cell", { name: number }).waitFor();
});

claim("the answer to a form stays when something changes", { statuses: [400] }, async (page) => {
  const stays = async (said) => {
    await said.waitFor();
    await control("payments", { transaction_id: newNumber(), amount: "500" });
    await sleep(1500);
    assert.ok(await said.isVisible());
  };
  await page.goto(`${OFFICE}/signatures`);
  await page.getByLabel("The request's body").fill('{"signature":"0"}');
  await page.getByRole("button", { name: "Show the steps" }).last().click();
  await stays(page.getByText("The body has another signature: "));
  await page.goto(`${OFFICE}/payments`);
  await page.getByLabel("Amount", { exact: true }).fill("many");
  await page.getByRole("button", { name: "Pay", exact: true }).click();
  await stays(page.getByRole("alert"));
});

claim("a pending result becomes a success by itself, and so does the page's title", {}, async (page) => {
  const { link } = await order({ amount: 500 });
  await page.goto(link);
  const number = await pay(page, { arrival: "Never" });
  await page.getByRole("heading", { name: "The payment is being checked" }).waitFor();
  await control("payments", { transaction_id: number, amount: "500" });
  await page.getByRole("heading", { name: "The payment has arrived" }).waitFor();
  assert.equal(await page.title(), "The payment has arrived");
  assert.equal(await page.locator("main").getAttribute("aria-live"), "polite");
});
