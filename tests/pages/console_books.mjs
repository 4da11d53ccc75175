// The console's pages about all money: an export against the table, the money rules, and figures.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { isAccessible } from "./support/axe.mjs";
import { claim, control, deposit, newNumber, order, until, withdraw, withdrawalState } from "./support/browser.mjs";
import { consoleWithHeldTable } from "./support/stack.mjs";

const { CONSOLE_URL, CONSOLE_READ_ONLY_URL } = process.env;

/** Credits a new payment of 500 to a new order. Gives its number. */
async function credited() {
  const { id } = await order();
  const number = newNumber();
  await control("payments", { transaction_id: number, amount: "500", custom_transaction_id: id, label: "user-1" });
  await deposit(id, ({ credited_sum }) => credited_sum === "500");
  return number;
}

const HEADS = "Type,Transaction ID,Withdrawal ID,Amount,Currency,Status,Wallet,Created by";

const SAMPLE = readFileSync(new URL("../../operator/samples/export.toml", import.meta.url), "utf8");

const file = (name, lines) => ({ name, mimeType: "text/csv", buffer: Buffer.from([HEADS, ...lines].join("\n")) });

/** Has an export compared that is of a day of long ago, so that nothing is missing in it. */
async function compare(page, url, export_, settings = SAMPLE) {
  await page.goto(`${url}reconcile`);
  await page.getByLabel("Export", { exact: true }).setInputFiles(export_);
  const named = { name: "export.toml", mimeType: "text/plain", buffer: Buffer.from(settings ?? "") };
  if (settings !== null) await page.getByLabel(/^Settings/).setInputFiles(named);
  await page.getByLabel("First day of the export").fill("2020-01-01");
  await page.getByLabel("Last day").fill("2020-01-01");
  await page.getByRole("button", { name: "Compare" }).click();
}

const finished = (page, name) => page.getByRole("link", { name }).waitFor();

claim("the form to reconcile is accessible", {}, async (page) => {
  await page.goto(`${CONSOLE_URL}reconcile`);
  await isAccessible(page, "console reconcile");
});

claim("an export is compared, and each line leads to its transaction and to a decision", {}, async (page) => {
  const [right, wrong, other] = [await credited(), await credited(), newNumber()];
  await compare(page, CONSOLE_URL, file("november.csv", [
    `Deposit,${right},,500,INR,Success,PayTM,`,
    `Deposit,${wrong},,50,INR,Success,PayTM,`,
    `Deposit,${other},,700,INR,Success,PayTM,`,
    "Deposit,1,,7oo,INR,Success,PayTM,",
  ]));
  await finished(page, "Compare another");
  await page.getByRole("heading", { name: "Reconcile november.csv" }).waitFor();
  const row = (name) => page.getByRole("region", { name: "Classes" }).getByRole("row", { name: new RegExp(`^${name}`) });
  for (const [name, cells] of [
    ["matched", ["1", "1 of 500 INR", "1 of 500 INR"]],
    ["amount differs", ["1", "1 of 50 INR", "1 of 500 INR"]],
    ["missing here", ["1", "1 of 700 INR", "none"]],
    ["missing there", ["0", "none", "none"]],
    ["bad lines", ["1", "none", "none"]],
  ]) {
    assert.deepEqual((await row(name).getByRole("cell").allInnerTexts()).slice(1, 4), cells, name);
  }
  await isAccessible(page, "console reconcile result");
  const differs = page.getByRole("region", { name: "amount differs" }).getByRole("row", { name: wrong });
  await differs.getByRole("link", { name: /^Decide payment/ }).waitFor();
  assert.equal(await page.getByRole("region", { name: "missing here" }).getByRole("link").count(), 0, "it has no row");
  await differs.getByRole("link", { name: `payment#paytm#${wrong}`, exact: true }).click();
  await page.getByRole("heading", { name: `payment#paytm#${wrong}`, level: 1 }).waitFor();
});

claim("all lines of a class are shown page by page and downloaded, and no cell is a formula", {}, async (page) => {
  const lines = Array.from({ length: 110 }, (_, place) => `Withdrawal,,w-${place},5,INR,Success,PayTM,API`);
  const renamed = (text) => text.replace("Transaction ID", "=Number");
  const export_ = file("formulas.csv", [...lines, "Deposit, ,,7,INR,Success,PayTM,"]);
  const bytes = Buffer.from(renamed(export_.buffer.toString()));
  await compare(page, CONSOLE_URL, { ...export_, buffer: bytes }, renamed(SAMPLE));
  await finished(page, "Compare another");
  const csv = async (name) => {
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: `${name} as CSV` }).click()]);
    return (await (await download.createReadStream()).toArray()).join("");
  };
  assert.match(await csv("bad lines"), /^line,column,reason\n112,'=Number,/);
  assert.equal((await csv("missing here")).trim().split("\n").length, 111);
  await page.getByRole("link", { name: "All 110 lines" }).click();
  await page.getByText("Lines 1 to 100 of 110.").waitFor();
  await isAccessible(page, "console reconcile lines");
  await page.getByRole("link", { name: "Next lines" }).click();
  await page.getByText("Lines 101 to 110 of 110.").waitFor();
  // The settings that were used are used again.
  await compare(page, CONSOLE_URL, file("other.csv", []), null);
  await page.getByText('no column "=Number"').waitFor();
});

claim("what is wrong with an upload is said", { statuses: [400] }, async (page) => {
  await compare(page, CONSOLE_URL, file("any.csv", []), "[columns]");
  await page.getByRole("alert").getByText("the settings: ").waitFor();
  await isAccessible(page, "console reconcile wrong");
});

claim("a comparison is stopped", {}, async (page) => {
  const lines = Array.from({ length: 100_000 }, (_, place) => `Withdrawal,,w-${place},5,INR,Success,PayTM,API`);
  await compare(page, CONSOLE_URL, file("large.csv", lines));
  await page.getByText("bytes of the export read").waitFor();
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByText("Stopped.").waitFor();
});

claim("an export is compared without JavaScript, and nobody decides in a read-only console", { javaScriptEnabled: false }, async (page) => {
  const wrong = await credited();
  await compare(page, CONSOLE_READ_ONLY_URL, file("export.csv", [`Deposit,${wrong},,50,INR,Success,PayTM,`]));
  await until(async () => {
    const again = page.getByRole("link", { name: "Look again" });
    if (await again.count()) await again.click();
    return page.getByRole("link", { name: "Compare another" }).count();
  }, (count) => count === 1);
  await page.getByRole("link", { name: `payment#paytm#${wrong}` }).waitFor();
  assert.equal(await page.getByText("Decide").count(), 0);
});

claim("an audit has its summary, and each broken rule leads to its row", {}, async (page) => {
  const { url, open } = await consoleWithHeldTable();
  await page.goto(`${url}audit`);
  await isAccessible(page, "console audit");
  await page.getByRole("button", { name: "Start" }).click();
  await page.getByRole("button", { name: "Stop" }).waitFor();
  open();
  await finished(page, "Audit again");
  await page.getByText(/^\d+ broken\.$/).waitFor();
  await page.getByText("Decisions without a verified caller").waitFor();
  const broken = page.getByRole("region", { name: "unreadable" }).getByRole("link", { name: "withdrawal#broken" });
  assert.match(await broken.getAttribute("href"), /transaction\?id=withdrawal%23broken$/);
  await isAccessible(page, "console audit result");
});

const FIGURES = ["Credited payments by day, INR", "Paid withdrawals by day, INR", "Refused by day, INR"];

/** The sum and the number in all of each of the figures, in their last column. */
async function figures(page) {
  await page.goto(`${CONSOLE_URL}figures`);
  await page.getByRole("button", { name: "Start" }).click();
  await finished(page, "Other days");
  return Promise.all(FIGURES.map(async (name) => {
    const cells = page.getByRole("region", { name }).getByRole("row", { name: /^In all/ }).getByRole("cell");
    const [sum, number] = (await cells.allInnerTexts()).at(-1)?.match(/^([\d.]+) \((\d+)\)$/)?.slice(1) ?? [0, 0];
    return [Number(sum), Number(number)];
  }));
}

claim("figures show what was credited, paid and refused, and what is held", {}, async (page) => {
  await page.goto(`${CONSOLE_URL}figures`);
  await isAccessible(page, "console figures");
  const before = await figures(page);
  await credited();
  for (const [amount, status, end] of [[300, 1, "paid"], [200, 5, "failed"]]) {
    const { id } = await withdraw(amount);
    await control(`withdrawals/${id}/settle`, { status });
    await until(() => withdrawalState(id), (state) => state === end);
  }
  await withdraw(100);
  const grown = (await figures(page)).map(([sum, number], place) => [sum - before[place][0], number - before[place][1]]);
  assert.deepEqual(grown, [[500, 1], [300, 1], [200, 1]]);
  for (const name of [FIGURES[0], FIGURES[1], "Number refused by day, INR"]) await page.getByRole("img", { name }).waitFor();
  await page.getByRole("region", { name: "Held and open, by age" }).getByRole("row", { name: "open" }).waitFor();
  await isAccessible(page, "console figures result");
});
