<?php
// Run it every few minutes. It sends again what got no answer, and prints each difference between the shop and the API.
//
// It gives money back if the API says that a withdrawal is rejected or has failed. It credits nothing and ends nothing as paid:
// no answer of GET is signed, and an event that was missed comes again by itself. Status 1: there are differences; a difference that
// stays needs a person.
declare(strict_types=1);

require_once __DIR__ . '/store.php';

const RECENT = 'created_at > unixepoch() - 30 * 86400';

function check_order(array $order): iterable
{
    if ($order['state'] === 'new') {
        register($order);
        $order = find('orders', $order['id']);
    }
    if ($order['state'] === 'refused') {
        return;
    }
    [$status, $answer] = call('GET', "/deposits/{$order['id']}");
    if ($status !== 200) {
        yield "the API answers $status";
        return;
    }
    $ours = [];
    foreach (query('SELECT * FROM payments WHERE order_id = ?', $order['id']) as $payment) {
        $ours["{$payment['wallet_type']} {$payment['transaction_id']}"] = $payment['amount'];
    }
    [$count, $sum] = [count($ours), array_sum($ours)];
    if ($count !== $answer['credited_count'] || $sum !== (hundredths($answer['credited_sum']) ?? 0)) {
        yield "$count payments of " . decimal($sum) . " are booked, {$answer['credited_count']} of {$answer['credited_sum']} credited";
    }
    foreach ($answer['credited'] as $theirs) {
        $payment = "{$theirs['wallet_type']} {$theirs['transaction_id']}";
        if (($ours[$payment] ?? null) !== hundredths($theirs['amount'])) {
            yield "payment $payment of {$theirs['amount']} is not booked";
        }
    }
}

function check_withdrawal(array $withdrawal): iterable
{
    $id = $withdrawal['id'];
    if ($withdrawal['state'] === 'new') {
        if (find('users', $withdrawal['user_id'])['stopped']) {
            yield 'it is not sent again, because withdrawals of its user are stopped';
            return;
        }
        submit($withdrawal);
        $withdrawal = find('withdrawals', $id);
    }
    if ($withdrawal['state'] === 'held') {
        yield "a person must decide: {$withdrawal['message']}";
    }
    if (in_array($withdrawal['state'], ['new', 'held'], true)) {
        return;
    }
    [$status, $answer] = call('GET', "/withdrawals/$id");
    if ($status !== 200) {
        yield "the API answers $status";
        return;
    }
    if (hundredths($answer['amount']) !== $withdrawal['amount'] || $answer['currency_code'] !== 'INR') {
        yield "it is of {$answer['amount']} {$answer['currency_code']} at the API";
        return;
    }
    $has_failed = in_array($answer['state'], ['rejected', 'failed'], true);
    if ($has_failed) {
        transaction(fn () => end_withdrawal($id, 'failed'));
    }
    $ours = find('withdrawals', $id)['state'];
    if (($ours === 'failed') !== $has_failed || ($ours === 'paid') !== ($answer['state'] === 'paid')) {
        yield "it is $ours here and {$answer['state']} at the API";
    }
}

function differences(): iterable
{
    foreach (query('SELECT * FROM orders WHERE ' . RECENT)->fetchAll() as $order) {
        foreach (check_order($order) as $difference) {
            yield "order {$order['id']}: $difference";
        }
    }
    foreach (query("SELECT * FROM withdrawals WHERE state NOT IN ('paid', 'failed') OR " . RECENT)->fetchAll() as $withdrawal) {
        foreach (check_withdrawal($withdrawal) as $difference) {
            yield "withdrawal {$withdrawal['id']}: $difference";
        }
    }
    foreach (query('SELECT * FROM events WHERE problem IS NOT NULL') as $event) {
        yield "event {$event['id']} ({$event['type']}): {$event['problem']}";
    }
}

$status = 0;
foreach (differences() as $difference) {
    echo $difference, "\n";
    $status = 1;
}
exit($status);
