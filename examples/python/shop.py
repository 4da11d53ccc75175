"""The shop's pages. The customer's login, and with it the protection against forged forms (CSRF), is left out: there is one user."""

import json
import os
import re
import uuid

from flask import Flask, abort, g, redirect, render_template, request

import store
from paykassma import call, is_genuine

USER = "user-1"
app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 1 << 20
app.jinja_env.globals["decimal"] = store.decimal


def database():
    if "db" not in g:
        g.db = store.connect()
    return g.db


@app.teardown_request
def disconnect(_error):
    if "db" in g:
        g.db.close()


@app.get("/")
def home(message="", status=200):
    def rows(table):
        return database().execute(f"SELECT * FROM {table} WHERE user_id = ? ORDER BY rowid DESC LIMIT 50", (USER,)).fetchall()

    user, withdrawal_id = store.find(database(), "users", USER), str(uuid.uuid4())
    page = {"user": user, "orders": rows("orders"), "withdrawals": rows("withdrawals"), "withdrawal_id": withdrawal_id}
    return render_template("home.html", message=message, **page), status


@app.post("/orders")
def create_order():
    amount, id = store.hundredths(request.form.get("amount", "")), str(uuid.uuid4())
    if not amount:
        return home("Enter an amount, such as 500.", 422)
    store.create_order(database(), id, USER, amount)
    return redirect(f"/orders/{id}", 303)


def own_order(id):
    order = store.find(database(), "orders", id)
    return order if order and order["user_id"] == USER else abort(404)


@app.get("/orders/<id>")
def show_order(id, message=""):
    order = own_order(id)
    if order["state"] == "new":  # the answer has not come yet; to register an order again has no second effect
        store.register(database(), order)
        order = own_order(id)
    return render_template("order.html", order=order, params=json.loads(order["params"] or "{}"), message=message or order["message"])


@app.post("/orders/<id>/activation")
def activate(id):
    content = {"key1": request.form.get("key1", ""), "amount": request.form.get("amount", "")}
    status, answer = call("POST", f"/deposits/{own_order(id)['id']}/activation", content)
    return show_order(id, activation_message(status, answer))


def activation_message(status, answer):
    if status == 200 and answer.get("state") == "activated":
        return "The payment was found. Your balance changes as soon as it is confirmed."
    if status == 200 and answer.get("state") == "possible":
        return "Nothing was found so far."
    if status == 200:
        return answer.get("message", "The payment is being looked for.")
    if status == 202:
        return "It is not known yet what became of this number. You may send it again."
    if answer.get("code") == "provider_rejected":
        return f"The number was rejected: {answer.get('message')} Enter another one."
    if answer.get("code") == "transaction_in_use":
        return "Another order has this number."
    if answer.get("code") == "too_many_numbers":
        return "Too many numbers were entered today. Try again tomorrow."
    if answer.get("code") == "invalid_field":
        return answer.get("message")
    return "Please try again in a minute."


@app.post("/withdrawals")
def withdraw():
    id, amount, account = (request.form.get(name, "") for name in ("id", "amount", "account_number"))
    is_valid = re.fullmatch(r"[0-9a-f-]{36}", id) and re.fullmatch(r"[1-9][0-9]{0,7}", amount) and re.fullmatch(r"[0-9]{10}", account)
    if not is_valid:
        return home("Enter a whole amount, and the 10 digits of the account.", 422)
    try:
        store.reserve(database(), id, USER, store.hundredths(amount), account)
    except store.NotReserved as refused:
        return home(str(refused), 422)
    withdrawal = store.find(database(), "withdrawals", id)
    if withdrawal["state"] == "new":
        store.submit(database(), withdrawal)
    return redirect("/", 303)


@app.post("/events")
def receive_event():
    body = request.get_data()
    if not is_genuine(body, request.headers):
        return "", 401
    store.handle(database(), body)  # if it fails, the answer is 500 and the event comes again
    return "", 204


if __name__ == "__main__":
    app.run(port=int(os.environ["PORT"]))
