// Postbacks that are sent again from the back office, unchanged and changed, and what the receiver answers.
import assert from "node:assert/strict";
import { OFFICE, claim, deposit, merchant, order, until } from "./support/browser.mjs";
import { pay } from "./support/window.mjs";

/** Pays 500 for a new order, and opens the page of its postback. */
async function open(page) {
  const { id, link } = await order({ amount: 500 });
  await page.goto(link);
  const number = await pay(page);
  await deposit(id, ({ state }) => state === "credited");
  await page.goto(`${OFFICE}/postbacks`);
  await page.getByRole("row", { name: `payment ${number}` }).getByRole("link").click();
  return { id, number };
}

/** The answers to the deliveries of the postback whose page is open, once there are so many. */
async function answers(page, count) {
  const rows = page.getByRole("region", { name: "Deliveries" }).locator("tbody tr");
  return until(async () => {
    await page.reload();
    return Promise.all((await rows.all()).map(async (row) => (await row.locator("td").nth(1).innerText()).trim()));
  }, (statuses) => statuses.length === count);
}

/** Says that the order was credited with 500, once. */
async function isCreditedOnce(id) {
  const { credited_count, credited_sum } = (await merchant(`/deposits/${id}`)).body;
  assert.deepEqual([credited_count, credited_sum], [1, "500"]);
}

claim("a postback that is sent again is answered 200 and credits nothing", {}, async (page) => {
  const { id } = await open(page);
  const isBack = page.waitForEvent("framenavigated");
  await page.getByRole("button", { name: "Send it unchanged" }).click();
  await isBack;
  assert.deepEqual(await answers(page, 2), ["200", "200"]);
  await isCreditedOnce(id);
});

claim("a postback with another signed digit is answered 401", {}, async (page) => {
  const { id } = await open(page);
  for (const place of ["0", "9"]) {
    await page.getByLabel("Digit of the list").fill(place);
    await page.getByRole("button", { name: "Change a signed digit" }).click();
    await page.getByText(/^postback \d+ with another digit$/).waitFor();
    assert.deepEqual(await answers(page, 1), ["401"]);
    await page.goBack();
  }
  await isCreditedOnce(id);
});

claim("a postback with another unsigned field is answered 200 and credits nobody else", {}, async (page) => {
  const { id, number } = await open(page);
  const fields = await page.getByLabel("Unsigned field").locator("option").allInnerTexts();
  assert.ok(fields.includes("label") && fields.includes("amount"));
  const first = page.url();
  for (const field of fields) {
    await page.goto(first);
    await page.getByLabel("Unsigned field").selectOption(field);
    await page.getByRole("button", { name: "Change an unsigned field" }).click();
    await page.getByText(new RegExp(`^postback \\d+ with another ${field}$`)).waitFor();
    assert.deepEqual(await answers(page, 1), ["200"], field);
  }
  await isCreditedOnce(id);
  const { transactions } = (await merchant("/transactions?state=conflict")).body;
  const { contradictions } = transactions.find(({ transaction_id }) => transaction_id === number);
  const mismatches = contradictions.map(({ mismatch }) => mismatch);
  assert.deepEqual(mismatches, ["label", "amount", "currency_code", "wallet_type", "direction"], "a person sees each of them");
});

claim("20 shuffled copies of a postback credit once", {}, async (page) => {
  const { id } = await open(page);
  const [, first] = page.url().match(/(\d+)$/);
  await page.getByRole("button", { name: "Send shuffled copies" }).click();
  await page.waitForURL(`${OFFICE}/postbacks`);
  const copies = page.getByRole("row", { name: `postback ${first}, shuffled` });
  await until(async () => {
    await page.reload();
    return copies.getByText("200 delivered").count();
  }, (count) => count === 20);
  await isCreditedOnce(id);
});

claim("a number of copies that is none is explained", { statuses: [400, 404] }, async (page) => {
  await open(page);
  await page.getByLabel("Copies").fill("many");
  await page.getByRole("button", { name: "Send shuffled copies" }).click();
  await page.getByRole("alert").getByText("The number of copies must be a whole number.").waitFor();
  await page.goto(`${OFFICE}/postbacks/1000000`);
  await page.getByRole("alert").getByText("There is no postback 1000000").waitFor();
});
