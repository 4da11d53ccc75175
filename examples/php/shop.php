<?php
// The shop's pages. The customer's login, and with it the protection against forged forms (CSRF), is left out: there is one user.
declare(strict_types=1);

// Until an answer is complete, its status is 500. Otherwise PHP answers 200 after an exception if display_errors is on.
http_response_code(500);
require_once __DIR__ . '/store.php';

const USER = 'user-1';

function field(string $name): string
{
    return is_string($_POST[$name] ?? null) ? $_POST[$name] : '';
}

function uuid(): string
{
    return vsprintf('%s%s-%s-%s-%s-%s%s%s', str_split(bin2hex(random_bytes(16)), 4));
}

/** Escapes a value for HTML. */
function h(string|int $value): string
{
    return htmlspecialchars((string) $value, ENT_QUOTES);
}

function render(string $view, int $status, array $values): void
{
    extract($values);
    ob_start();
    require __DIR__ . "/views/$view.php";
    http_response_code($status);
    ob_end_flush();
}

function redirect(string $path): void
{
    header("Location: $path", true, 303);
}

function home(string $message = '', int $status = 200): void
{
    $rows = fn ($table) => query("SELECT * FROM $table WHERE user_id = ? ORDER BY rowid DESC LIMIT 50", USER)->fetchAll();
    render('home', $status, ['message' => $message, 'user' => find('users', USER), 'orders' => $rows('orders'),
        'withdrawals' => $rows('withdrawals'), 'withdrawal_id' => uuid()]);
}

function buy(): void
{
    [$id, $amount] = [uuid(), hundredths(field('amount'))];
    if (!$amount) {
        home('Enter an amount, such as 500.', 422);
        return;
    }
    create_order($id, USER, $amount);
    redirect("/orders/$id");
}

function show_order(array $order, string $message = ''): void
{
    if ($order['state'] === 'new') { // the answer has not come yet; to register an order again has no second effect
        register($order);
        $order = find('orders', $order['id']);
    }
    $params = json_decode($order['params'] ?? '{}', true);
    render('order', 200, ['order' => $order, 'params' => $params, 'message' => $message ?: $order['message']]);
}

function activate(array $order): void
{
    $content = ['key1' => field('key1'), 'amount' => field('amount')];
    show_order($order, activation_message(...call('POST', "/deposits/{$order['id']}/activation", $content)));
}

function activation_message(int $status, array $answer): string
{
    [$state, $code, $message] = [$answer['state'] ?? '', $answer['code'] ?? '', $answer['message'] ?? ''];
    return match (true) {
        $status === 200 && $state === 'activated' => 'The payment was found. Your balance changes as soon as it is confirmed.',
        $status === 200 && $state === 'possible' => 'Nothing was found so far.',
        $status === 200 => $message ?: 'The payment is being looked for.',
        $status === 202 => 'It is not known yet what became of this number. You may send it again.',
        $code === 'provider_rejected' => "The number was rejected: $message Enter another one.",
        $code === 'transaction_in_use' => 'Another order has this number.',
        $code === 'too_many_numbers' => 'Too many numbers were entered today. Try again tomorrow.',
        $code === 'invalid_field' => $message,
        default => 'Please try again in a minute.',
    };
}

function withdraw(): void
{
    [$id, $amount, $account] = [field('id'), field('amount'), field('account_number')];
    if (!preg_match('/^[0-9a-f-]{36}$/D', $id) || !preg_match('/^[1-9][0-9]{0,7}$/D', $amount) || !preg_match('/^[0-9]{10}$/D', $account)) {
        home('Enter a whole amount, and the 10 digits of the account.', 422);
        return;
    }
    try {
        reserve($id, USER, hundredths($amount), $account);
    } catch (NotReserved $refused) {
        home($refused->getMessage(), 422);
        return;
    }
    $withdrawal = find('withdrawals', $id);
    if ($withdrawal['state'] === 'new') {
        submit($withdrawal);
    }
    redirect('/');
}

function receive_event(): void
{
    $body = file_get_contents('php://input');
    if (!is_genuine($body)) {
        http_response_code(401);
        return;
    }
    handle($body); // if it fails, the answer is 500 and the event comes again
    http_response_code(204);
}

$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
$order = preg_match('~^/orders/([0-9a-f-]{36})(/activation)?$~D', $path, $match) ? find('orders', $match[1]) : null;
if ($order && $order['user_id'] === USER) {
    $path = '/orders/{id}' . ($match[2] ?? '');
}
match ("{$_SERVER['REQUEST_METHOD']} $path") {
    'GET /' => home(),
    'POST /orders' => buy(),
    'GET /orders/{id}' => show_order($order),
    'POST /orders/{id}/activation' => activate($order),
    'POST /withdrawals' => withdraw(),
    'POST /events' => receive_event(),
    default => http_response_code(404),
};
