// The operator's console: work that reads the whole table or a queue, and what may be done with its result.
import assert from "node:assert/strict";
import { isAccessible } from "./support/axe.mjs";
import { claim, control, until, withdraw, withdrawalState } from "./support/browser.mjs";
import { addDeadLetter, consoleWithHeldTable, deadLetters, removeDeadLetters } from "./support/stack.mjs";

const { CONSOLE_URL, CONSOLE_READ_ONLY_URL } = process.env;
const held = await consoleWithHeldTable();
const WITHOUT = { javaScriptEnabled: false };

const press = (page, name) => page.getByRole("button", { name, exact: true }).click();
const row = (page, name) => page.getByRole("row", { name });

async function find(page, fields, url = CONSOLE_URL) {
  await page.goto(`${url}find`);
  for (const [label, value] of Object.entries(fields)) await page.getByLabel(label).fill(value);
  await press(page, "Find");
}

async function listEvents(page, fields, url = CONSOLE_URL) {
  await page.goto(`${url}events`);
  for (const [label, value] of Object.entries(fields)) await page.getByLabel(label).fill(value);
  await press(page, "List events");
}

/** Begins a job without a page. Gives its address. */
async function begin(url, fields = {}) {
  const { status, headers } = await fetch(url, { method: "POST", body: new URLSearchParams(fields), redirect: "manual" });
  return status === 303 ? new URL(headers.get("location"), url).href : undefined;
}

const stop = (job) => fetch(`${job}/stop`, { method: "POST", redirect: "manual" });

/** A withdrawal that the provider has taken and does not end by itself. */
async function submitted() {
  const { id, answer } = await withdraw(314);
  assert.equal(answer.status, 201, answer.text);
  return id;
}

claim("a search shows what holds, links to it, and shows no people", {}, async (page) => {
  const id = await submitted();
  await page.goto(`${CONSOLE_URL}find`);
  await isAccessible(page, "console find");
  await find(page, { "Label": "user-1", "Account": "1234560079", "Amount": "314" });
  await row(page, `withdrawal#${id}`).getByText("submitted").waitFor();
  await isAccessible(page, "console find, found");
  assert.doesNotMatch(await page.content(), /user-1|1234560079/);
  await page.getByRole("link", { name: `withdrawal#${id}` }).click();
  await page.getByText("journalled").waitFor();
});

claim("a search for nothing, or for what is none, says so and keeps what was entered", { statuses: [400] }, async (page) => {
  await find(page, {});
  await page.getByRole("alert").getByText("say what to look for").waitFor();
  await find(page, { "Day": "yesterday", "Amount": "700" });
  await page.getByRole("alert").getByText("Day must be a day").waitFor();
  assert.equal(await page.getByLabel("Amount").inputValue(), "700");
  await isAccessible(page, "console find, wrong");
});

claim("a search shows by itself that it is done, and which rows are unreadable", {}, async (page) => {
  held.hold();
  await find(page, { "Label": "nobody" }, held.url);
  await page.getByText("Running: 0 rows looked at in").waitFor();
  await isAccessible(page, "console job, running");
  held.open();
  await page.getByText("0 found.").waitFor();
  await page.getByRole("link", { name: "withdrawal#broken" }).waitFor();
  await isAccessible(page, "console job, unreadable");
});

claim("a search is looked at again, and stopped, without JavaScript", WITHOUT, async (page) => {
  held.hold();
  await find(page, { "Number": "47752123519" }, held.url);
  await page.getByRole("link", { name: "Look again" }).click();
  await page.getByText("Running:").waitFor();
  await press(page, "Stop");
  await page.getByText("Stopped.").waitFor();
  await page.goto(`${held.url}find`);
  await page.getByRole("listitem").filter({ hasText: "Find number 47752123519 (stopped)" }).waitFor();
});

claim("four jobs run at the same time and no more, and a job that is not there is not found", { statuses: [404, 409] }, async (page) => {
  held.hold();
  const jobs = [];
  for (let made = 0; made < 4; made++) jobs.push(await begin(`${held.url}find`, { label: "nobody" }));
  await find(page, { "Label": "nobody" }, held.url);
  await page.getByRole("alert").getByText("4 jobs are running").waitFor();
  for (const job of jobs) await stop(job);
  jobs.push(await begin(`${held.url}find`, { label: "nobody" }));
  await stop(jobs.at(-1));
  await page.goto(jobs[0].replace(/[^/]+$/, "0".repeat(32)));
  await page.getByRole("heading", { name: "No such job" }).waitFor();
});

claim("dead letters are looked at as they are, and then redriven", {}, async (page) => {
  await removeDeadLetters();
  const id = await submitted();
  for (const body of [JSON.stringify({ withdrawal_id: id }), '{"withdrawal_id":"never-made"}', "not ours"]) await addDeadLetter(body);
  await page.goto(`${CONSOLE_URL}dead-letters`);
  await isAccessible(page, "console dead letters");
  await press(page, "Look at the dead letters");
  await row(page, `${id} submitted redriven`).waitFor();
  await row(page, "never-made removed").waitFor();
  await row(page, "left").getByText("not ours").waitFor();
  await isAccessible(page, "console dead letters, looked at");
  assert.equal(await deadLetters(), 3);
  await press(page, "Redrive them");
  await page.getByText("1 redriven, 1 removed, 1 left.").waitFor();
  assert.equal(await deadLetters(), 1);
  await removeDeadLetters();
});

claim("dead letters are there for others at once when the look is stopped", {}, async () => {
  await removeDeadLetters();
  for (const body of ["one", "two", "three"]) await addDeadLetter(body);
  const job = await begin(`${CONSOLE_URL}dead-letters`);
  await until(deadLetters, (number) => number === 0);
  await stop(job);
  await until(deadLetters, (number) => number === 3);
  assert.match(await (await fetch(job)).text(), /Stopped\./);
  await removeDeadLetters();
});

claim("a withdrawal whose message was lost gets a new one", { statuses: [400, 409] }, async (page) => {
  await control("faults", { on: "withdrawal", fault: "accepted_but_lost", times: 1 });
  const { id } = await withdraw(300);
  await until(() => withdrawalState(id), (state) => state === "unknown");
  const ask = async (text) => {
    await page.goto(`${CONSOLE_URL}dead-letters`);
    await page.getByLabel("Withdrawal").fill(text);
    await press(page, "Show what would be sent");
  };
  await ask("never-made");
  await page.getByRole("alert").getByText("no withdrawal never-made was made here").waitFor();
  await ask(await submitted());
  await page.getByRole("alert").getByText("the withdrawal is submitted").waitFor();
  await ask(`withdrawal#${id}`);
  await page.getByText(`withdrawal#${id} is unknown.`).waitFor();
  await isAccessible(page, "console dead letters, what would be sent");
  await press(page, "Send a new message");
  await page.getByRole("status").getByText(`A new message is sent for the withdrawal ${id}.`).waitFor();
});

claim("events are chosen, counted by type, and replayed on the bus", {}, async (page) => {
  const id = await submitted();
  await page.goto(`${CONSOLE_URL}events`);
  await isAccessible(page, "console events");
  await listEvents(page, { "Since": "1h", "Transactions": `withdrawal#${id}` });
  await row(page, "withdrawal.submitted 1").waitFor();
  await page.getByRole("link", { name: `withdrawal#${id}` }).waitFor();
  await isAccessible(page, "console events, found");
  await page.getByLabel("Everybody who listens on the bus").check();
  await press(page, "Replay all of them");
  await page.getByText("1 published on the bus again, 0 refused.").waitFor();
});

claim("an event that its row says no more is refused, with the reason", {}, async (page) => {
  const { id } = await withdraw(311);
  await listEvents(page, { "Since": "1h", "Transactions": `withdrawal#${id}` });
  await row(page, "withdrawal.submitted 1").waitFor();
  await until(() => withdrawalState(id), (state) => state === "paid");
  await page.getByLabel("Everybody who listens on the bus").check();
  await press(page, "Replay all of them");
  await page.getByText("0 published on the bus again, 1 refused.").waitFor();
  await row(page, `withdrawal#${id}`).waitFor();
  await isAccessible(page, "console events, refused");
});

claim("events are replayed only if they are chosen, and only to receivers that there are", { statuses: [400] }, async (page) => {
  await submitted();
  await listEvents(page, { "Since": "soon" });
  await page.getByRole("alert").getByText("Since must be a time").waitFor();
  await listEvents(page, { "Types": "withdrawal.submitted" });
  await page.getByText("To replay events, choose them").waitFor();
  assert.equal(await page.getByRole("button", { name: "Replay all of them" }).count(), 0);
  await listEvents(page, { "Since": "1h", "Ids of events": "none" });
  await page.getByText("Not every id was found.").waitFor();
  await listEvents(page, { "Since": "1h" });
  await page.getByLabel("The merchant's server only").check();
  await press(page, "Replay all of them");
  await page.getByRole("alert").getByText("to must be bus: this stack posts events to no server").waitFor();
});

claim("a console that is read only finds and lists, and offers no change", {}, async (page) => {
  const id = await submitted();
  await removeDeadLetters();
  await addDeadLetter(JSON.stringify({ withdrawal_id: id }));
  await page.goto(`${CONSOLE_READ_ONLY_URL}dead-letters`);
  assert.deepEqual(await page.getByRole("button").allTextContents(), ["Look at the dead letters"]);
  await press(page, "Look at the dead letters");
  await row(page, id).waitFor();
  assert.deepEqual(await page.getByRole("button").allTextContents(), ["Look again"]);
  await listEvents(page, { "Since": "1h", "Transactions": `withdrawal#${id}` }, CONSOLE_READ_ONLY_URL);
  await row(page, "withdrawal.submitted 1").waitFor();
  assert.deepEqual(await page.getByRole("button").allTextContents(), []);
  for (const path of ["dead-letters/redrive", "dead-letters/withdrawal", "dead-letters/withdrawal/send", "events/replay"]) {
    assert.equal((await fetch(CONSOLE_READ_ONLY_URL + path, { method: "POST" })).status, 404, path);
  }
  await removeDeadLetters();
});
