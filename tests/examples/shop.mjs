// Tries one shop of examples/, EXAMPLE, through its pages, against the local stack that scripts/check-examples has started.
import assert from "node:assert/strict";
import { test } from "node:test";
import { AMOUNT, answerOnce, api, balance, buy, control, database, deliver, dropAnswerOnce, event, get, lock, newNumber, order, post,
  reconcile, requests, row, startShop, stopShop, until, withdraw } from "./support.mjs";

const payment = () => ({ wallet_type: "paytm", transaction_id: newNumber(), amount: "500", currency_code: "INR", payment_number: 1 });
const credited = (id, data = {}) =>
  event("deposit.credited", `deposit#${id}`, { custom_transaction_id: id, label: "user-1", ...payment(), ...data });
const ended = (how, id, data = {}) =>
  event(`withdrawal.${how}`, `withdrawal#${id}`, { withdrawal_id: id, amount: "300", currency_code: "INR", ...data });
const pay = (order, amount) => control("payments", { transaction_id: newNumber(), amount, custom_transaction_id: order, label: "user-1" });
const problem = (event) => database.prepare("SELECT problem FROM events WHERE id = ?").get(event.id)?.problem;
const states = async (id, state) => until(() => row("withdrawals", id)?.state, (now) => now === state);

/** Runs `body`, and checks by how much the balance changes in it, in hundredths. */
async function changesBalance(difference, body) {
  const before = await balance();
  await body(before);
  await until(balance, (now) => now === before + difference);
}

test("the page of an order shows what to pay to, and a link that opens", async () => {
  const { id, text } = await buy("500");
  const { body } = await api("/deposits", { custom_transaction_id: id, label: "user-1", currency_code: "INR", amount: 500 });
  assert.match(text, new RegExp(`<dt>identifier</dt>\\s*<dd>${body.params.identifier}</dd>`));
  const link = text.match(/href="(http[^"]+)"/)[1].replaceAll("&amp;", "&");
  assert.equal(link, body.payment_window_url);
  assert.equal((await fetch(link)).status, 200);
});

test("what the API answers is escaped", async () => {
  answerOnce("/deposits", 201, { state: "created", params: { "<i>a</i>": "<script>1</script>" }, payment_window_url: 'http://a/"><b>' });
  const { text } = await buy("500");
  assert.doesNotMatch(text, /<i>|<script>|<b>/);
  assert.match(text, /&lt;script&gt;/);
  database.exec("DELETE FROM orders WHERE params LIKE '%script%'"); // the API does not know it
});

test("an order that got no answer is registered later", async () => {
  for (const _ of "123") answerOnce("/deposits", 503, { code: "try_again" }, { "Retry-After": "0" });
  const { id, text } = await buy("500");
  assert.doesNotMatch(text, /identifier/);
  assert.equal((await api(`/deposits/${id}`)).status, 404);
  assert.equal((await reconcile()).status, 0);
  assert.equal((await api(`/deposits/${id}`)).status, 200);
  assert.match((await get(`/orders/${id}`)).text, /identifier/);
});

test("a payment is credited once, to the hundredth", async () => {
  const id = await order("1.15");
  await changesBalance(115, () => pay(id, "1.15"));
  await changesBalance(229, () => pay(id, "2.29"));
  await changesBalance(0, async () => {
    const { body } = database.prepare("SELECT body FROM events WHERE type = 'deposit.credited' ORDER BY rowid DESC").get();
    const genuine = JSON.parse(body);
    for (const _ of "123") assert.equal(await deliver(genuine), 204);
    assert.equal(problem(genuine), null);
    const again = { ...genuine, id: event("", "", {}).id };
    assert.equal(await deliver(again), 204);
    assert.match(problem(again), /another event/);
    database.exec("UPDATE events SET problem = NULL");
  });
});

for (const [amount, says] of [["500", /being|started|check/i], ["525", /rejected/], ["527", /Nothing was found/], ["521", /was found/]]) {
  test(`the number of a payment of ${amount} is answered: ${says}`, async () => {
    const id = await order(amount);
    const [number, credit] = [newNumber(), { 500: 500, 521: 521 }[amount] ?? 0];
    await changesBalance(credit * 100, async () => {
      assert.match((await post(`/orders/${id}/activation`, { key1: number, amount })).alert, says);
      if (amount !== "500") return;
      const other = await order(amount);
      assert.match((await post(`/orders/${other}/activation`, { key1: number, amount })).alert, /Another order has this number/);
      await control("payments", { transaction_id: number, amount });
    });
  });
}

test("other answers to a number are explained", async () => {
  const id = await order("500");
  const enter = async (key1 = newNumber()) => (await post(`/orders/${id}/activation`, { key1, amount: "500" })).alert;
  answerOnce(`/deposits/${id}/activation`, 429, { code: "too_many_numbers", message: "" });
  assert.match(await enter(), /tomorrow/);
  assert.match(await enter("1"), /digits/);
  await control("faults", { on: "activate", fault: "accepted_but_lost" });
  assert.match(await enter(), /not known yet/);
  for (const _ of "123") answerOnce(`/deposits/${id}/activation`, 503, { code: "try_again" }, { "Retry-After": "0" });
  assert.match(await enter(), /try again/i);
});

test("a rejected number is shown when its event comes, and an older event does not hide it", async () => {
  const id = await order("500");
  const failed = event("deposit.activation_failed", `deposit#${id}`, { custom_transaction_id: id, key1: "1", amount: "500" });
  assert.equal(await deliver({ ...failed, version: 5 }), 204);
  assert.equal(await deliver({ ...event("payment.contested", `deposit#${id}`, {}), version: 4 }), 204);
  assert.match((await get(`/orders/${id}`)).text, /number was rejected/);
  assert.equal(await deliver({ ...event("payment.contested", `deposit#${id}`, {}), generation: 2, version: 1 }), 204);
  assert.doesNotMatch((await get(`/orders/${id}`)).text, /number was rejected/);
});

test("there is money to withdraw", async () => {
  const id = await order(AMOUNT);
  await changesBalance(AMOUNT * 100, () => pay(id, AMOUNT));
});

test("a withdrawal is paid, and its form sent twice is one withdrawal", async () => {
  await changesBalance(-31100, async () => {
    const { id, form } = await withdraw("311");
    await post("/withdrawals", form);
    await states(id, "paid");
    assert.equal((await control(`withdrawals/${id}`)).body.accepted_count, 1);
  });
});

for (const [amount, how] of [["312", "fails"], ["316", "is rejected"]]) {
  test(`the money of a withdrawal that ${how} is given back once`, async () => {
    await changesBalance(0, async () => {
      const { id } = await withdraw(amount);
      await states(id, "failed");
      await until(() => row("withdrawals", id).event, (type) => type === "withdrawal.failed");
      for (const _ of "12") assert.equal(await deliver(ended("failed", id, { amount })), 204);
    });
  });
}

test("a withdrawal of unknown outcome gives nothing back, and is paid later", async () => {
  await changesBalance(-30000, async (before) => {
    await control("faults", { on: "withdrawal", fault: "accepted_but_lost" });
    const { id } = await withdraw("300");
    assert.equal(requests(id).at(-1).status, 202);
    await until(() => row("withdrawals", id).event, (type) => type === "withdrawal.unknown");
    assert.equal(row("withdrawals", id).state, "sent");
    assert.equal(await balance(), before - 30000);
    await control(`withdrawals/${id}/settle`, { status: 1 });
    await states(id, "paid");
  });
});

test("a withdrawal that is answered 503, or not at all, is sent again under its id", async () => {
  const answer503 = () => answerOnce("/withdrawals", 503, { code: "try_again" }, { "Retry-After": "1" });
  for (const fail of [answer503, () => dropAnswerOnce("/withdrawals")]) {
    await changesBalance(-31100, async () => {
      fail();
      const { id } = await withdraw("311");
      const [first, second, ...more] = requests(id);
      assert.deepEqual([second.body, more], [first.body, []]);
      assert.ok(second.at - first.at >= 990, `${second.at - first.at} ms`);
      await states(id, "paid");
      const { accepted_count, distinct_bodies } = (await control(`withdrawals/${id}`)).body;
      assert.deepEqual([accepted_count, distinct_bodies], [1, 1]);
    });
  }
});

for (const [status, code] of [[503, "withdrawals_off"], [503, "try_again"], [422, "limit_reached"], [429, undefined], [403, undefined]]) {
  test(`after ${status} ${code} nothing is given back, and the same withdrawal is sent later`, async () => {
    await changesBalance(-31100, async (before) => {
      answerOnce("/withdrawals", status, { code, message: "later" }, { "Retry-After": "60" });
      const { id } = await withdraw("311");
      assert.equal(requests(id).length, 1);
      assert.equal(row("withdrawals", id).state, "new");
      assert.equal(await balance(), before - 31100);
      await reconcile();
      assert.equal(requests(id)[1].body, requests(id)[0].body);
      await states(id, "paid");
    });
  });
}

test("a withdrawal whose events do not come is given back if the API says that it failed, and only then", async () => {
  await changesBalance(0, async () => {
    const { id } = await withdraw("314");
    await until(() => row("withdrawals", id).event, (type) => type === "withdrawal.submitted");
    assert.equal((await reconcile()).status, 0);
    assert.equal(row("withdrawals", id).state, "sent");
    await stopShop();
    await control(`withdrawals/${id}/settle`, { status: 5 });
    await until(async () => (await api(`/withdrawals/${id}`)).body.state, (state) => state === "failed");
    assert.equal((await reconcile()).status, 0);
    assert.equal(row("withdrawals", id).state, "failed");
    await startShop();
    await until(() => row("withdrawals", id).event, (type) => type === "withdrawal.failed");
  });
});

test("too much, and an account that is none, are refused", async () => {
  await changesBalance(0, async () => {
    for (const [amount, account] of [["9000000", "1234560079"], ["300", "12"], ["0", "1234560079"], ["1.5", "1234560079"]]) {
      const { id, status } = await withdraw(amount, account);
      assert.deepEqual([status, row("withdrawals", id)], [422, undefined]);
    }
  });
});

test("events that come while the shop is down are booked once it is back", async () => {
  const id = await order("500");
  await changesBalance(50000, async () => {
    await stopShop();
    await pay(id, "500");
    await until(async () => (await api(`/deposits/${id}`)).body.state, (state) => state === "credited");
    const { status, text } = await reconcile();
    assert.equal(status, 1);
    assert.match(text, new RegExp(`${id}.*\\n.*${id}.* is not booked`));
    await startShop();
  });
});

test("after all this, the shop and the API agree, and a booking that is missing is found", async () => {
  assert.deepEqual(await reconcile(), { status: 0, text: "" });
  const sum = (table, where) => database.prepare(`SELECT sum(amount) AS sum FROM ${table} WHERE ${where}`).get().sum;
  assert.equal(await balance(), sum("payments", "true") - sum("withdrawals", "state <> 'failed'"));
  const payment = database.prepare("SELECT * FROM payments ORDER BY rowid DESC").get();
  database.prepare("DELETE FROM payments WHERE transaction_id = ?").run(payment.transaction_id);
  await changesBalance(0, async () => {
    const { status, text } = await reconcile();
    assert.deepEqual([status, text.includes(payment.transaction_id)], [1, true]);
  });
  database.prepare("INSERT INTO payments VALUES (?, ?, ?, ?)").run(...Object.values(payment));
  assert.deepEqual(await reconcile(), { status: 0, text: "" });
  const { id } = database.prepare("SELECT id FROM withdrawals WHERE state = 'paid'").get();
  database.prepare("UPDATE withdrawals SET state = 'failed' WHERE id = ?").run(id);
  assert.match((await reconcile()).text, new RegExp(`${id}.*failed here and paid`));
  database.prepare("UPDATE withdrawals SET state = 'paid' WHERE id = ?").run(id);
});

// From here on, events that the API does not know are posted, so that they are no longer the same.

const wrong = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
const refused = {
  "signed with another key": { secrets: [wrong] },
  "altered": { alter: (body) => body.replace('"500"', '"900"') },
  "with a space more": { alter: (body) => `${body} ` },
  "old": { age: 305 },
  "from the future": { age: -330 },
  "re-dated": { headers: { "webhook-timestamp": String(Math.trunc(Date.now() / 1000) - 1) } },
  "with another id": { headers: { "webhook-id": "0".repeat(32) } },
  "without an id": { headers: { "webhook-id": undefined } },
  "without a timestamp": { headers: { "webhook-timestamp": undefined } },
  "without a signature": { headers: { "webhook-signature": undefined } },
  "with an empty signature": { headers: { "webhook-signature": "v1," } },
  "with a signature that is none": { headers: { "webhook-signature": "v1" } },
  "with a timestamp that is none": { headers: { "webhook-timestamp": "now" } },
  "not JSON, and signed with another key": { secrets: [wrong], alter: () => "{" },
};
for (const [name, how] of Object.entries(refused)) {
  test(`an event ${name} is refused and books nothing`, async () => {
    const id = await order("500");
    await changesBalance(0, async () => {
      const forged = credited(id);
      assert.equal(await deliver(forged, how), 401);
      assert.equal(problem(forged), undefined);
      assert.equal(database.prepare("SELECT count(*) AS n FROM payments WHERE order_id = ?").get(id).n, 0);
    });
  });
}

const taken = {
  "signed now": {},
  "almost 5 minutes old": { age: 270 },
  "signed with the previous and the current key": { secrets: [wrong, process.env.EVENTS_SECRET] },
  "signed with the current and the next key": { secrets: [process.env.EVENTS_SECRET, wrong] },
  "with spaces and letters outside ASCII": { write: (event) => JSON.stringify({ ...event, note: "ünï ₹" }, null, 3) },
};
for (const [name, how] of Object.entries(taken)) {
  test(`an event ${name} is taken once`, async () => {
    const id = await order("500");
    const genuine = credited(id);
    await changesBalance(50000, async () => {
      assert.deepEqual(await Promise.all(Array.from({ length: 5 }, () => deliver(genuine, how))), [204, 204, 204, 204, 204]);
      assert.equal(problem(genuine), null);
    });
  });
}

test("a credit that does not fit the order credits nobody and is kept for a person", async () => {
  const id = await order("500");
  await changesBalance(0, async () => {
    const order = { custom_transaction_id: "order-1" };
    for (const data of [order, { label: "user-2" }, { currency_code: "EUR" }, { amount: "5.001" }, { amount: "0" }]) {
      const misfit = credited(id, data);
      assert.equal(await deliver(misfit), 204);
      assert.match(problem(misfit), /nobody was credited/);
    }
  });
});

test("an event that cannot be stored is answered 500, and booked when it comes again", async () => {
  const genuine = credited(await order("500"));
  await changesBalance(50000, async () => {
    const release = lock();
    assert.equal(await deliver(genuine), 500);
    release();
    assert.equal(await deliver(genuine), 204);
  });
});

test("an end of a withdrawal that does not fit it gives nothing back", async () => {
  await changesBalance(-30000, async () => {
    const { id } = await withdraw("300");
    const misfits = [ended("failed", id, { amount: "301" }), ended("failed", id, { currency_code: "EUR" }), ended("paid", "unknown")];
    for (const misfit of misfits) {
      assert.equal(await deliver(misfit), 204);
      assert.match(problem(misfit), /not ours/);
    }
    assert.equal(await deliver(ended("unknown", id)), 204);
    assert.equal(await deliver(ended("needs_review", id)), 204);
    assert.equal(await deliver(ended("paid", id)), 204);
    const late = ended("failed", id);
    assert.equal(await deliver(late), 204);
    assert.match(problem(late), /is paid here/);
  });
});

test("an id that is taken waits for a person, and the other withdrawal's end gives nothing back", async () => {
  await changesBalance(-30000, async () => {
    answerOnce("/withdrawals", 409, { code: "id_taken", message: "the amount differs" });
    const { id } = await withdraw("300");
    assert.equal(row("withdrawals", id).state, "held");
    const other = ended("failed", id);
    assert.equal(await deliver(other), 204);
    assert.match(problem(other), /is held here/);
    const { text } = await reconcile();
    assert.match(text, new RegExp(`${id}.*a person must decide`));
    assert.equal(requests(id).length, 1);
  });
});

test("an unknown event is stored for a person", async () => {
  const unknown = event("deposit.reversed", "deposit#1", {});
  assert.equal(await deliver(unknown), 204);
  assert.match((await reconcile()).text, new RegExp(`${unknown.id} \\(deposit.reversed\\): the operator must look`));
});

test("after a conflict, the user cannot withdraw until somebody has looked", async () => {
  answerOnce("/withdrawals", 422, { code: "limit_reached", message: "later" });
  const { id: waiting } = await withdraw("300");
  const { id } = database.prepare("SELECT id FROM withdrawals WHERE state = 'paid'").get();
  assert.equal(await deliver(ended("conflict", id, { mismatch: "withdrawal_status" })), 204);
  await changesBalance(0, async () => assert.equal((await withdraw("300")).status, 422));
  assert.match((await reconcile()).text, new RegExp(`${waiting}.* are stopped`));
  assert.equal(requests(waiting).length, 1);
});
