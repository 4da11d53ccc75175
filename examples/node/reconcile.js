// Run it every few minutes. It sends again what got no answer, and prints each difference between the shop and the API.
//
// It gives money back if the API says that a withdrawal is rejected or has failed. It credits nothing and ends nothing as paid:
// no answer of GET is signed, and an event that was missed comes again by itself. Status 1: there are differences; a difference that
// stays needs a person.
import { call } from "./paykassma.js";
import * as store from "./store.js";

const RECENT = "created_at > unixepoch() - 30 * 86400";

async function* checkOrder(order) {
  if (order.state === "new") {
    await store.register(order);
    order = store.find("orders", order.id);
  }
  if (order.state === "refused") return;
  const { status, answer } = await call("GET", `/deposits/${order.id}`);
  if (status !== 200) return yield `the API answers ${status}`;
  const booked = store.all("SELECT wallet_type, transaction_id, amount FROM payments WHERE order_id = ?", order.id);
  const sum = booked.reduce((sum, { amount }) => sum + amount, 0);
  if (booked.length !== answer.credited_count || sum !== (store.hundredths(answer.credited_sum) ?? 0)) {
    yield `${booked.length} payments of ${store.decimal(sum)} are booked, ${answer.credited_count} of ${answer.credited_sum} credited`;
  }
  for (const { wallet_type, transaction_id, amount } of answer.credited) {
    const ours = booked.find((payment) => payment.wallet_type === wallet_type && payment.transaction_id === transaction_id);
    if (!ours || ours.amount !== store.hundredths(amount)) yield `payment ${wallet_type} ${transaction_id} of ${amount} is not booked`;
  }
}

async function* checkWithdrawal(withdrawal) {
  const { id } = withdrawal;
  if (withdrawal.state === "new") {
    const { stopped } = store.find("users", withdrawal.user_id);
    if (stopped) return yield "it is not sent again, because withdrawals of its user are stopped";
    await store.submit(withdrawal);
    withdrawal = store.find("withdrawals", id);
  }
  if (withdrawal.state === "held") yield `a person must decide: ${withdrawal.message}`;
  if (["new", "held"].includes(withdrawal.state)) return;
  const { status, answer } = await call("GET", `/withdrawals/${id}`);
  if (status !== 200) return yield `the API answers ${status}`;
  if (store.hundredths(answer.amount) !== withdrawal.amount || answer.currency_code !== "INR") {
    return yield `it is of ${answer.amount} ${answer.currency_code} at the API`;
  }
  const hasFailed = ["rejected", "failed"].includes(answer.state);
  if (hasFailed) store.giveBack(id);
  const ours = store.find("withdrawals", id).state;
  if ((ours === "failed") !== hasFailed || (ours === "paid") !== (answer.state === "paid")) {
    yield `it is ${ours} here and ${answer.state} at the API`;
  }
}

function report(difference) {
  console.log(difference);
  process.exitCode = 1;
}

for (const order of store.all(`SELECT * FROM orders WHERE ${RECENT}`)) {
  for await (const difference of checkOrder(order)) report(`order ${order.id}: ${difference}`);
}
for (const withdrawal of store.all(`SELECT * FROM withdrawals WHERE state NOT IN ('paid', 'failed') OR ${RECENT}`)) {
  for await (const difference of checkWithdrawal(withdrawal)) report(`withdrawal ${withdrawal.id}: ${difference}`);
}
for (const { id, type, problem } of store.all("SELECT * FROM events WHERE problem IS NOT NULL")) {
  report(`event ${id} (${type}): ${problem}`);
}
