"""Run it every few minutes. It sends again what got no answer, and prints each difference between the shop and the API.

It gives money back if the API says that a withdrawal is rejected or has failed. It credits nothing and ends nothing as paid:
no answer of GET is signed, and an event that was missed comes again by itself. Status 1: there are differences; a difference that
stays needs a person.
"""

import sys

import store
from paykassma import call

RECENT = "created_at > unixepoch() - 30 * 86400"


def check_order(db, order):
    if order["state"] == "new":
        store.register(db, order)
        order = store.find(db, "orders", order["id"])
    if order["state"] == "refused":
        return
    status, answer = call("GET", f"/deposits/{order['id']}")
    if status != 200:
        yield f"the API answers {status}"
        return
    booked = db.execute("SELECT wallet_type, transaction_id, amount FROM payments WHERE order_id = ?", (order["id"],)).fetchall()
    ours = {(row["wallet_type"], row["transaction_id"]): row["amount"] for row in booked}
    count, total = len(ours), sum(ours.values())
    if count != answer["credited_count"] or total != (store.hundredths(answer["credited_sum"]) or 0):
        yield f"{count} payments of {store.decimal(total)} are booked, {answer['credited_count']} of {answer['credited_sum']} credited"
    for theirs in answer["credited"]:
        if ours.get((theirs["wallet_type"], theirs["transaction_id"])) != store.hundredths(theirs["amount"]):
            yield f"payment {theirs['wallet_type']} {theirs['transaction_id']} of {theirs['amount']} is not booked"


def check_withdrawal(db, withdrawal):
    id = withdrawal["id"]
    if withdrawal["state"] == "new":
        if store.find(db, "users", withdrawal["user_id"])["stopped"]:
            yield "it is not sent again, because withdrawals of its user are stopped"
            return
        store.submit(db, withdrawal)
        withdrawal = store.find(db, "withdrawals", id)
    if withdrawal["state"] == "held":
        yield f"a person must decide: {withdrawal['message']}"
    if withdrawal["state"] in ("new", "held"):
        return
    status, answer = call("GET", f"/withdrawals/{id}")
    if status != 200:
        yield f"the API answers {status}"
        return
    if store.hundredths(answer["amount"]) != withdrawal["amount"] or answer["currency_code"] != "INR":
        yield f"it is of {answer['amount']} {answer['currency_code']} at the API"
        return
    has_failed = answer["state"] in ("rejected", "failed")
    if has_failed:
        with db:
            store.end(db, id, "failed")
    ours = store.find(db, "withdrawals", id)["state"]
    if (ours == "failed") != has_failed or (ours == "paid") != (answer["state"] == "paid"):
        yield f"it is {ours} here and {answer['state']} at the API"


def differences(db):
    for order in db.execute(f"SELECT * FROM orders WHERE {RECENT}").fetchall():
        for difference in check_order(db, order):
            yield f"order {order['id']}: {difference}"
    for withdrawal in db.execute(f"SELECT * FROM withdrawals WHERE state NOT IN ('paid', 'failed') OR {RECENT}").fetchall():
        for difference in check_withdrawal(db, withdrawal):
            yield f"withdrawal {withdrawal['id']}: {difference}"
    for event in db.execute("SELECT * FROM events WHERE problem IS NOT NULL"):
        yield f"event {event['id']} ({event['type']}): {event['problem']}"


found = list(differences(store.connect()))
for difference in found:
    print(difference)
sys.exit(1 if found else 0)
