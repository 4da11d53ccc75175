<?php
// The client of the API, and the check of events. It knows nothing of this shop.
declare(strict_types=1);

/**
 * Calls the API and gives [status, answer]; the status is 0 if no answer came.
 *
 * The same request is sent up to three times while it is not known what became of it. That is safe: the ids are ours.
 */
function call(string $method, string $path, ?array $content = null): array
{
    for ($attempt = 1; ; $attempt++) {
        $curl = curl_init(getenv('API_URL') . $path);
        curl_setopt_array($curl, [
            CURLOPT_CUSTOMREQUEST => $method,
            CURLOPT_HTTPHEADER => ['Authorization: Bearer ' . getenv('MERCHANT_TOKEN'), 'Content-Type: application/json'],
            CURLOPT_RETURNTRANSFER => true,
            CURLOPT_CONNECTTIMEOUT => 5,
            CURLOPT_TIMEOUT => 30,
        ]);
        if ($content !== null) {
            curl_setopt($curl, CURLOPT_POSTFIELDS, json_encode($content, JSON_THROW_ON_ERROR));
        }
        $body = curl_exec($curl);
        $status = $body === false ? 0 : curl_getinfo($curl, CURLINFO_RESPONSE_CODE);
        $answer = $body === false ? ['message' => 'no answer'] : json_decode($body, true) ?? [];
        $is_unclear = ($status === 0 || $status === 429 || $status >= 500) && ($answer['code'] ?? 'try_again') === 'try_again';
        $wait = curl_getinfo($curl, CURLINFO_RETRY_AFTER) ?: $attempt;
        if (!$is_unclear || $attempt === 3 || $wait > 10) {
            return [$status, $answer];
        }
        sleep($wait);
    }
}

/** Whether these bytes were signed with our key, at most 5 minutes ago (Standard Webhooks). Ask before you parse them. */
function is_genuine(string $body): bool
{
    [$id, $timestamp, $signatures] = array_map(fn ($name) => $_SERVER["HTTP_WEBHOOK_$name"] ?? '', ['ID', 'TIMESTAMP', 'SIGNATURE']);
    if ($id === '' || !preg_match('/^[0-9]{1,12}$/D', $timestamp) || abs(time() - (int) $timestamp) > 300) {
        return false;
    }
    $key = base64_decode(preg_replace('/^whsec_/', '', (string) getenv('EVENTS_SECRET')), true);
    if ($key === false || strlen($key) < 24) {
        throw new RuntimeException('EVENTS_SECRET is missing or malformed'); // an empty key would sign for everybody
    }
    $expected = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$timestamp.$body", $key, true));
    foreach (explode(' ', $signatures) as $signature) { // during a rotation there is one for each key
        if (hash_equals($expected, $signature)) {
            return true;
        }
    }
    return false;
}
