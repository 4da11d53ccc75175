// What all checks use: a browser, the merchant's API, and the provider's control API.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { chromium } from "playwright-core";

export const { API_URL, MERCHANT_TOKEN, PROVIDER_URL, SHOP_URL } = process.env;
export const OFFICE = `${PROVIDER_URL}/backoffice`;

const PICTURES = new URL("../../../target/pages/", import.meta.url).pathname;
mkdirSync(PICTURES, { recursive: true });

const QUIET = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox", ...QUIET] });
after(() => browser.close());

/** A test with a page of its own. It fails if the browser complains, but for the answers of `statuses` that the claim is about. */
export function claim(name, { statuses = [], ...options }, body) {
  test(name, async () => {
    const context = await browser.newContext({ viewport: { width: 1100, height: 800 }, ...options });
    context.setDefaultTimeout(10_000);
    const complaints = [];
    const isExpected = (text) => statuses.some((status) => text.includes(`the server responded with a status of ${status}`));
    context.on("console", (message) => {
      if (["error", "warning"].includes(message.type()) && !isExpected(message.text())) complaints.push(message.text());
    });
    context.on("weberror", (error) => complaints.push(String(error.error())));
    const page = await context.newPage();
    try {
      await body(page);
    } catch (error) {
      await picture(page, `failed: ${name}`);
      throw error;
    } finally {
      await context.close();
    }
    assert.deepEqual(complaints, [], "what the browser complains about");
  });
}

export async function picture(page, name) {
  await page.screenshot({ path: `${PICTURES}${name.replace(/[^a-z0-9]+/gi, "-")}.png`, fullPage: true });
}

/** Waits until `read` gives a value that `isRight`. */
export async function until(read, isRight) {
  const end = performance.now() + 10_000;
  for (;;) {
    const value = await read();
    if (isRight(value)) return value;
    assert.ok(performance.now() < end, `not after 10 s: ${JSON.stringify(value)}`);
    await sleep(50);
  }
}

async function call(url, options = {}) {
  const response = await fetch(url, options);
  const text = await response.text();
  return { status: response.status, text, body: /^[{[]/.test(text) ? JSON.parse(text) : undefined };
}

const json = (value) => (value === undefined ? {} : { method: "POST", body: JSON.stringify(value) });

/** A call of the merchant's API: a GET without a body, a POST with one. */
export function merchant(path, body) {
  return call(API_URL + path, { ...json(body), headers: { Authorization: `Bearer ${MERCHANT_TOKEN}`, "Content-Type": "application/json" } });
}

/** A call of the control API. */
export function control(path, body) {
  return call(`${PROVIDER_URL}/_control/${path}`, json(body));
}

let made = 0;
/** A new id. */
export const newId = (what) => `${what}-${process.pid}-${++made}`;

/** A new transaction number. */
export const newNumber = () => String(Math.trunc(Math.random() * 9e10) + 1e10);

/** Registers an order. Gives its id and the address of its payment window. */
export async function order(fields = {}) {
  const id = newId("order");
  const content = { custom_transaction_id: id, label: "user-1", currency_code: "INR", ...fields };
  const { status, text, body } = await merchant("/deposits", content);
  assert.equal(status, 201, text);
  return { id, link: body.payment_window_url };
}

/** An address with some parameters changed; null takes one away. */
export function edited(address, parameters) {
  const url = new URL(address);
  for (const [name, value] of Object.entries(parameters)) {
    if (value === null) url.searchParams.delete(name);
    else url.searchParams.set(name, value);
  }
  return url.href;
}

/** The order as the merchant's API has it, once it `isRight`. */
export async function deposit(id, isRight) {
  return until(async () => (await merchant(`/deposits/${id}`)).body, isRight);
}

/** Asks for a withdrawal. Gives its id and the answer. */
export async function withdraw(amount) {
  const id = newId("w");
  const content = { withdrawal_id: id, label: "user-1", amount, currency_code: "INR", account_number: "1234560079" };
  return { id, answer: await merchant("/withdrawals", content) };
}

/** The state of a withdrawal in the merchant's API. */
export const withdrawalState = async (id) => (await merchant(`/withdrawals/${id}`)).body?.state;

/** The names of the installed fonts that have a language. */
export const fontsOf = (lang) => execFileSync("fc-list", [`:lang=${lang}`, "family"], { encoding: "utf8" }).trim().split(/[\n,]/);
