// Settings that are changed in the back office.
import assert from "node:assert/strict";
import { OFFICE, claim, control, order, withdraw, withdrawalState } from "./support/browser.mjs";
import { pay } from "./support/window.mjs";

claim("a retry schedule is saved, and one that is too short is explained", { statuses: [400] }, async (page) => {
  const { body: before } = await control("settings");
  await page.goto(`${OFFICE}/settings`);
  await page.getByLabel("Retry schedule").fill("100, 200, 60000");
  await page.getByRole("button", { name: "Save" }).click();
  await page.waitForURL(`${OFFICE}/settings`);
  assert.equal(await page.getByLabel("Retry schedule").inputValue(), "100, 200, 60000");
  assert.deepEqual((await control("settings")).body.repeat_after_ms, [100, 200, 60000]);
  await page.getByLabel("Retry schedule").fill("1");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("alert").getByText("at least 10").waitFor();
  assert.deepEqual((await control("settings", before)).body, before);
});

claim("test amounts are switched off", {}, async (page) => {
  await page.goto(`${OFFICE}/settings`);
  await page.getByLabel("Amounts with certain last digits decide").uncheck();
  await page.getByRole("button", { name: "Save" }).click();
  try {
    await page.goto(OFFICE);
    await page.getByText("They are off.").waitFor();
    const { link } = await order({ amount: 521 });
    await page.goto(link);
    await pay(page, { arrival: "Never" });
    await page.getByRole("heading", { name: "The payment is being checked" }).waitFor();
    const { id } = await withdraw(316);
    assert.equal(await withdrawalState(id), "submitted");
  } finally {
    await control("settings", { test_amounts: true });
  }
});
