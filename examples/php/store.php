<?php
// The shop's money: each function leaves the database in a state that is right, whatever happens next.
declare(strict_types=1);

require_once __DIR__ . '/paykassma.php';

// Events that need nobody and change only what the user sees.
const NEWS = ['deposit.activation_failed', 'payment.contested', 'transaction.resolved',
    'withdrawal.submitted', 'withdrawal.unknown', 'withdrawal.needs_review'];

class NotReserved extends Exception
{
}

function database(): PDO
{
    static $db = null;
    if ($db === null) {
        $db = new PDO('sqlite:' . getenv('DATABASE'), null, null, [PDO::ATTR_DEFAULT_FETCH_MODE => PDO::FETCH_ASSOC]);
        $db->exec(file_get_contents(__DIR__ . '/../schema.sql'));
    }
    return $db;
}

function query(string $sql, string|int|null ...$values): PDOStatement
{
    $statement = database()->prepare($sql);
    foreach ($values as $place => $value) {
        $statement->bindValue($place + 1, $value, is_int($value) ? PDO::PARAM_INT : PDO::PARAM_STR);
    }
    $statement->execute();
    return $statement;
}

/** Gives how many rows changed. */
function run(string $sql, string|int|null ...$values): int
{
    return query($sql, ...$values)->rowCount();
}

function find(string $table, string $id): ?array
{
    return query("SELECT * FROM $table WHERE id = ?", $id)->fetch() ?: null;
}

function transaction(callable $body): void
{
    database()->beginTransaction();
    try {
        $body();
        database()->commit();
    } catch (Throwable $error) {
        database()->rollBack();
        throw $error;
    }
}

/** A decimal such as "500.25" as 50025, exactly; null if it is not a positive amount with at most 2 decimals. */
function hundredths(string $amount): ?int
{
    if (!preg_match('/^([0-9]{1,12})(?:\.([0-9]{1,2})0*)?$/D', $amount, $match)) {
        return null;
    }
    return (int) $match[1] * 100 + (int) str_pad($match[2] ?? '', 2, '0') ?: null;
}

function decimal(int $amount): string
{
    return sprintf('%d.%02d', intdiv($amount, 100), $amount % 100);
}

function create_order(string $id, string $user, int $amount): void
{
    run('INSERT INTO orders (id, user_id, amount) VALUES (?, ?, ?)', $id, $user, $amount);
}

/** Registers a stored order. The link and `params` may be shown only after that. */
function register(array $order): void
{
    [$status, $answer] = call('POST', '/deposits', ['custom_transaction_id' => $order['id'], 'label' => $order['user_id'],
        'currency_code' => 'INR', 'amount' => decimal($order['amount'])]);
    $state = match ($status) {
        200, 201 => 'registered',
        400, 409, 422 => 'refused',
        default => 'new',
    };
    run("UPDATE orders SET state = ?, params = ?, link = ?, message = ? WHERE id = ? AND state = 'new'",
        $state, json_encode($answer['params'] ?? []), $answer['payment_window_url'] ?? null, $answer['message'] ?? '', $order['id']);
}

/** Stores a withdrawal and takes its money from the balance. Repeated with the same id, it does nothing. */
function reserve(string $id, string $user, int $amount, string $account_number): void
{
    transaction(function () use ($id, $user, $amount, $account_number) {
        $is_new = run('INSERT INTO withdrawals (id, user_id, amount, account_number) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
            $id, $user, $amount, $account_number);
        if (!$is_new) {
            return;
        }
        $is_taken = run('UPDATE users SET balance = balance - ? WHERE id = ? AND balance >= ? AND NOT stopped', $amount, $user, $amount);
        if (!$is_taken) {
            throw new NotReserved('The balance is too small, or withdrawals are stopped.');
        }
    });
}

/** Asks for a stored withdrawal, always with the same id and content. */
function submit(array $withdrawal): void
{
    $id = $withdrawal['id'];
    [$status, $answer] = call('POST', '/withdrawals', ['withdrawal_id' => $id, 'label' => $withdrawal['user_id'],
        'amount' => intdiv($withdrawal['amount'], 100), 'currency_code' => 'INR', 'account_number' => $withdrawal['account_number']]);
    $code = $answer['code'] ?? '';
    transaction(function () use ($id, $status, $code, $answer) {
        if (in_array($status, [200, 201, 202])) {
            set_state($id, 'sent'); // recorded: wait for the event
        } elseif ($status === 422 && $code === 'provider_rejected') {
            end_withdrawal($id, 'failed');
        } elseif ($status === 400 || $status === 409 || ($status === 422 && $code !== 'limit_reached')) {
            set_state($id, 'held');
        }
        // Everything else releases nothing and stays new: it may be recorded, or the same request helps later.
        run('UPDATE withdrawals SET message = ? WHERE id = ?', $answer['message'] ?? $answer['state'] ?? '', $id);
    });
}

function set_state(string $id, string $state): void
{
    run("UPDATE withdrawals SET state = ? WHERE id = ? AND state = 'new'", $state, $id);
}

/** Ends a withdrawal as paid or failed, inside the caller's transaction. The money is given back once: only an open one ends. */
function end_withdrawal(string $id, string $state): void
{
    $is_ended = run("UPDATE withdrawals SET state = ? WHERE id = ? AND state IN ('new', 'sent')", $state, $id);
    if ($is_ended && $state === 'failed') {
        run('UPDATE users SET balance = balance + w.amount FROM withdrawals AS w WHERE w.id = ? AND users.id = w.user_id', $id);
    }
}

/** Stores a verified event and acts on it, in one transaction. An event that is stored already does nothing. */
function handle(string $body): void
{
    $event = json_decode($body, true, flags: JSON_THROW_ON_ERROR);
    transaction(function () use ($body, $event) {
        $is_new = run('INSERT INTO events (id, type, body) VALUES (?, ?, ?) ON CONFLICT DO NOTHING', $event['id'], $event['type'], $body);
        if ($is_new) {
            run('UPDATE events SET problem = ? WHERE id = ?', act($event), $event['id']);
        }
    });
}

/** Gives the reason why a person must look, or null. */
function act(array $event): ?string
{
    ['type' => $type, 'generation' => $generation, 'version' => $version, 'data' => $data] = $event;
    [$kind, $id] = explode('#', $event['transaction'], 2);
    $table = ['deposit' => 'orders', 'withdrawal' => 'withdrawals'][$kind] ?? null;
    if ($table !== null) {
        run("UPDATE $table SET event = ?, generation = ?, version = ? WHERE id = ? AND (generation, version) <= (?, ?)",
            $type, $generation, $version, $id, $generation, $version);
    }
    switch ($type) {
        case 'deposit.credited':
            return credit($data);
        case 'withdrawal.paid':
            return end_as_reported($data, 'paid');
        case 'withdrawal.failed':
            return end_as_reported($data, 'failed');
        case 'withdrawal.conflict':
            run('UPDATE users SET stopped = 1 WHERE id = (SELECT user_id FROM withdrawals WHERE id = ?)', $data['withdrawal_id']);
    }
    return in_array($type, NEWS, true) ? null : 'the operator must look';
}

function credit(array $data): ?string
{
    [$order, $amount] = [find('orders', $data['custom_transaction_id']), hundredths($data['amount'])];
    if (!$order || $order['user_id'] !== $data['label'] || $data['currency_code'] !== 'INR' || !$amount) {
        return 'the order, label, currency or amount is not ours: nobody was credited';
    }
    $is_new = run('INSERT INTO payments (wallet_type, transaction_id, order_id, amount) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
        $data['wallet_type'], $data['transaction_id'], $order['id'], $amount);
    if (!$is_new) {
        return 'another event credited this payment: nothing more was credited';
    }
    run('UPDATE users SET balance = balance + ? WHERE id = ?', $amount, $order['user_id']);
    return null;
}

function end_as_reported(array $data, string $state): ?string
{
    $withdrawal = find('withdrawals', $data['withdrawal_id']);
    if (!$withdrawal || $withdrawal['amount'] !== hundredths($data['amount']) || $data['currency_code'] !== 'INR') {
        return 'the withdrawal, amount or currency is not ours: nothing was changed';
    }
    end_withdrawal($withdrawal['id'], $state);
    $now = find('withdrawals', $withdrawal['id'])['state'];
    return $now === $state ? null : "the withdrawal is $now here: nothing was changed";
}
