// The shop's pages. The customer's login, and with it the protection against forged forms (CSRF), is left out: there is one user.
import { randomUUID } from "node:crypto";
import express from "express";
import { call, isGenuine } from "./paykassma.js";
import * as store from "./store.js";

const USER = "user-1";
const app = express();
app.set("view engine", "ejs");
app.set("views", new URL("views", import.meta.url).pathname);
app.locals.decimal = store.decimal;
const form = express.urlencoded({ extended: false });
/** A field of the form, as a string. */
const field = (request, name) => String(request.body?.[name] ?? "");

function home(response, message = "", status = 200) {
  const rows = (table) => store.all(`SELECT * FROM ${table} WHERE user_id = ? ORDER BY rowid DESC LIMIT 50`, USER);
  const page = { user: store.find("users", USER), orders: rows("orders"), withdrawals: rows("withdrawals"), withdrawalId: randomUUID() };
  response.status(status).render("home", { message, ...page });
}

app.get("/", (_request, response) => home(response));

app.post("/orders", form, (request, response) => {
  const [id, amount] = [randomUUID(), store.hundredths(field(request, "amount"))];
  if (!amount) return home(response, "Enter an amount, such as 500.", 422);
  store.createOrder(id, USER, amount);
  response.redirect(303, `/orders/${id}`);
});

/** The user's order of the request's path, for the functions behind it. */
function withOrder(request, response, next) {
  request.order = store.find("orders", request.params.id);
  if (request.order?.user_id === USER) next();
  else response.sendStatus(404);
}

async function showOrder(request, response, message = "") {
  let { order } = request;
  if (order.state === "new") {
    await store.register(order); // the answer has not come yet; to register an order again has no second effect
    order = store.find("orders", order.id);
  }
  response.render("order", { order, params: JSON.parse(order.params ?? "{}"), message: message || order.message });
}

app.get("/orders/:id", withOrder, (request, response) => showOrder(request, response));

app.post("/orders/:id/activation", form, withOrder, async (request, response) => {
  const content = { key1: field(request, "key1"), amount: field(request, "amount") };
  const { status, answer } = await call("POST", `/deposits/${request.order.id}/activation`, content);
  await showOrder(request, response, activationMessage(status, answer));
});

function activationMessage(status, { state, code, message }) {
  if (status === 200 && state === "activated") return "The payment was found. Your balance changes as soon as it is confirmed.";
  if (status === 200 && state === "possible") return "Nothing was found so far.";
  if (status === 200) return message ?? "The payment is being looked for.";
  if (status === 202) return "It is not known yet what became of this number. You may send it again.";
  if (code === "provider_rejected") return `The number was rejected: ${message} Enter another one.`;
  if (code === "transaction_in_use") return "Another order has this number.";
  if (code === "too_many_numbers") return "Too many numbers were entered today. Try again tomorrow.";
  if (code === "invalid_field") return message;
  return "Please try again in a minute.";
}

app.post("/withdrawals", form, async (request, response) => {
  const [id, amount, account] = ["id", "amount", "account_number"].map((name) => field(request, name));
  if (!/^[0-9a-f-]{36}$/.test(id) || !/^[1-9]\d{0,7}$/.test(amount) || !/^\d{10}$/.test(account)) {
    return home(response, "Enter a whole amount, and the 10 digits of the account.", 422);
  }
  try {
    store.reserve(id, USER, store.hundredths(amount), account);
  } catch (error) {
    if (error instanceof store.NotReserved) return home(response, error.message, 422);
    throw error;
  }
  const withdrawal = store.find("withdrawals", id);
  if (withdrawal.state === "new") await store.submit(withdrawal);
  response.redirect(303, "/");
});

app.post("/events", express.raw({ type: () => true, limit: "1mb" }), (request, response) => {
  if (!isGenuine(request.body, request.headers)) return response.sendStatus(401);
  store.handle(request.body.toString()); // if it fails, the answer is 500 and the event comes again
  response.sendStatus(204);
});

app.listen(Number(process.env.PORT), "127.0.0.1");
