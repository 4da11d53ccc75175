"""Deploys the packaged bundle to an emulator of AWS, and plays both flows and what surrounds them.

    python check.py EMULATOR WORK BUNDLE

EMULATOR is the virtual environment that has it, WORK is for logs, BUNDLE is the folder of an unpacked bundle.
"""
import base64
import hashlib
import hmac
import http.server
import json
import pathlib
import re
import sys

import boto3

import claims
from claims import Inbox, check, new_order, new_withdrawal
from stack import NAME, PARAMETERS, Stack, emulator, request, serve, wait_for

EVENTS_KEY = b"the key of the events in the check"
EVENTS = {"EventsUrl": "https://shop.example.com/events", "EventsSecret": "whsec_" + base64.b64encode(EVENTS_KEY).decode()}


class Shop(http.server.BaseHTTPRequestHandler):
    """The merchant's server. It takes posted events whose signature is right (Standard Webhooks)."""

    taken, refused = [], []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        signed = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + body
        signature = "v1," + base64.b64encode(hmac.digest(EVENTS_KEY, signed, hashlib.sha256)).decode()
        is_right = signature in self.headers["webhook-signature"].split()
        (self.taken if is_right else self.refused).append(json.loads(body))
        self.send_response(200 if is_right else 401)
        self.end_headers()

    def log_message(self, *_):
        pass


def deposit(stack, inbox):
    print("A deposit", flush=True)
    order = new_order("order-1", 521)
    check("without a token it is answered 401", request("POST", stack.outputs["ApiUrl"] + "/deposits", order)[0], 401)
    check("an order is created", stack.call("POST", "/deposits", order)[0], 201)
    check("the same order again is answered 200", stack.call("POST", "/deposits", order)[0], 200)
    status, answer = stack.call("POST", "/deposits", {**order, "label": "user-2"})
    check("the same id for another user is refused", (status, answer["code"], "label" in answer["message"]), (409, "id_taken", True))
    status, answer = stack.call("POST", "/deposits/order-1/activation", {"key1": "31234567890", "amount": 521})
    check("the user's number is taken", (status, answer["state"]), (200, "activated"))
    event, = inbox.wait("deposit.credited", "order-1")
    check("the event says the amount and the user", (event["detail"]["data"]["amount"], event["detail"]["data"]["label"]), ("521", "user-1"))
    credited = stack.call("GET", "/deposits/order-1")[1]
    check("the order is credited once", (credited["state"], credited["credited_count"], credited["credited_sum"]), ("credited", 1, "521"))

    genuine = next(it["body"] for it in request("GET", f"{stack.provider}/_control/postbacks")[1] if "31234567890" in it["body"])
    copies = stack.control("postbacks", {"body": genuine, "copies": 20, "parallel": 10})
    check("20 copies of the postback are answered ok", copies["statuses"], {"200": 20})
    forged = stack.control("postbacks", {"body": genuine.replace("31234567890", "31234567891")})
    check("a postback with another signed digit is answered 401", forged["statuses"], {"401": 1})
    posted = lambda: [it for it in Shop.taken if it["type"] == "deposit.credited"]
    wait_for("the posted event", posted)
    check("the same event was posted to the merchant's server, signed", [it["id"] for it in posted()], [event["detail"]["id"]])
    check("it is still one credit", stack.call("GET", "/deposits/order-1")[1]["credited_count"], 1)
    check("and one event", len(inbox.of("deposit.credited", "order-1")), 1)


def withdrawals(stack, inbox):
    print("Withdrawals", flush=True)
    paid = new_withdrawal("withdrawal-1", 311)
    check("a withdrawal is submitted", stack.call("POST", "/withdrawals", paid)[0], 201)
    inbox.wait("withdrawal.paid", "withdrawal-1")
    check("it is paid after the provider's postback", stack.call("GET", "/withdrawals/withdrawal-1")[1]["state"], "paid")
    check("the same request again is answered 200", stack.call("POST", "/withdrawals", paid)[0], 200)
    check("another amount is refused", stack.call("POST", "/withdrawals", {**paid, "amount": 312})[0], 409)
    check("the provider's rejection is the answer", stack.call("POST", "/withdrawals", new_withdrawal("withdrawal-2", 316))[0], 422)
    status, _ = stack.call("POST", "/withdrawals", new_withdrawal("unknown-1", 318))
    check("an outcome that nobody knows is answered 202", (status, stack.state("unknown-1")), (202, "unknown"))
    # Its message is read a minute after the request: see `retried`.
    stack.control("faults", {"on": "withdrawal", "fault": "status", "code": 429})
    status, _ = stack.call("POST", "/withdrawals", new_withdrawal("waiting-1", 311))
    check("what was surely not sent waits for its message", (status, stack.state("waiting-1")), (202, "waiting"))


def dead_letters(stack):
    print("Dead letters", flush=True)
    sqs = boto3.client("sqs")
    url = stack.queue("SubmissionQueue")
    # Else eight attempts take a quarter of an hour.
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "1"})
    sqs.send_message(QueueUrl=url, MessageBody="not of this stack")
    wait_for("a dead letter", lambda: stack.messages("DeadLetterQueue") == 1, seconds=60)
    check("a message that nobody can read becomes a dead letter", stack.messages("DeadLetterQueue"), 1)
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "120"})
    output = stack.operator("redrive")[1]
    check("`operator redrive` names it", "not of this stack" in output)


def retried(stack):
    print("A minute later", flush=True)
    wait_for("the end of what waited", lambda: stack.state("waiting-1") == "paid", seconds=100)
    check("the queue's message sent what waited, and it is paid", len(stack.row("withdrawal#waiting-1")["attempts"]), 2)
    wait_for("an empty queue", lambda: stack.messages("SubmissionQueue") == 0, seconds=60)
    row = stack.row("withdrawal#unknown-1")
    check("the unknown one was not sent again", (row["state"], len(row["attempts"])), ("unknown", 1))


def people(stack, inbox):
    print("The operator's tool", flush=True)
    status, output = stack.operator("list")
    check("`list` shows the unknown withdrawal", (status, "unknown-1" in output), (0, True))
    decision = ["resolve", "unknown-1", "--as", "failed", "--reason", "not in the provider's export", "--evidence", "ticket 4711"]
    status, output = stack.operator(*decision)
    version = re.search(r"--confirm (\d+)", output)
    check("`resolve` shows what it would do", (status, version is not None), (0, True), output)
    status, output = stack.operator(*decision, "--confirm", version[1])
    check("and records it", (status, stack.state("unknown-1")), (0, "failed"), output)
    event, = inbox.wait("withdrawal.failed", "unknown-1")
    check("the event says that a person decided", event["detail"]["data"]["decided_by"], "person")
    status, output = stack.operator("events", "replay", "--to", "bus", "--since", "1h", "--type", "deposit.credited")
    check("`events replay` publishes the credit again", status, 0, output)
    first, second = inbox.wait("deposit.credited", "order-1", 2)
    check("under the same id", first["detail"]["id"], second["detail"]["id"])
    status, output = stack.operator("audit")
    check("`audit` finds nothing broken", (status, ": 0 broken" in output), (0, True), output)


def around(stack):
    print("Around them", flush=True)
    stack_resources = boto3.client("cloudformation").describe_stack_resources(StackName=NAME)["StackResources"]
    functions = [it["PhysicalResourceId"] for it in stack_resources if it["ResourceType"] == "AWS::Lambda::Function"]
    reporter = next(it for it in functions if it.endswith("attention-reporter"))
    answer = boto3.client("lambda").invoke(FunctionName=f"{reporter}:live")
    check("the reporter reports", (answer["StatusCode"], answer.get("FunctionError")), (200, None))
    check("the merchant's server refused no event", Shop.refused, [])
    for queue in ("SetAsideQueue", "UnpublishedQueue", "EventsQueue", "UndeliveredQueue"):
        check(f"nothing waits in {queue}", stack.messages(queue), 0)


def main():
    environment, work, bundle = (pathlib.Path(it).resolve() for it in sys.argv[1:])
    with emulator(environment, work) as aws:
        stack = Stack(aws, serve(Shop), work)
        stack.deploy(bundle, **PARAMETERS, **EVENTS)
        print(f"deployed: {len(stack.outputs)} outputs", flush=True)
        inbox = Inbox()
        with stack.simulated_provider():
            deposit(stack, inbox)
            withdrawals(stack, inbox)
            dead_letters(stack)
            retried(stack)
            people(stack, inbox)
            around(stack)
    print(f"{claims.held} claims hold on the deployed stack")


main()
