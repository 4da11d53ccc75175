"""The shop's money: each function leaves the database in a state that is right, whatever happens next."""

import json
import os
import re
import sqlite3
from pathlib import Path

from paykassma import call

SCHEMA = (Path(__file__).parent.parent / "schema.sql").read_text()
# Events that need nobody and change only what the user sees.
NEWS = ["deposit.activation_failed", "payment.contested", "transaction.resolved"]
NEWS += ["withdrawal.submitted", "withdrawal.unknown", "withdrawal.needs_review"]


def connect():
    db = sqlite3.connect(os.environ["DATABASE"])
    db.row_factory = sqlite3.Row
    db.executescript(SCHEMA)
    return db


def hundredths(amount):
    """A decimal such as "500.25" as 50025, exactly; None if it is not a positive amount with at most 2 decimals."""
    match = re.fullmatch(r"([0-9]{1,12})(?:\.([0-9]{1,2})0*)?", amount)
    return (int(match[1]) * 100 + int((match[2] or "").ljust(2, "0")) or None) if match else None


def decimal(amount):
    return f"{amount // 100}.{amount % 100:02}"


def find(db, table, id):
    return db.execute(f"SELECT * FROM {table} WHERE id = ?", (id,)).fetchone()


def create_order(db, id, user, amount):
    with db:
        db.execute("INSERT INTO orders (id, user_id, amount) VALUES (?, ?, ?)", (id, user, amount))


def register(db, order):
    """Registers a stored order. The link and `params` may be shown only after that."""
    content = {"custom_transaction_id": order["id"], "label": order["user_id"], "currency_code": "INR", "amount": decimal(order["amount"])}
    status, answer = call("POST", "/deposits", content)
    state = "registered" if status in (200, 201) else "refused" if status in (400, 409, 422) else "new"
    with db:
        db.execute(
            "UPDATE orders SET state = ?, params = ?, link = ?, message = ? WHERE id = ? AND state = 'new'",
            (state, json.dumps(answer.get("params", {})), answer.get("payment_window_url"), answer.get("message", ""), order["id"]),
        )


class NotReserved(Exception):
    pass


def reserve(db, id, user, amount, account_number):
    """Stores a withdrawal and takes its money from the balance. Repeated with the same id, it does nothing."""
    with db:
        stored = db.execute(
            "INSERT INTO withdrawals (id, user_id, amount, account_number) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (id, user, amount, account_number),
        )
        if stored.rowcount == 0:
            return
        taken = db.execute("UPDATE users SET balance = balance - ? WHERE id = ? AND balance >= ? AND NOT stopped", (amount, user, amount))
        if taken.rowcount == 0:
            raise NotReserved("The balance is too small, or withdrawals are stopped.")


def submit(db, withdrawal):
    """Asks for a stored withdrawal, always with the same id and content."""
    content = {
        "withdrawal_id": withdrawal["id"],
        "label": withdrawal["user_id"],
        "amount": withdrawal["amount"] // 100,
        "currency_code": "INR",
        "account_number": withdrawal["account_number"],
    }
    status, answer = call("POST", "/withdrawals", content)
    code = answer.get("code")
    with db:
        if status in (200, 201, 202):  # recorded: wait for the event
            set_state(db, withdrawal["id"], "sent")
        elif status == 422 and code == "provider_rejected":
            end(db, withdrawal["id"], "failed")
        elif status in (400, 409) or status == 422 and code != "limit_reached":
            set_state(db, withdrawal["id"], "held")
        # Everything else releases nothing and stays new: it may be recorded, or the same request helps later.
        message = answer.get("message") or answer.get("state", "")
        db.execute("UPDATE withdrawals SET message = ? WHERE id = ?", (message, withdrawal["id"]))


def set_state(db, id, state):
    db.execute("UPDATE withdrawals SET state = ? WHERE id = ? AND state = 'new'", (state, id))


def end(db, id, state):
    """Ends a withdrawal as paid or failed, inside the caller's transaction. The money is given back once: only an open one ends."""
    ended = db.execute("UPDATE withdrawals SET state = ? WHERE id = ? AND state IN ('new', 'sent')", (state, id))
    if ended.rowcount == 1 and state == "failed":
        db.execute("UPDATE users SET balance = balance + w.amount FROM withdrawals AS w WHERE w.id = ? AND users.id = w.user_id", (id,))


def handle(db, body):
    """Stores a verified event and acts on it, in one transaction. An event that is stored already does nothing."""
    event = json.loads(body)
    with db:
        stored = db.execute(
            "INSERT INTO events (id, type, body) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (event["id"], event["type"], body.decode())
        )
        if stored.rowcount == 0:
            return
        problem = act(db, event)
        db.execute("UPDATE events SET problem = ? WHERE id = ?", (problem, event["id"]))


def act(db, event):
    """Gives the reason why a person must look, or None."""
    type, data = event["type"], event["data"]
    kind, _, id = event["transaction"].partition("#")
    if kind in ("deposit", "withdrawal"):
        db.execute(
            f"UPDATE {kind.replace('deposit', 'order')}s SET event = ?, generation = ?, version = ?"
            " WHERE id = ? AND (generation, version) <= (?, ?)",
            (type, event["generation"], event["version"], id, event["generation"], event["version"]),
        )
    if type == "deposit.credited":
        return credit(db, data)
    if type in ("withdrawal.paid", "withdrawal.failed"):
        return end_as_reported(db, data, type.removeprefix("withdrawal."))
    if type == "withdrawal.conflict":
        db.execute("UPDATE users SET stopped = 1 WHERE id = (SELECT user_id FROM withdrawals WHERE id = ?)", (data["withdrawal_id"],))
    return None if type in NEWS else "the operator must look"


def credit(db, data):
    order, amount = find(db, "orders", data["custom_transaction_id"]), hundredths(data["amount"])
    if not order or order["user_id"] != data["label"] or data["currency_code"] != "INR" or not amount:
        return "the order, label, currency or amount is not ours: nobody was credited"
    booked = db.execute(
        "INSERT INTO payments (wallet_type, transaction_id, order_id, amount) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (data["wallet_type"], data["transaction_id"], order["id"], amount),
    )
    if booked.rowcount == 0:
        return "another event credited this payment: nothing more was credited"
    db.execute("UPDATE users SET balance = balance + ? WHERE id = ?", (amount, order["user_id"]))


def end_as_reported(db, data, state):
    withdrawal = find(db, "withdrawals", data["withdrawal_id"])
    if not withdrawal or withdrawal["amount"] != hundredths(data["amount"]) or data["currency_code"] != "INR":
        return "the withdrawal, amount or currency is not ours: nothing was changed"
    end(db, withdrawal["id"], state)
    if find(db, "withdrawals", withdrawal["id"])["state"] != state:
        return f"the withdrawal is {withdrawal['state']} here: nothing was changed"
