// The operator's console: what needs a person, a transaction, and a decision.
import assert from "node:assert/strict";
import { isAccessible } from "./support/axe.mjs";
import { claim, control, merchant, newId, newNumber, order, until } from "./support/browser.mjs";

const { CONSOLE_URL, CONSOLE_READ_ONLY_URL, CONSOLE_COLLEAGUE_URL, CONSOLE_GONE_URL } = process.env;
const transaction = (key, console = CONSOLE_URL) => `${console}transaction?id=${encodeURIComponent(key)}`;
const decide = (key, console = CONSOLE_URL) => `${console}decide?id=${encodeURIComponent(key)}`;

/** A payment that is held: an unsigned field differs from the signed one. */
async function heldPayment() {
  const [{ id }, transaction_id] = [await order({ amount: 700 }), newNumber()];
  const { status } = await control("postbacks", {
    transaction_id, custom_transaction_id: id, amount: "700", label: "user-1", direction: "ingoing", tamper: { amount: 8 },
  });
  assert.equal(status, 200);
  return { id, number: transaction_id, key: `payment#paytm#${transaction_id}` };
}

/** A withdrawal of which nobody knows whether the provider has it. */
async function unknownWithdrawal(amount = 300) {
  const withdrawal_id = newId("withdrawal");
  await control("faults", { on: "withdrawal", fault: "accepted_but_lost", times: 1 });
  const answer = await merchant("/withdrawals", { withdrawal_id, label: "user-1", amount, currency_code: "INR", account_number: "1234560079" });
  assert.equal(answer.status, 202, answer.text);
  return { id: withdrawal_id, key: `withdrawal#${withdrawal_id}` };
}

const state = async ({ id }) => (await merchant(`/withdrawals/${id}`)).body.state;

async function enter(page, outcome) {
  await page.getByRole("radio", { name: new RegExp(`^${outcome}:`) }).check();
  await page.getByLabel("Why").fill("the provider's statement has it");
  await page.getByLabel("Where the evidence is").fill("statement of 28 November, line 7");
  await page.getByRole("button", { name: "Show what would change" }).click();
}

claim("what needs a person is listed by kind, with its age, and as a file", {}, async (page) => {
  const { key } = await heldPayment();
  await page.goto(CONSOLE_URL);
  await page.getByRole("row", { name: new RegExp(key) }).getByText("the unsigned amount is not the signed element's").waitFor();
  assert.match(await page.getByRole("note").textContent(), /Local stack paykassma/);
  await isAccessible(page, "console");
  await page.getByRole("link", { name: "unmatched" }).click();
  assert.equal(await page.getByRole("row", { name: new RegExp(key) }).count(), 0);
  await page.getByRole("link", { name: "quarantined" }).click();
  const csv = await page.evaluate(async (url) => (await fetch(url)).text(), `${CONSOLE_URL}open.csv?kind=quarantined`);
  assert.match(csv, new RegExp(`^quarantined,${key},[^,]+Z,quarantined,700,INR,`, "m"));
});

claim("a transaction shows its history and what was signed, and people only when they are asked for", {}, async (page) => {
  const { key, number } = await heldPayment();
  await page.goto(transaction(number));
  await page.getByText("the unsigned amount is not the signed element's").waitFor();
  assert.match(await page.locator("pre").first().textContent(), new RegExp(`"transaction_id": "${number}"`));
  await page.getByText("As it is stored").click();
  assert.doesNotMatch(await page.content(), /user-1/);
  await isAccessible(page, "console transaction");
  await page.getByRole("button", { name: "Show people" }).click();
  assert.match(await page.content(), /user-1/);
  await page.goto(transaction(key));
  assert.doesNotMatch(await page.content(), /user-1/, "they are shown once");
});

claim("a withdrawal of unknown outcome is settled: form, preview, and record", {}, async (page) => {
  const withdrawal = await unknownWithdrawal();
  await page.goto(transaction(withdrawal.key));
  await page.getByRole("link", { name: "Decide" }).click();
  await page.getByText("refused, because a withdrawal is paid or failed").first().waitFor();
  await isAccessible(page, "console decide");
  await enter(page, "paid");
  await page.getByText("unknown → paid").waitFor();
  await isAccessible(page, "console preview");
  assert.equal(await state(withdrawal), "unknown", "a preview writes nothing");
  await page.getByRole("button", { name: "Record this decision" }).click();
  await page.getByText("The decision is recorded.").waitFor();
  assert.equal(await state(withdrawal), "paid");
  await page.getByText("the provider's statement has it").first().waitFor();
});

claim("a large amount takes two people, each with a login of their own", {}, async (page) => {
  const withdrawal = await unknownWithdrawal(95_000);
  await page.goto(decide(withdrawal.key));
  await enter(page, "paid");
  await page.getByText("a colleague with another AWS identity must do the same").waitFor();
  await page.getByRole("button", { name: "Record this decision" }).click();
  await page.getByRole("heading", { name: "Proposed" }).waitFor();
  await isAccessible(page, "console proposed");
  assert.equal(await state(withdrawal), "unknown");
  await page.goto(decide(withdrawal.key, CONSOLE_COLLEAGUE_URL));
  await enter(page, "paid");
  await page.getByText("user/local has proposed it").waitFor();
  await page.getByRole("button", { name: "Record this decision" }).click();
  await page.getByText("The decision is recorded.").waitFor();
  await page.getByText("As it is stored").click();
  assert.match(await page.locator("pre").last().textContent(), /"caller": "arn:aws:iam::000000000000:user\/colleague"[^]*"proposed_by": "arn:aws:iam::000000000000:user\/local"/);
  assert.equal(await state(withdrawal), "paid");
});

claim("a held payment is credited, or what is missing is said", { statuses: [409] }, async (page) => {
  const { id, key } = await heldPayment();
  await page.goto(decide(key));
  await page.getByText("For a payment that is not credited as it is signed").click();
  await page.getByLabel("Order to credit").fill("no-such-order");
  await enter(page, "credited");
  await page.getByRole("heading", { name: "Refused" }).waitFor();
  await isAccessible(page, "console refused");
  await page.getByRole("link", { name: "Change it" }).click();
  await enter(page, "credited");
  await page.getByText("quarantined → credited").waitFor();
  await page.getByRole("button", { name: "Record this decision" }).click();
  await page.getByText("The decision is recorded.").waitFor();
  assert.equal((await merchant(`/deposits/${id}`)).body.credited_sum, "700");
});

claim("a decision about a row that has changed meanwhile is not recorded", { statuses: [409] }, async (page) => {
  const withdrawal = await unknownWithdrawal();
  await page.goto(decide(withdrawal.key));
  await enter(page, "failed");
  await page.getByText("unknown → failed").waitFor();
  await control(`withdrawals/${withdrawal.id}/settle`, { status: 1 });
  await until(() => state(withdrawal), (it) => it === "paid");
  await page.getByRole("button", { name: "Record this decision" }).click();
  await page.getByRole("heading", { name: "Changed meanwhile" }).waitFor();
  await isAccessible(page, "console changed meanwhile");
  assert.equal(await state(withdrawal), "paid");
});

claim("without a preview nothing is recorded", { statuses: [400] }, async (page) => {
  const withdrawal = await unknownWithdrawal();
  await page.goto(decide(withdrawal.key));
  await enter(page, "paid");
  await page.locator("input[name=version]").evaluate((input) => input.remove());
  await page.getByRole("button", { name: "Record this decision" }).click();
  await page.getByText("a decision is recorded only after it was shown").waitFor();
  assert.equal(await state(withdrawal), "unknown");
});

claim("read only shows everything and decides nothing", { statuses: [404] }, async (page) => {
  const withdrawal = await unknownWithdrawal();
  await page.goto(transaction(withdrawal.key, CONSOLE_READ_ONLY_URL));
  await page.getByText("Operator (read only)").waitFor();
  assert.equal(await page.getByRole("link", { name: "Decide" }).count(), 0);
  const post = (path) => page.evaluate(async (url) => (await fetch(url, { method: "POST", body: new URLSearchParams() })).status, CONSOLE_READ_ONLY_URL + path);
  assert.deepEqual([await post("decide"), await post("decide/record")], [404, 404]);
});

claim("who does not know the address sees nothing", { statuses: [404] }, async (page) => {
  const { origin } = new URL(CONSOLE_URL);
  await page.goto(CONSOLE_URL);
  const status = (path) => page.evaluate(async (url) => (await fetch(url)).status, origin + path);
  for (const path of ["/", "/transaction?id=x", `/${"0".repeat(32)}/`, "/style.css"]) assert.equal(await status(path), 404, path);
});

claim("a deployed stack is marked in red, and said to be gone if it is", { statuses: [502] }, async (page) => {
  await page.goto(CONSOLE_GONE_URL);
  await page.getByRole("alert").getByText("the table").waitFor();
  const banner = page.getByRole("note");
  assert.match(await banner.textContent(), /^LIVE stack paykassma, account 000000000000, ap-south-1$/);
  assert.equal(await banner.evaluate((note) => getComputedStyle(note).backgroundColor), "rgb(164, 14, 38)");
  await isAccessible(page, "console gone");
});
