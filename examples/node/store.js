// The shop's money: each function leaves the database in a state that is right, whatever happens next.
import { readFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { call } from "./paykassma.js";

// Events that need nobody and change only what the user sees.
const NEWS = ["deposit.activation_failed", "payment.contested", "transaction.resolved"];
NEWS.push("withdrawal.submitted", "withdrawal.unknown", "withdrawal.needs_review");

const db = new DatabaseSync(process.env.DATABASE);
db.exec(readFileSync(new URL("../schema.sql", import.meta.url), "utf8"));

export const all = (sql, ...values) => db.prepare(sql).all(...values);
export const find = (table, id) => db.prepare(`SELECT * FROM ${table} WHERE id = ?`).get(id);
/** Gives how many rows changed. */
const run = (sql, ...values) => db.prepare(sql).run(...values).changes;

function transaction(body) {
  db.exec("BEGIN IMMEDIATE");
  try {
    body();
    db.exec("COMMIT");
  } catch (error) {
    if (db.isTransaction) db.exec("ROLLBACK");
    throw error;
  }
}

/** A decimal such as "500.25" as 50025, exactly; undefined if it is not a positive amount with at most 2 decimals. */
export function hundredths(amount) {
  const [, whole, part = ""] = /^(\d{1,12})(?:\.(\d{1,2})0*)?$/.exec(amount) ?? [];
  return whole && (Number(whole) * 100 + Number(part.padEnd(2, "0")) || undefined);
}

export const decimal = (amount) => `${Math.trunc(amount / 100)}.${String(amount % 100).padStart(2, "0")}`;

export const createOrder = (id, user, amount) => run("INSERT INTO orders (id, user_id, amount) VALUES (?, ?, ?)", id, user, amount);

/** Registers a stored order. The link and `params` may be shown only after that. */
export async function register({ id, user_id, amount }) {
  const content = { custom_transaction_id: id, label: user_id, currency_code: "INR", amount: decimal(amount) };
  const { status, answer } = await call("POST", "/deposits", content);
  const state = [200, 201].includes(status) ? "registered" : [400, 409, 422].includes(status) ? "refused" : "new";
  run("UPDATE orders SET state = ?, params = ?, link = ?, message = ? WHERE id = ? AND state = 'new'",
    state, JSON.stringify(answer.params ?? {}), answer.payment_window_url ?? null, answer.message ?? "", id);
}

export class NotReserved extends Error {}

/** Stores a withdrawal and takes its money from the balance. Repeated with the same id, it does nothing. */
export function reserve(id, user, amount, accountNumber) {
  transaction(() => {
    const isNew = run("INSERT INTO withdrawals (id, user_id, amount, account_number) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
      id, user, amount, accountNumber);
    if (!isNew) return;
    const isTaken = run("UPDATE users SET balance = balance - ? WHERE id = ? AND balance >= ? AND NOT stopped", amount, user, amount);
    if (!isTaken) throw new NotReserved("The balance is too small, or withdrawals are stopped.");
  });
}

/** Asks for a stored withdrawal, always with the same id and content. */
export async function submit({ id, user_id, amount, account_number }) {
  const content = { withdrawal_id: id, label: user_id, amount: amount / 100, currency_code: "INR", account_number };
  const { status, answer } = await call("POST", "/withdrawals", content);
  transaction(() => {
    if ([200, 201, 202].includes(status)) setState(id, "sent"); // recorded: wait for the event
    else if (status === 422 && answer.code === "provider_rejected") end(id, "failed");
    else if ([400, 409].includes(status) || (status === 422 && answer.code !== "limit_reached")) setState(id, "held");
    // Everything else releases nothing and stays new: it may be recorded, or the same request helps later.
    run("UPDATE withdrawals SET message = ? WHERE id = ?", answer.message ?? answer.state ?? "", id);
  });
}

const setState = (id, state) => run("UPDATE withdrawals SET state = ? WHERE id = ? AND state = 'new'", state, id);

/** Ends a withdrawal as paid or failed, inside the caller's transaction. The money is given back once: only an open one ends. */
function end(id, state) {
  const isEnded = run("UPDATE withdrawals SET state = ? WHERE id = ? AND state IN ('new', 'sent')", state, id);
  if (isEnded && state === "failed") {
    run("UPDATE users SET balance = balance + w.amount FROM withdrawals AS w WHERE w.id = ? AND users.id = w.user_id", id);
  }
}

export const giveBack = (id) => transaction(() => end(id, "failed"));

/** Stores a verified event and acts on it, in one transaction. An event that is stored already does nothing. */
export function handle(body) {
  const event = JSON.parse(body);
  transaction(() => {
    const isNew = run("INSERT INTO events (id, type, body) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", event.id, event.type, body);
    if (isNew) run("UPDATE events SET problem = ? WHERE id = ?", act(event) ?? null, event.id);
  });
}

/** Gives the reason why a person must look, if there is one. */
function act({ type, transaction, generation, version, data }) {
  const [kind, id] = transaction.split("#");
  const table = { deposit: "orders", withdrawal: "withdrawals" }[kind];
  if (table) {
    run(`UPDATE ${table} SET event = ?, generation = ?, version = ? WHERE id = ? AND (generation, version) <= (?, ?)`,
      type, generation, version, id, generation, version);
  }
  switch (type) {
    case "deposit.credited":
      return credit(data);
    case "withdrawal.paid":
      return endAsReported(data, "paid");
    case "withdrawal.failed":
      return endAsReported(data, "failed");
    case "withdrawal.conflict":
      run("UPDATE users SET stopped = 1 WHERE id = (SELECT user_id FROM withdrawals WHERE id = ?)", data.withdrawal_id);
  }
  if (!NEWS.includes(type)) return "the operator must look";
}

function credit(data) {
  const [order, amount] = [find("orders", data.custom_transaction_id), hundredths(data.amount)];
  if (!order || order.user_id !== data.label || data.currency_code !== "INR" || !amount) {
    return "the order, label, currency or amount is not ours: nobody was credited";
  }
  const isNew = run("INSERT INTO payments (wallet_type, transaction_id, order_id, amount) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
    data.wallet_type, data.transaction_id, order.id, amount);
  if (!isNew) return "another event credited this payment: nothing more was credited";
  run("UPDATE users SET balance = balance + ? WHERE id = ?", amount, order.user_id);
}

function endAsReported(data, state) {
  const withdrawal = find("withdrawals", data.withdrawal_id);
  if (!withdrawal || withdrawal.amount !== hundredths(data.amount) || data.currency_code !== "INR") {
    return "the withdrawal, amount or currency is not ours: nothing was changed";
  }
  end(withdrawal.id, state);
  const now = find("withdrawals", withdrawal.id).state;
  if (now !== state) return `the withdrawal is ${now} here: nothing was changed`;
}
