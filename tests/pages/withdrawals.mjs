// How the back office ends withdrawals, and what the merchant's API then says.
import assert from "node:assert/strict";
import { OFFICE, claim, control, merchant, newId, until, withdraw, withdrawalState } from "./support/browser.mjs";

/** The postbacks about a withdrawal. */
const postbacks = async (id) => (await control("postbacks")).text.split(id).length - 1;

/** Asks for a withdrawal of 300, and opens the page. Gives its id and its row. */
async function open(page) {
  const { id, answer } = await withdraw(300);
  assert.equal(answer.status, 201, answer.text);
  await page.goto(`${OFFICE}/withdrawals`);
  return { id, row: page.getByRole("row", { name: id }) };
}

const state = (row, said) => row.locator(".state", { hasText: said });

/** Ends it with a status, and with an amount or by hand. */
async function endOtherwise(row, { status, amount, byHand = false }) {
  await row.getByText("Other ends").click();
  await row.getByLabel("Status").fill(status);
  if (amount) await row.getByLabel("Another amount").fill(amount);
  await row.getByLabel("by hand").setChecked(byHand);
  await row.getByRole("button", { name: "End it" }).click();
}

claim("an approved withdrawal is paid", {}, async (page) => {
  const { id, row } = await open(page);
  await row.getByRole("button", { name: "Approve" }).click();
  await state(row, "1 success").waitFor();
  await until(() => withdrawalState(id), (state) => state === "paid");
});

claim("a rejected withdrawal has failed", {}, async (page) => {
  const { id, row } = await open(page);
  await row.getByRole("button", { name: "Reject" }).click();
  await state(row, "5 fail").waitFor();
  await until(() => withdrawalState(id), (state) => state === "failed");
});

claim("a withdrawal that is paid with another amount needs a person", {}, async (page) => {
  const { id, row } = await open(page);
  await endOtherwise(row, { status: "1", amount: "299" });
  await row.getByText("with 299").waitFor();
  const { state, contradictions } = await until(
    async () => (await merchant(`/withdrawals/${id}`)).body,
    ({ contradictions }) => contradictions?.length > 0,
  );
  assert.deepEqual([state, contradictions[0].mismatch], ["submitted", "withdrawal_amount"]);
});

claim("an undocumented status does not end a withdrawal", {}, async (page) => {
  const { id, row } = await open(page);
  await endOtherwise(row, { status: "7" });
  await state(row, "7 (undocumented)").waitFor();
  await until(() => postbacks(id), (count) => count > 0);
  assert.equal(await withdrawalState(id), "submitted");
});

claim("a withdrawal that ends by hand sends no postback", {}, async (page) => {
  const { id, row } = await open(page);
  await endOtherwise(row, { status: "1", byHand: true });
  await state(row, "1 success").waitFor();
  assert.equal(await postbacks(id), 0);
  assert.equal(await withdrawalState(id), "submitted");
});

claim("a withdrawal that is made by hand is listed, and sends no postback", {}, async (page) => {
  const label = newId("user");
  await page.goto(`${OFFICE}/withdrawals`);
  await page.getByLabel("Amount (INR)").fill("250");
  await page.getByLabel("Account").fill("1234560079");
  await page.getByLabel("Label").fill(label);
  await page.getByRole("button", { name: "Pay out" }).click();
  await page.getByRole("row", { name: label }).getByText("made by hand").waitFor();
  assert.equal(await postbacks(label), 0);
});

claim("a status that is none is explained, and ends nothing", { statuses: [400] }, async (page) => {
  const { id, row } = await open(page);
  await endOtherwise(row, { status: "paid" });
  await page.getByRole("alert").getByText("The status must be a whole number.").waitFor();
  await page.getByRole("link", { name: "Go back" }).click();
  await state(row, "new").waitFor();
});
