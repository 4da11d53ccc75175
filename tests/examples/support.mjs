// The shop as its users and the API see it, its database, and what stands between it and the API.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHmac, randomBytes } from "node:crypto";
import { closeSync, openSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { DatabaseSync } from "node:sqlite";
import { after } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

const { EXAMPLE, PORT, API_URL, MERCHANT_TOKEN, EVENTS_SECRET, PROVIDER_URL, OUTPUT, PATH } = process.env;
const SHOP = `http://127.0.0.1:${PORT}`;
const [START, RECONCILE] = {
  php: [["php", "-d", "display_errors=1", "-S", `127.0.0.1:${PORT}`, "shop.php"], ["php", "reconcile.php"]],
  node: [[process.execPath, "shop.js"], [process.execPath, "reconcile.js"]],
  python: [["python3", "shop.py"], ["python3", "reconcile.py"]],
}[EXAMPLE];

/** More than all withdrawals of the tests. */
export const AMOUNT = "90000";

// Between the shop and the API: it passes everything on, and answers in its place or loses an answer when it is told to.

const faults = [];
const log = [];
const proxy = createServer(async (request, response) => {
  const body = (await Array.fromAsync(request)).join("");
  const entry = { body, at: performance.now() };
  log.push(entry);
  const place = faults.findIndex(({ path }) => path === request.url && request.method === "POST");
  let [fault] = place < 0 ? [{}] : faults.splice(place, 1);
  if (!fault.status) {
    const { authorization, "content-type": type = "application/json" } = request.headers;
    const headers = { authorization, "content-type": type };
    const answer = await fetch(API_URL + request.url, { method: request.method, headers, body: body || undefined });
    if (fault.dropped) return response.destroy();
    fault = { status: answer.status, headers: Object.fromEntries(answer.headers), text: await answer.text() };
    delete fault.headers["content-length"];
  }
  entry.status = fault.status;
  response.writeHead(fault.status, fault.headers).end(fault.text);
});
await new Promise((resolve) => proxy.listen(0, "127.0.0.1", resolve));

/** The next POST to a path is answered so, and does not reach the API. */
export const answerOnce = (path, status, body, headers = {}) =>
  faults.push({ path, status, text: JSON.stringify(body), headers: { "Content-Type": "application/json", ...headers } });
/** The next POST to a path reaches the API, and its answer is lost. */
export const dropAnswerOnce = (path) => faults.push({ path, dropped: true });
/** The requests of the shop whose body names an id. */
export const requests = (id) => log.filter(({ body }) => body.includes(id));

// The shop's processes and its database.

const DATABASE = `${OUTPUT}.db`;
for (const suffix of ["", "-journal"]) rmSync(DATABASE + suffix, { force: true });
const output = openSync(`${OUTPUT}.log`, "w");
const environment = { PATH, PORT, DATABASE, MERCHANT_TOKEN, EVENTS_SECRET, API_URL: `http://127.0.0.1:${proxy.address().port}` };
const run = ([program, ...rest], stdout) => {
  const cwd = new URL(`../../examples/${EXAMPLE}/`, import.meta.url).pathname;
  const child = spawn(program, rest, { cwd, env: environment, stdio: ["ignore", stdout, output] });
  process.once("exit", () => child.kill());
  return { child, end: new Promise((resolve) => child.on("close", resolve)) };
};

process.setMaxListeners(0).once("SIGTERM", () => process.exit(1));

let shop;
export async function startShop() {
  shop = run(START, output);
  const isUp = () => fetch(SHOP).then(({ ok }) => ok, () => false);
  await until(isUp, (up) => up);
}
export async function stopShop() {
  shop.child.kill();
  await shop.end;
}

/** Runs the reconcile program. Gives its status and what it prints. */
export async function reconcile() {
  const { child, end } = run(RECONCILE, "pipe");
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (part) => (text += part));
  return { status: await end, text };
}

await startShop();
export const database = new DatabaseSync(DATABASE, { timeout: 5000 });
after(async () => {
  await stopShop();
  proxy.close();
  closeSync(output);
});

export const row = (table, id) => database.prepare(`SELECT * FROM ${table} WHERE id = ?`).get(id);

/** Keeps the shop from its database until the answer is called. */
export function lock() {
  database.exec("BEGIN EXCLUSIVE");
  return () => database.exec("ROLLBACK");
}

// Its pages.

async function page(path, options) {
  const response = await fetch(SHOP + path, options);
  const text = await response.text();
  const alert = text.match(/<p role="alert">(.*?)<\/p>/s)?.[1];
  return { status: response.status, path: new URL(response.url).pathname, text, alert };
}

export const get = (path) => page(path);
export const post = (path, form) => page(path, { method: "POST", body: new URLSearchParams(form) });

/** What the user sees as the balance, in hundredths. */
export async function balance() {
  return Number((await get("/")).text.match(/Balance: <strong>(\d+\.\d\d) INR/)[1].replace(".", ""));
}

/** Makes an order. Gives its id and its page. */
export async function buy(amount) {
  const { path, text } = await post("/orders", { amount });
  return { id: path.split("/")[2], text };
}
export const order = async (amount) => (await buy(amount)).id;

/** Fills in the form of a withdrawal and sends it. */
export async function withdraw(amount, account_number = "1234560079") {
  const id = (await get("/")).text.match(/name="id" value="([^"]+)"/)[1];
  const form = { id, amount, account_number };
  return { id, form, status: (await post("/withdrawals", form)).status };
}

// Events, as event-forwarder posts them.

export const event = (type, transaction, data) =>
  ({ id: randomBytes(16).toString("hex"), type, transaction, generation: 1, version: 3, time_ms: Date.now(), data });

/** Posts an event, signed `age` seconds ago with each of the secrets, and gives the status. `alter` changes the body after that. */
export async function deliver(event, how = {}) {
  const { secrets = [EVENTS_SECRET], age = 0, write = JSON.stringify, alter = (body) => body } = how;
  const seconds = Math.trunc(Date.now() / 1000) - age;
  const body = write(event);
  const key = (secret) => Buffer.from(secret.slice("whsec_".length), "base64");
  const sign = (secret) => `v1,${createHmac("sha256", key(secret)).update(`${event.id}.${seconds}.${body}`).digest("base64")}`;
  const signed = { "webhook-id": event.id, "webhook-timestamp": String(seconds), "webhook-signature": secrets.map(sign).join(" ") };
  const all = { "content-type": "application/json", ...signed, ...how.headers };
  const headers = Object.entries(all).filter(([, value]) => value !== undefined);
  return (await fetch(`${SHOP}/events`, { method: "POST", headers, body: alter(body) })).status;
}

// The API without the shop, and the simulated provider.

async function call(url, body, headers) {
  const response = await fetch(url, { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body) });
  return { status: response.status, body: await response.json() };
}

const AUTHORIZED = { Authorization: `Bearer ${MERCHANT_TOKEN}`, "Content-Type": "application/json" };
export const api = (path, body) => call(API_URL + path, body, AUTHORIZED);
export async function control(path, body) {
  const answer = await call(`${PROVIDER_URL}/_control/${path}`, body);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer;
}

let numbers = Math.trunc(Math.random() * 8e10) + 1e10;
/** A number of a payment that nobody has used. */
export const newNumber = () => String(++numbers);

/** Waits until `read` gives a value that `isRight`. */
export async function until(read, isRight) {
  const end = performance.now() + 20_000;
  for (;;) {
    const value = await read();
    if (isRight(value)) return value;
    assert.ok(performance.now() < end, `not after 20 s: ${value}`);
    await sleep(50);
  }
}
