// The amounts that decide the outcome, as the back office lists them.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { OFFICE, claim, control, deposit, merchant, order, until, withdraw } from "./support/browser.mjs";
import { pay } from "./support/window.mjs";

const [ARRIVED, CHECKED, NOT_ACCEPTED] = ["The payment has arrived", "The payment is being checked", "The payment was not accepted"];

/** What the user sees first, what is credited in the end, and how often the postback is delivered. */
const DEPOSITS = {
  21: { seen: ARRIVED, credited: "521", deliveries: 1 },
  22: { seen: CHECKED, credited: "522", deliveries: 1 },
  23: { seen: CHECKED, deliveries: 0 },
  24: { seen: ARRIVED, credited: "525", deliveries: 1 },
  25: { seen: NOT_ACCEPTED, deliveries: 0 },
  26: { seen: ARRIVED, credited: "526", deliveries: 20 },
  27: { seen: CHECKED, deliveries: 0 },
};

/** The status of the API's answer, the last state, the attempt's outcome, and the facts that contradict. */
const WITHDRAWALS = {
  11: [201, "paid", "accepted", []],
  12: [201, "failed", "accepted", []],
  13: [202, "paid", "unknown", []],
  14: [201, "submitted", "accepted", []],
  15: [201, "paid", "accepted", ["outcome"]],
  16: [422, "rejected", "rejected", []],
  17: [202, "unknown", "unknown", []],
  18: [202, "unknown", "unknown", []],
  19: [201, "paid", "accepted", []],
};

/** The endings in a table of the overview. */
const listed = (page, name) => page.getByRole("region", { name: `Test amounts of ${name}` }).locator("tbody td:first-child").allInnerTexts();

describe("test amounts", () => {
  before(() => control("settings", { late_ms: 1_000 }));
  after(() => control("settings", { late_ms: 10_000 }));

  claim("every test amount of the overview is tried here", {}, async (page) => {
    await page.goto(OFFICE);
    assert.deepEqual(await listed(page, "deposits"), Object.keys(DEPOSITS).map((ending) => `..${ending}`));
    assert.deepEqual(await listed(page, "withdrawals"), Object.keys(WITHDRAWALS).map((ending) => `..${ending}`));
  });

  for (const [ending, { seen, credited, deliveries }] of Object.entries(DEPOSITS)) {
    claim(`a deposit of 5${ending} ends as the list says`, {}, async (page) => {
      const { id, link } = await order({ amount: `5${ending}` });
      await page.goto(link);
      await page.getByText("This is a test amount").waitFor();
      const number = await pay(page);
      await page.getByRole("heading", { name: seen }).waitFor();
      if (credited) {
        await deposit(id, ({ credited_sum }) => credited_sum === credited);
        await page.getByText(`${credited} INR was credited to your account.`).waitFor();
      }
      const row = page.getByRole("row", { name: `payment ${number}` });
      await page.goto(`${OFFICE}/postbacks`);
      if (deliveries > 0) await row.getByRole("cell", { name: `${deliveries}`, exact: true }).waitFor();
      assert.equal(await row.count(), deliveries > 0 ? 1 : 0);
      assert.equal((await merchant(`/deposits/${id}`)).body.credited_count, credited ? 1 : 0);
    });
  }

  test("withdrawals of 311 to 319 end as the list says", async () => {
    const endings = Object.keys(WITHDRAWALS);
    const made = await Promise.all(endings.map((ending) => withdraw(Number(`3${ending}`))));
    const found = async () => {
      const rows = await Promise.all(made.map(async ({ id }) => (await merchant(`/withdrawals/${id}`)).body));
      return Object.fromEntries(rows.map(({ state, attempts, contradictions }, place) => {
        const mismatches = contradictions.map(({ mismatch }) => mismatch);
        return [endings[place], [made[place].answer.status, state, attempts[0].outcome, mismatches]];
      }));
    };
    await until(found, ({ 15: [, , , mismatches] }) => mismatches.length > 0); // the last one to end
    assert.deepEqual(await until(found, ({ 12: [, state] }) => state === "failed"), WITHDRAWALS);
    const { state_since_ms, attempts } = (await merchant(`/withdrawals/${made[endings.indexOf("19")].id}`)).body;
    assert.ok(state_since_ms <= attempts[0].ended_at_ms, "the postback came before the answer");
  });
});
