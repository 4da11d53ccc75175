// Faults that are ordered in the back office.
import assert from "node:assert/strict";
import { OFFICE, claim, until, withdraw, withdrawalState } from "./support/browser.mjs";

claim("every fault of the form can be ordered, and all are removed", {}, async (page) => {
  await page.goto(`${OFFICE}/faults`);
  const kinds = await page.getByLabel("Fault", { exact: true }).locator("option").allInnerTexts();
  assert.ok(kinds.length >= 15, `${kinds}`);
  for (const kind of kinds) {
    await page.getByLabel("Fault", { exact: true }).selectOption(kind);
    await page.getByRole("button", { name: "Order" }).click();
    await page.getByRole("region", { name: "Faults that wait" }).getByText(kind).first().waitFor();
  }
  await page.getByRole("button", { name: "Remove all faults" }).click();
  await page.getByText("No fault waits: the next calls go well.").waitFor();
});

claim("a fault of the form happens to the next call, and its effect is as ordered", {}, async (page) => {
  await page.goto(`${OFFICE}/faults`);
  await page.getByLabel("Fault", { exact: true }).selectOption("status");
  await page.getByLabel("Has its effect").selectOption("yes");
  await page.getByLabel("code").fill("502");
  await page.getByLabel("ms", { exact: true }).fill("0");
  await page.getByRole("button", { name: "Order" }).click();
  await page.getByRole("region", { name: "Faults that wait" }).waitFor();
  const { id, answer } = await withdraw(300);
  assert.deepEqual([answer.status, await withdrawalState(id)], [202, "unknown"]);
  await page.goto(`${OFFICE}/calls`);
  await page.getByRole("row", { name: id }).getByText("fault: ").waitFor();
  await page.goto(`${OFFICE}/withdrawals`);
  await page.getByRole("button", { name: `Approve ${id}` }).click();
  await until(() => withdrawalState(id), (state) => state === "paid");
});

claim("a value that a fault does not take is explained", { statuses: [400] }, async (page) => {
  await page.goto(`${OFFICE}/faults`);
  await page.getByLabel("Times").fill("often");
  await page.getByRole("button", { name: "Order" }).click();
  await page.getByRole("alert").waitFor();
  await page.getByRole("link", { name: "Go back" }).click();
  await page.getByText("No fault waits").waitFor();
});
