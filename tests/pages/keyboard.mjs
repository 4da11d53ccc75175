// Nothing but the keyboard.
import assert from "node:assert/strict";
import { OFFICE, claim, deposit, order, until, withdraw, withdrawalState } from "./support/browser.mjs";
import { shownNumber } from "./support/window.mjs";

/** What has the focus: its name, and whether one sees that it has it. */
const focused = (page) =>
  page.evaluate(() => {
    const element = document.activeElement;
    const { outlineStyle, outlineWidth } = getComputedStyle(element);
    const { left, top, right, bottom } = element.getBoundingClientRect();
    const label = element.getAttribute("aria-label") ?? element.labels?.[0]?.innerText ?? element.innerText;
    const isInside = right > 0 && bottom > 0 && left < innerWidth && top < innerHeight;
    return { name: label.trim(), isVisible: outlineStyle === "solid" && parseFloat(outlineWidth) >= 2 && isInside };
  });

/** Presses Tab until the element with a name has the focus. */
async function tabTo(page, name) {
  const passed = [];
  for (let count = 0; count < 100; count++) {
    await page.keyboard.press("Tab");
    const focus = await focused(page);
    passed.push(focus.name);
    assert.ok(focus.isVisible, `the focus on ${focus.name} is not visible`);
    if (focus.name === name) return;
  }
  assert.fail(`no Tab leads to ${name}: ${passed}`);
}

claim("a user pays with the keyboard", {}, async (page) => {
  const { id, link } = await order({ amount: 500 });
  await page.goto(link);
  await page.keyboard.press("Tab");
  assert.deepEqual(await focused(page), { name: "Skip to the content", isVisible: true });
  await page.keyboard.press("Enter");
  await tabTo(page, "Immediately");
  for (const choice of ["In 10 s", "Immediately, with another amount (1 more)"]) {
    await page.keyboard.press("ArrowDown");
    assert.deepEqual(await focused(page), { name: choice, isVisible: true });
  }
  await tabTo(page, "Pay now");
  await page.keyboard.press("Space");
  await page.getByRole("heading", { name: "Enter the transaction number" }).waitFor();
  const number = await shownNumber(page);
  await tabTo(page, "Transaction number");
  await page.keyboard.type(number);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "The payment has arrived" }).waitFor();
  await deposit(id, ({ credited_sum }) => credited_sum === "501");
});

claim("a withdrawal is approved with the keyboard", {}, async (page) => {
  const { id } = await withdraw(300);
  await page.goto(`${OFFICE}/withdrawals`);
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await tabTo(page, `Approve ${id}`);
  await page.keyboard.press("Space");
  await until(() => withdrawalState(id), (state) => state === "paid");
});

claim("a withdrawal ends in another way with the keyboard", {}, async (page) => {
  const { id } = await withdraw(300);
  await page.goto(`${OFFICE}/withdrawals`);
  await tabTo(page, `Other ends of ${id}`);
  await page.keyboard.press("Enter");
  await tabTo(page, "Status");
  await page.keyboard.type("5");
  await page.keyboard.press("Enter");
  await until(() => withdrawalState(id), (state) => state === "failed");
});

claim("the skip link leaves out the menu", {}, async (page) => {
  await page.goto(`${OFFICE}/payments`);
  await page.keyboard.press("Tab");
  assert.deepEqual(await focused(page), { name: "Skip to the content", isVisible: true });
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  assert.deepEqual(await focused(page), { name: "Wallet", isVisible: true });
});
