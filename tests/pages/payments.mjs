// Payments that are made in the back office, and its export.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { OFFICE, claim, control, merchant, newId, newNumber, order, until, withdraw } from "./support/browser.mjs";

claim("a user pays from the back office, for a number that was entered before", {}, async (page) => {
  const { id } = await order({ amount: 500 });
  const key1 = newNumber();
  const activation = await merchant(`/deposits/${id}/activation`, { key1, amount: 500 });
  assert.equal(activation.body.state, "pending", activation.text);
  await page.goto(`${OFFICE}/payments`);
  await page.getByLabel(`Amount for ${key1}`).fill("500");
  await page.getByRole("button", { name: `Pay ${key1}` }).click();
  await page.getByRole("row", { name: key1 }).getByText("credited").waitFor();
  await until(async () => (await merchant(`/deposits/${id}`)).body.credited_sum, (sum) => sum === "500");
});

claim("a form that cannot be handled is explained, and changes nothing", { statuses: [400] }, async (page) => {
  const label = newId("user");
  await page.goto(`${OFFICE}/payments`);
  await page.getByLabel("Amount", { exact: true }).fill("500");
  await page.getByLabel("Label").fill(label);
  await page.getByRole("button", { name: "Pay", exact: true }).click();
  await page.getByRole("alert").getByText("Give the order and the label together").waitFor();
  await page.getByRole("link", { name: "Go back" }).click();
  assert.equal(await page.getByText(label).count(), 0);
});

claim("the export is downloaded, with what was paid and what was asked for", {}, async (page) => {
  const [number, { id }] = [newNumber(), await withdraw(300)];
  await control("payments", { transaction_id: number, amount: "500.50" });
  await page.goto(OFFICE);
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "export.csv" }).click()]);
  assert.equal(download.suggestedFilename(), "export.csv");
  const lines = (await readFile(await download.path(), "utf8")).trim().split("\n");
  assert.equal(lines[0], "Type,Transaction ID,Withdrawal ID,Amount,Currency,Status,Wallet,Created by");
  assert.ok(lines.includes(`Deposit,${number},,500.50,INR,Pending,paytm,`));
  assert.ok(lines.includes(`Withdrawal,,${id},300,INR,Pending,paytm,API`));
});
