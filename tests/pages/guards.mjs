// What a foreign page, or a foreign name for this machine, must not be able to do.
import assert from "node:assert/strict";
import { request } from "node:http";
import { test } from "node:test";
import { API_URL, MERCHANT_TOKEN, OFFICE, PROVIDER_URL, SHOP_URL, claim, control, newId, newNumber, withdraw } from "./support/browser.mjs";

const { host: HOST, port: PORT } = new URL(PROVIDER_URL);
const FORM = "application/x-www-form-urlencoded";

/** Sends a request with headers that browsers and fetch do not let a program choose. Gives the status. */
function send(url, { method = "POST", body, ...headers }) {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers }, (response) => response.resume().on("end", () => resolve(response.statusCode)));
    sent.on("error", reject).end(body);
  });
}

/** Everything that a request could have changed. */
async function records() {
  const read = async (path) => (await fetch(OFFICE + path)).text();
  const { body: postbacks } = await control("postbacks");
  return [postbacks.length, ...(await Promise.all(["/export.csv", "/settings", "/faults", "/payments"].map(read)))];
}

const form = (fields) => new URLSearchParams(fields).toString();
const link = () => ({ label: "user-1", currency_code: "INR", wallet_type: "paytm", custom_transaction_id: newId("order"), amount: "500" });
const payment = () => JSON.stringify({ transaction_id: newNumber(), amount: "500", custom_transaction_id: newId("order"), label: "user-1" });
const fault = { on: "create", fault: "slow_headers", ms: 1 };
const settings = { ...(await control("settings")).body, withdrawal_max: 999_999_999 };

/** Requests that change something, as a page elsewhere would send them: a form, or JSON as plain text. */
const CHANGES = {
  "/pay": [FORM, () => form(link())],
  "/number": [FORM, () => form({ ...link(), entered: newNumber() })],
  "/_control/payments": ["text/plain", payment],
  "/_control/postbacks": ["text/plain", payment],
  "/_control/settings": ["text/plain", () => JSON.stringify({ withdrawal_max: 999_999_998 })],
  "/_control/faults": ["text/plain", () => JSON.stringify(fault)],
  "/backoffice/payments": [FORM, () => form({ wallet_type: "paytm", transaction_id: "", amount: "500" })],
  "/backoffice/withdrawals": [FORM, () => form({ amount: "300", account_number: "1234560079", label: "user-1" })],
  "/backoffice/withdrawals/end": [FORM, (id) => form({ withdrawal_id: id, status: "1" })],
  "/backoffice/faults": [FORM, () => form(fault)],
  "/backoffice/faults/clear": [FORM, () => ""],
  "/backoffice/settings": [FORM, () => form(Object.entries(settings).filter(([, value]) => value !== null && value !== false))],
};

const HOSTS = ["evil.example", `evil.example:${PORT}`, `${HOST}.evil.example`, `localhost.evil.example:${PORT}`, `127.0.0.1.evil.example:${PORT}`, "127.0.0.1:1", "localhost:1"];
const FOREIGN = ["https://evil.example", `http://evil.example:${PORT}`, `${PROVIDER_URL}.evil.example`, SHOP_URL, "null"];

for (const [path, [type, body]] of Object.entries(CHANGES)) {
  test(`POST ${path} with a foreign Host or Origin is refused and changes nothing`, async () => {
    const { id } = await withdraw(300);
    const before = await records();
    const refused = [
      ...HOSTS.map((host) => ({ host })),
      ...HOSTS.map((host) => ({ host, origin: `http://${host}` })),
      ...FOREIGN.map((origin) => ({ origin })),
      ...["cross-site", "same-site"].map((site) => ({ origin: SHOP_URL, "sec-fetch-site": site })),
    ];
    for (const headers of refused) {
      const status = await send(PROVIDER_URL + path, { body: body(id), "content-type": type, ...headers });
      assert.ok(status >= 400 && status < 500, `${status} for ${JSON.stringify(headers)}`);
    }
    assert.deepEqual(await records(), before);
    const accepted = await send(PROVIDER_URL + path, { body: body(id), "content-type": type, origin: PROVIDER_URL });
    assert.ok(accepted < 400, `${accepted} without anything foreign`);
    assert.notDeepEqual(await records(), before);
  });
}

test("no page or list is shown under a foreign Host", async () => {
  for (const path of ["/", "/backoffice", "/backoffice/export.csv", "/backoffice/signatures", "/_control/settings", "/live", "/style.css"]) {
    for (const host of HOSTS) {
      const status = await send(PROVIDER_URL + path, { method: "GET", host });
      assert.ok(status >= 400 && status < 500, `${status} for ${path} of ${host}`);
    }
  }
});

test("the merchant's API refuses a foreign Host, also with the token", async () => {
  const headers = { method: "GET", authorization: `Bearer ${MERCHANT_TOKEN}` };
  const url = `${API_URL}/transactions?state=open`;
  assert.equal(await send(url, headers), 200);
  for (const host of ["evil.example", `${new URL(API_URL).host}.evil.example`]) {
    const status = await send(url, { ...headers, host });
    assert.ok(status >= 400 && status < 500, `${status} for ${host}`);
  }
});

test("this machine's names and the pages' own origin are accepted", async () => {
  const [type, body] = CHANGES["/backoffice/payments"];
  for (const host of [`127.0.0.1:${PORT}`, `localhost:${PORT}`]) {
    for (const headers of [{ host }, { host, origin: `http://${host}` }, { host, origin: `http://${host}`, "sec-fetch-site": "same-origin" }]) {
      assert.equal(await send(`${OFFICE}/payments`, { body: body(), "content-type": type, ...headers }), 303, JSON.stringify(headers));
    }
  }
});

claim("a page of another origin cannot pay in the browser", { statuses: [403] }, async (page) => {
  const before = await records();
  await page.goto(`${SHOP_URL}/success`);
  for (const path of ["/_control/payments", "/pay", "/backoffice/payments"]) {
    const [type, body] = CHANGES[path];
    const content = { method: "POST", mode: "no-cors", body: body(), headers: { "Content-Type": type } };
    await page.evaluate(([url, content]) => fetch(url, content).then(() => null, () => null), [PROVIDER_URL + path, content]);
  }
  assert.deepEqual(await records(), before);
});
