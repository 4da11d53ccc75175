// Everything without JavaScript.
import assert from "node:assert/strict";
import { OFFICE, claim, control, deposit, edited, order, until, withdraw, withdrawalState } from "./support/browser.mjs";
import { pay } from "./support/window.mjs";

const WITHOUT = { javaScriptEnabled: false };

claim("a user pays without JavaScript", WITHOUT, async (page) => {
  const { id, link } = await order({ amount: 500 });
  await page.goto(edited(link, { wallet_type: null }));
  await page.getByRole("link", { name: "PayTM" }).click();
  await pay(page);
  await page.getByRole("heading", { name: "The payment has arrived" }).waitFor();
  await deposit(id, ({ credited_sum }) => credited_sum === "500");
});

claim("a pending payment is checked again without JavaScript", WITHOUT, async (page) => {
  const { link } = await order({ amount: 500 });
  await page.goto(link);
  const number = await pay(page, { arrival: "Never" });
  await page.getByRole("heading", { name: "The payment is being checked" }).waitFor();
  await control("payments", { transaction_id: number, amount: "500" });
  await page.getByRole("link", { name: "Check again" }).click();
  await page.getByRole("heading", { name: "The payment has arrived" }).waitFor();
});

claim("a withdrawal is approved without JavaScript", WITHOUT, async (page) => {
  const { id } = await withdraw(300);
  await page.goto(`${OFFICE}/withdrawals`);
  await page.getByRole("button", { name: `Approve ${id}` }).click();
  await page.getByRole("row", { name: id }).locator(".good", { hasText: "1 success" }).waitFor();
  await until(() => withdrawalState(id), (state) => state === "paid");
});

claim("faults are ordered and removed without JavaScript", WITHOUT, async (page) => {
  await page.goto(`${OFFICE}/faults`);
  await page.getByRole("button", { name: "Order" }).click();
  await page.getByRole("button", { name: "Remove all faults" }).click();
  await page.getByText("No fault waits").waitFor();
});

claim("settings are saved without JavaScript", WITHOUT, async (page) => {
  const { body: before } = await control("settings");
  await page.goto(`${OFFICE}/settings`);
  await page.getByLabel("How long a late payment takes").fill("1500");
  await page.getByRole("button", { name: "Save" }).click();
  await page.waitForURL(`${OFFICE}/settings`);
  assert.equal(await page.getByLabel("How long a late payment takes").inputValue(), "1500");
  const { body: saved } = await control("settings", { late_ms: before.late_ms });
  assert.deepEqual(saved, before);
});
