"""A merchant's app with the client that openapi-generator makes for Python."""

import os
import time

import openapi_client
from openapi_client.exceptions import ApiException, ConflictException, UnprocessableEntityException

configuration = openapi_client.Configuration(host=os.environ["API_URL"], access_token=os.environ["MERCHANT_TOKEN"])
client = openapi_client.ApiClient(configuration)
deposits = openapi_client.DepositsApi(client)
withdrawals = openapi_client.WithdrawalsApi(client)
transactions = openapi_client.TransactionsApi(client)


def error_of(expected, call):
    try:
        call()
    except expected as error:
        return error.data
    raise AssertionError(f"no {expected.__name__}")


# A deposit: its amount has the sandbox pay at once.
order = openapi_client.DepositRequest(
    custom_transaction_id="python-1", label="user-python", currency_code="INR", amount="1000.25",
    window=openapi_client.Window(payment_url_success_id="12"),
)
created = deposits.create_deposit(order)
assert created.state == "created" and created.params["identifier"] and created.payment_window_url, created
order.custom_transaction_id, order.amount, order.window = "python-2", "1021", None
deposits.create_deposit(order)
activation = openapi_client.ActivationRequest(key1="47752123501", amount="1021")
assert deposits.activate_deposit("python-2", activation).state == "activated"
for _ in range(100):
    deposit = deposits.get_deposit("python-2")
    if deposit.state == "credited":
        break
    time.sleep(0.1)
assert (deposit.amount, deposit.credited_sum, deposit.credited_count) == ("1021", "1021", 1), deposit
assert deposit.credited[0].transaction_id == "47752123501" and deposit.attempts[0].outcome == "activated", deposit
assert deposits.get_deposit("python-1").amount == "1000.25"

# A withdrawal that stays open.
request = openapi_client.WithdrawalRequest(
    withdrawal_id="python-1", label="user-python", amount="1014", currency_code="INR", account_number="1234560079",
)
assert withdrawals.create_withdrawal(request).state == "submitted"
withdrawal = withdrawals.get_withdrawal("python-1")
assert (withdrawal.state, withdrawal.amount, withdrawal.is_test) == ("submitted", "1014", False), withdrawal

# The rows that are listed, each of its own type.
rows = {}
for state in openapi_client.Attention:
    for row in transactions.list_transactions(state).transactions:
        assert row.actual_instance.attention == state
        rows[row.actual_instance.kind] = row.actual_instance
assert isinstance(rows["withdrawal"], openapi_client.WithdrawalRow) and rows["withdrawal"].payment_system == "paytm"
assert isinstance(rows["payment"], openapi_client.PaymentRow) and rows["payment"].amount == "700.25"
assert isinstance(rows["foreign_withdrawal"], openapi_client.ForeignWithdrawalRow)
assert rows["foreign_withdrawal"].withdrawal_status is None
assert isinstance(rows["unreadable"], openapi_client.UnreadableElementRow) and rows["unreadable"].element == 0

# Errors have a type.
order.amount = "1022"
error = error_of(ConflictException, lambda: deposits.create_deposit(order))
assert isinstance(error, openapi_client.ApiError)
assert (error.code, error.var_field) == ("id_taken", "custom_transaction_id"), error
request.withdrawal_id, request.account_number = "python-2", "123"
error = error_of(UnprocessableEntityException, lambda: withdrawals.create_withdrawal(request))
assert (error.code, error.var_field) == ("invalid_field", "account_number"), error
configuration.access_token = "wrong"
error = error_of(ApiException, lambda: deposits.get_deposit("python-2"))
assert (error.code, error.message) == (None, "Forbidden"), error

# An event, and an answer of a later release.
event = openapi_client.WithdrawalForeign.from_json(os.environ["EVENT"])
assert event.data.withdrawal_status is None and event.time_ms > 2**31, event
later = openapi_client.Deposit.from_dict(deposit.to_dict() | {"state": "of_a_later_release", "added": True})
assert later.state == "of_a_later_release"
