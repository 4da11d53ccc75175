<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Order</title>
<h1>Pay <?= h(decimal($order['amount'])) ?> INR</h1>
<?php if ($message): ?><p role="alert"><?= h($message) ?></p><?php endif ?>
<?php if ($order['event'] === "deposit.activation_failed"): ?><p>The number was rejected. Enter another one.</p><?php endif ?>
<?php if ($order['state'] === "registered"): ?>
<dl>
  <?php foreach ($params as $name => $value): ?>
  <dt><?= h($name) ?></dt><dd><?= h($value) ?></dd>
  <?php endforeach ?>
</dl>
<?php if ($order['link']): ?><p><a href="<?= h($order['link']) ?>">Or pay on the provider's page</a></p><?php endif ?>
<form method="post" action="/orders/<?= h($order['id']) ?>/activation">
  <label>Number of your payment <input name="key1" required></label>
  <label>Amount that you paid <input name="amount" value="<?= h(decimal($order['amount'])) ?>" required></label>
  <button>Check</button>
</form>
<?php elseif ($order['state'] === "new"): ?>
<p>The order is not ready. Load this page again.</p>
<?php endif ?>
<p><a href="/">Back</a></p>
</html>
