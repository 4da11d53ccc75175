<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Shop</title>
<h1>Shop</h1>
<?php if ($message): ?><p role="alert"><?= h($message) ?></p><?php endif ?>
<p>Balance: <strong><?= h(decimal($user['balance'])) ?> INR</strong></p>

<h2>Pay in</h2>
<form method="post" action="/orders">
  <label>Amount <input name="amount" inputmode="decimal" required></label>
  <button>Continue</button>
</form>
<table>
  <tr><th>Order</th><th>Amount</th><th>State</th><th>Last event</th></tr>
  <?php foreach ($orders as $order): ?>
  <tr id="<?= h($order['id']) ?>">
    <td><a href="/orders/<?= h($order['id']) ?>"><?= h($order['id']) ?></a></td>
    <td><?= h(decimal($order['amount'])) ?></td>
    <td><?= h($order['state']) ?></td>
    <td><?= h($order['event']) ?></td>
  </tr>
  <?php endforeach ?>
</table>

<h2>Withdraw</h2>
<form method="post" action="/withdrawals">
  <!-- The id is made with the form: to send the form twice is one withdrawal. -->
  <input type="hidden" name="id" value="<?= h($withdrawal_id) ?>">
  <label>Amount <input name="amount" inputmode="numeric" required></label>
  <label>Account <input name="account_number" inputmode="numeric" required></label>
  <button>Withdraw</button>
</form>
<table>
  <tr><th>Withdrawal</th><th>Amount</th><th>State</th><th>Answer</th><th>Last event</th></tr>
  <?php foreach ($withdrawals as $withdrawal): ?>
  <tr id="<?= h($withdrawal['id']) ?>">
    <td><?= h($withdrawal['id']) ?></td>
    <td><?= h(decimal($withdrawal['amount'])) ?></td>
    <td><?= h($withdrawal['state']) ?></td>
    <td><?= h($withdrawal['message']) ?></td>
    <td><?= h($withdrawal['event']) ?></td>
  </tr>
  <?php endforeach ?>
</table>
</html>
