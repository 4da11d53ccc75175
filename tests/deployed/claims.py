"""What the checks of deployed stacks share: claims, the events that came, and requests."""
import json
import sys

import boto3

from stack import NAME, wait_for

held = 0


def check(claim, found, expected=True, output=""):
    """Ends the program unless the found value is the expected one. `output` is what explains it."""
    global held
    if found != expected:
        sys.exit(f"  FAIL  {claim}\n          expected {expected}\n          came     {found}\n{output}")
    held += 1
    print(f"  ok    {claim}", flush=True)


class Inbox:
    """The events that came, in the order of their arrival."""

    def __init__(self):
        """Subscribes to the stack's bus."""
        sqs, events = boto3.client("sqs"), boto3.client("events")
        self.url, self.events = sqs.create_queue(QueueName="merchant")["QueueUrl"], []
        arn = sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        events.put_rule(Name="all", EventBusName=NAME, EventPattern=json.dumps({"source": ["paykassma"]}))
        events.put_targets(Rule="all", EventBusName=NAME, Targets=[{"Id": "merchant", "Arn": arn}])

    def receive(self):
        messages = boto3.client("sqs").receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages", [])
        for message in messages:
            self.events.append(json.loads(message["Body"]))
            boto3.client("sqs").delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])

    def of(self, kind, key):
        self.receive()
        return [it for it in self.events if it["detail-type"] == kind and key in json.dumps(it["detail"])]

    def wait(self, kind, key, count=1):
        return wait_for(f"{kind} of {key}", lambda: len(found := self.of(kind, key)) >= count and found)


def new_order(name, amount):
    return {"custom_transaction_id": name, "label": "user-1", "currency_code": "INR", "amount": amount}


def new_withdrawal(name, amount):
    return {"withdrawal_id": name, "label": "user-1", "amount": amount, "currency_code": "INR", "account_number": "1234560079"}
