"""Upgrades a stack from the last release to this one, and goes back, with work in progress each time.

    python upgrade.py EMULATOR WORK LAST-BUNDLE BUNDLE

Before each change of versions there are: an order whose number was entered, a withdrawal that the provider has accepted, a queued message of
a withdrawal that was not sent, and a credit whose event is not published. Afterwards each of them ends, once.
"""
import pathlib
import platform
import sys

import boto3

import claims
from claims import Inbox, check, new_order, new_withdrawal
from stack import PARAMETERS, Stack, emulator, wait_for


def publish(is_on):
    """Switches the mapping of the table's stream."""
    functions = boto3.client("lambda")
    for mapping in functions.list_event_source_mappings()["EventSourceMappings"]:
        if ":dynamodb:" in mapping["EventSourceArn"]:
            functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=is_on)


def begin(stack, name, number):
    """Leaves the work in progress."""
    for order, amount in ((f"open-{name}", 500), (f"credited-{name}", 521)):
        check(f"{order} is created", stack.call("POST", "/deposits", new_order(order, amount))[0], 201)
    check("a number is entered", stack.call("POST", f"/deposits/open-{name}/activation", {"key1": f"{number}1", "amount": 500})[0], 200)
    check("a withdrawal is accepted", stack.call("POST", "/withdrawals", new_withdrawal(f"accepted-{name}", 314))[0], 201)
    stack.control("faults", {"on": "withdrawal", "fault": "status", "code": 429})
    check("one is not sent", stack.call("POST", "/withdrawals", new_withdrawal(f"waiting-{name}", 311))[0], 202)
    publish(False)
    check("a payment comes", stack.call("POST", f"/deposits/credited-{name}/activation", {"key1": f"{number}2", "amount": 521})[0], 200)
    wait_for("the credit", lambda: credits(stack, f"credited-{name}") == 1)


def credits(stack, order):
    return stack.call("GET", f"/deposits/{order}")[1].get("credited_count", 0)


def end(stack, inbox, name, number):
    """Ends it, after the change of versions."""
    check("its event has not been published", inbox.of("deposit.credited", f"credited-{name}"), [])
    publish(True)
    inbox.wait("deposit.credited", f"credited-{name}")
    check("the event comes", credits(stack, f"credited-{name}"), 1)
    stack.control("payments", {"transaction_id": f"{number}1", "amount": "500"})
    inbox.wait("deposit.credited", f"open-{name}")
    check("the payment of the open order is credited once", credits(stack, f"open-{name}"), 1)
    stack.control(f"withdrawals/accepted-{name}/settle", {"status": 1})
    inbox.wait("withdrawal.paid", f"accepted-{name}")
    check("the accepted withdrawal is paid", stack.state(f"accepted-{name}"), "paid")
    wait_for("the withdrawal that was not sent", lambda: stack.state(f"waiting-{name}") == "paid", seconds=100)
    check("the queued message sent the other one", len(stack.row(f"withdrawal#waiting-{name}")["attempts"]), 2)
    for kind, key in (("deposit.credited", f"credited-{name}"), ("deposit.credited", f"open-{name}"), ("withdrawal.paid", f"accepted-{name}")):
        check(f"{kind} of {key} came once", len(inbox.of(kind, key)), 1)


def main():
    environment, work, last, this = (pathlib.Path(it).resolve() for it in sys.argv[1:])
    with emulator(environment, work) as aws:
        stack = Stack(aws, None, work)
        print("The last release", flush=True)
        # A stack keeps its processor, and a bundle is for one: the deployed one is this machine's.
        stack.deploy(last, Architecture=platform.machine().replace("aarch64", "arm64"), **PARAMETERS)
        inbox = Inbox()
        with stack.simulated_provider():
            begin(stack, "before", "3123456780")
            print("The upgrade", flush=True)
            stack.deploy(this)
            end(stack, inbox, "before", "3123456780")
            begin(stack, "after", "3123456781")
            print("Back to the last release", flush=True)
            stack.deploy(last)
            end(stack, inbox, "after", "3123456781")
            print("And forward again", flush=True)
            stack.deploy(this)
            status, output = stack.operator("audit")
            check("`audit` finds nothing broken", (status, ": 0 broken" in output), (0, True), output)
            for queue in ("DeadLetterQueue", "SetAsideQueue", "UnpublishedQueue"):
                check(f"nothing waits in {queue}", stack.messages(queue), 0)
    print(f"{claims.held} claims hold across the upgrade")


main()
