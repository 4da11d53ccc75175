// A merchant's app with the client that openapi-generator makes for TypeScript.
import assert from "node:assert/strict";
import { setTimeout } from "node:timers/promises";
import {
  type ApiError, ApiErrorFromJSON, Attention, Configuration, DepositFromJSON, DepositsApi, ResponseError, type Transaction, TransactionsApi,
  WithdrawalForeignFromJSON, WithdrawalsApi,
} from "./typescript-fetch";

const { API_URL: basePath = "", MERCHANT_TOKEN: accessToken = "", EVENT = "" } = process.env;
const configuration = new Configuration({ basePath, accessToken });
const deposits = new DepositsApi(configuration);
const withdrawals = new WithdrawalsApi(configuration);
const transactions = new TransactionsApi(configuration);

async function errorOf(status: number, call: Promise<unknown>): Promise<ApiError> {
  const error = await call.then(() => assert.fail("no error"), (error: unknown) => error);
  assert(error instanceof ResponseError);
  assert.equal(error.response.status, status);
  return ApiErrorFromJSON(await error.response.json());
}

async function main() {
  // A deposit: its amount has the sandbox pay at once.
  const user = { label: "user-typescript", currencyCode: "INR" };
  const order = { ...user, customTransactionId: "typescript-1", amount: "1000.25", window: { paymentUrlSuccessId: "12" } };
  const created = await deposits.createDeposit({ depositRequest: order });
  assert.equal(created.state, "created");
  assert(created.params.identifier && created.paymentWindowUrl);
  const customTransactionId = "typescript-2";
  await deposits.createDeposit({ depositRequest: { ...user, customTransactionId, amount: "1021" } });
  const activationRequest = { key1: "47752123502", amount: "1021" };
  assert.equal((await deposits.activateDeposit({ customTransactionId, activationRequest })).state, "activated");
  let deposit = await deposits.getDeposit({ customTransactionId });
  for (let polls = 0; deposit.state !== "credited" && polls < 100; polls++) {
    await setTimeout(100);
    deposit = await deposits.getDeposit({ customTransactionId });
  }
  const amount: string | undefined = deposit.amount;
  assert.deepEqual([amount, deposit.creditedSum, deposit.creditedCount], ["1021", "1021", 1]);
  assert.deepEqual([deposit.credited[0]?.transactionId, deposit.attempts[0]?.outcome], ["47752123502", "activated"]);
  assert.equal((await deposits.getDeposit({ customTransactionId: "typescript-1" })).amount, "1000.25");

  // A withdrawal that stays open.
  const request = { ...user, withdrawalId: "typescript-1", amount: "1014", accountNumber: "1234560079" };
  assert.equal((await withdrawals.createWithdrawal({ withdrawalRequest: request })).state, "submitted");
  const withdrawal = await withdrawals.getWithdrawal({ withdrawalId: "typescript-1" });
  assert.deepEqual([withdrawal.state, withdrawal.amount, withdrawal.isTest], ["submitted", "1014", false]);

  // The rows that are listed, each of its own type.
  const seen = new Set<string>();
  const check = (row: Transaction) => {
    seen.add(row.kind);
    switch (row.kind) {
      case "withdrawal": return assert.equal(row.paymentSystem, "paytm");
      case "payment": return assert.equal(row.amount, "700.25");
      case "foreign_withdrawal": return assert.equal(row.withdrawalStatus, null);
      case "unreadable": return assert.equal(row.element, 0);
    }
  };
  for (const state of Object.values(Attention)) {
    (await transactions.listTransactions({ state })).transactions.forEach(check);
  }
  assert.deepEqual([...seen].sort(), ["foreign_withdrawal", "payment", "unreadable", "withdrawal"]);

  // Errors have a type.
  const taken = await errorOf(409, deposits.createDeposit({ depositRequest: { ...order, amount: "1022" } }));
  assert.deepEqual([taken.code, taken.field], ["id_taken", "custom_transaction_id"]);
  const invalid = { ...request, withdrawalId: "typescript-2", accountNumber: "123" };
  const refused = await errorOf(422, withdrawals.createWithdrawal({ withdrawalRequest: invalid }));
  assert.deepEqual([refused.code, refused.field], ["invalid_field", "account_number"]);
  const stranger = new DepositsApi(new Configuration({ basePath, accessToken: "wrong" }));
  const gateway = await errorOf(403, stranger.getDeposit({ customTransactionId }));
  assert.deepEqual([gateway.code, gateway.message], [undefined, "Forbidden"]);

  // An event, and an answer of a later release.
  const event = WithdrawalForeignFromJSON(JSON.parse(EVENT));
  assert(event.data.withdrawalStatus === null && event.timeMs > 2 ** 31);
  const later = DepositFromJSON({ ...deposit, state: "of_a_later_release", attempts: [], credited: [], added: true });
  assert.equal(later.state, "of_a_later_release");
}

void main();
