<?php
// A merchant's app with the client that openapi-generator makes for PHP.
declare(strict_types=1);

use OpenAPI\Client\Api\{DepositsApi, TransactionsApi, WithdrawalsApi};
use OpenAPI\Client\{ApiException, Configuration, ObjectSerializer};
use OpenAPI\Client\Model\{ActivationRequest, ApiError, Attention, Deposit, DepositRequest, WithdrawalForeign, WithdrawalRequest, Window};

require getenv('CLIENT') . '/vendor/autoload.php';

function check(bool $holds, mixed $found = null): void
{
    $holds || throw new LogicException((string) json_encode($found));
}

function error_of(int $status, callable $call): ApiError
{
    try {
        $call();
    } catch (ApiException $error) {
        check($error->getCode() === $status, $error->getMessage());
        return $error->getResponseObject();
    }
    throw new LogicException("no error $status");
}

$http = new GuzzleHttp\Client();
$configuration = (new Configuration())->setHost(getenv('API_URL'))->setAccessToken(getenv('MERCHANT_TOKEN'));
$deposits = new DepositsApi($http, $configuration);
$withdrawals = new WithdrawalsApi($http, $configuration);
$transactions = new TransactionsApi($http, $configuration);

// A deposit: its amount has the sandbox pay at once.
$order = new DepositRequest(['custom_transaction_id' => 'php-1', 'label' => 'user-php', 'currency_code' => 'INR', 'amount' => '1000.25',
    'window' => new Window(['payment_url_success_id' => '12'])]);
$created = $deposits->createDeposit($order);
check($created->getState() === 'created' && $created->getParams()['identifier'] && $created->getPaymentWindowUrl(), $created);
$order = new DepositRequest(['custom_transaction_id' => 'php-2', 'label' => 'user-php', 'currency_code' => 'INR', 'amount' => '1021']);
$deposits->createDeposit($order);
$activation = new ActivationRequest(['key1' => '47752123503', 'amount' => '1021']);
check($deposits->activateDeposit('php-2', $activation)->getState() === 'activated');
for ($polls = 0; ($deposit = $deposits->getDeposit('php-2'))->getState() !== 'credited' && $polls < 100; $polls++) {
    usleep(100_000);
}
check([$deposit->getAmount(), $deposit->getCreditedSum(), $deposit->getCreditedCount()] === ['1021', '1021', 1], $deposit);
check($deposit->getCredited()[0]->getTransactionId() === '47752123503', $deposit);
check($deposit->getAttempts()[0]->getOutcome() === 'activated', $deposit);
check($deposits->getDeposit('php-1')->getAmount() === '1000.25');

// A withdrawal that stays open.
$request = new WithdrawalRequest(['withdrawal_id' => 'php-1', 'label' => 'user-php', 'amount' => '1014', 'currency_code' => 'INR',
    'account_number' => '1234560079']);
check($withdrawals->createWithdrawal($request)->getState() === 'submitted');
$withdrawal = $withdrawals->getWithdrawal('php-1');
check([$withdrawal->getState(), $withdrawal->getAmount(), $withdrawal->getIsTest()] === ['submitted', '1014', false], $withdrawal);

// The rows that are listed. In PHP one class has the fields of all kinds.
$rows = [];
foreach (Attention::getAllowableEnumValues() as $state) {
    foreach ($transactions->listTransactions($state)->getTransactions() as $row) {
        check($row->getAttention() === $state, $row);
        $rows[$row->getKind()] = $row;
    }
}
check($rows['withdrawal']->getPaymentSystem() === 'paytm', $rows);
check($rows['payment']->getAmount() === '700.25', $rows);
check($rows['foreign_withdrawal']->getAmount() === '1000' && $rows['foreign_withdrawal']->getWithdrawalStatus() === null, $rows);
check($rows['unreadable']->getElement() === 0, $rows);

// Errors have a type.
$error = error_of(409, fn () => $deposits->createDeposit($order->setAmount('1022')));
check([$error->getCode(), $error->getField()] === ['id_taken', 'custom_transaction_id'], $error);
$request->setWithdrawalId('php-2')->setAccountNumber('123');
$error = error_of(422, fn () => $withdrawals->createWithdrawal($request));
check([$error->getCode(), $error->getField()] === ['invalid_field', 'account_number'], $error);
$configuration->setAccessToken('wrong');
$error = error_of(403, fn () => $deposits->getDeposit('php-2'));
check([$error->getCode(), $error->getMessage()] === [null, 'Forbidden'], $error);

// An event, and an answer of a later release.
$event = ObjectSerializer::deserialize(getenv('EVENT'), WithdrawalForeign::class);
check($event->getData()->getWithdrawalStatus() === null && $event->getTimeMs() > 2 ** 31, $event);
$later = ['state' => 'of_a_later_release', 'added' => true] + json_decode((string) $deposit, true);
check(ObjectSerializer::deserialize(json_encode($later), Deposit::class)->getState() === 'of_a_later_release');
