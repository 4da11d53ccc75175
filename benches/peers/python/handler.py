"""The postback handler with boto3 and Powertools: parse, verify, credit once."""

import hashlib
import hmac
import json
import os

import boto3
from aws_lambda_powertools.utilities import parameters
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)

TABLE = os.environ["TABLE_NAME"]
DYNAMODB = boto3.client("dynamodb")
CONFIG = IdempotencyConfig(event_key_jmespath="[wallet_type, transaction_id]", expires_after_seconds=86_400)
PERSISTENCE = DynamoDBPersistenceLayer(table_name=TABLE, key_attr="transaction_id")


def handler(event, context):
    secrets = parameters.get_secret(os.environ["SECRET_ID"], transform="json", max_age=300)
    if not hmac.compare_digest(event["pathParameters"]["token"], secrets["postback_token"]):
        return answer(404, {"code": "not_found"})
    postback = json.loads(event["body"])
    if not is_signed(postback, secrets):
        return answer(401, {"code": "bad_signature"})
    CONFIG.register_lambda_context(context)
    for element in postback["additional_data"]:
        credit(element=element, postback=postback)
    return answer(200, {"status": "ok"})


def is_signed(postback, secrets):
    signed = json.dumps(postback["additional_data"], separators=(",", ":"), ensure_ascii=False)
    digest = hashlib.md5(signed.encode()).hexdigest()
    text = secrets["access_key"] + secrets["postback_private_key"] + digest
    expected = hashlib.sha1(text.encode()).hexdigest()
    return postback["access_key"] == secrets["access_key"] and hmac.compare_digest(expected, postback["signature"])


@idempotent_function(data_keyword_argument="element", config=CONFIG, persistence_store=PERSISTENCE)
def credit(element, postback):
    payment = f"payment#{element['wallet_type']}#{element['transaction_id']}"
    DYNAMODB.transact_write_items(
        TransactItems=[
            {
                "Put": {
                    "TableName": TABLE,
                    "Item": {
                        "transaction_id": {"S": payment},
                        "version": {"N": "1"},
                        "state": {"S": "credited"},
                        "order": {"S": element["plugin_custom_order_id"]},
                        "amount": {"S": element["amount"]},
                        "currency_code": {"S": element["currency_code"]},
                        "additional_data": {"S": json.dumps(postback["additional_data"])},
                        "signature": {"S": postback["signature"]},
                    },
                    "ConditionExpression": "attribute_not_exists(transaction_id)",
                }
            },
            {
                "Update": {
                    "TableName": TABLE,
                    "Key": {"transaction_id": {"S": f"deposit#{element['plugin_custom_order_id']}"}},
                    "UpdateExpression": "SET #state = :credited, credited = list_append(credited, :credit)",
                    "ConditionExpression": "label = :label AND currency_code = :currency_code",
                    "ExpressionAttributeNames": {"#state": "state"},
                    "ExpressionAttributeValues": {
                        ":credited": {"S": "credited"},
                        ":credit": {"L": [{"S": payment}]},
                        ":label": {"S": postback["label"]},
                        ":currency_code": {"S": element["currency_code"]},
                    },
                }
            },
        ]
    )
    return {"credited": payment}


def answer(status, body):
    return {"statusCode": status, "headers": {"content-type": "application/json"}, "body": json.dumps(body)}
