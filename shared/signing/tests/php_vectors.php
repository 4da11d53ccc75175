<?php
// Makes php_vectors.tsv with PHP's own json_encode: php php_vectors.php > php_vectors.tsv
//
// A line is: f (JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE) or d (no flags), the hash that was signed;
// the signature; additional_data as it goes over the wire, spelled with flags of its own.
// The newlines of pretty printing are written as tabs; neither stands inside a JSON string.
// Number tokens do not depend on the spelling, so the settings for numbers are the same on both sides:
// serialize_precision (-1 or 17) and JSON_PRESERVE_ZERO_FRACTION, drawn for each line.

const ACCESS_KEY = 'FQ9jMwrNSkFbyMNqYFf6Ed4xeKmjHK';
const PRIVATE_KEY = 'test_private_key';
const LINES = 10500;
const FLAGGED = JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE;
const WIRE_FLAGS = [
    JSON_UNESCAPED_SLASHES, JSON_UNESCAPED_UNICODE, JSON_UNESCAPED_LINE_TERMINATORS, JSON_PRETTY_PRINT,
    JSON_HEX_TAG, JSON_HEX_AMP, JSON_HEX_APOS, JSON_HEX_QUOT,
];
const PIECES = [
    'amount', 'INR', '47752123519', 'a/b', '</script>', '"', '\\', '\\u0041', "'", '&', '/', '//', ' ', '  ', '{[,:]}',
    'नमस्ते', 'हिन्दी में', 'оплата', 'é', '中', '🙂', '👩‍👩‍👧', '🇮🇳', "\u{2028}", "\u{2029}", "\u{feff}",
    "\x7f", "\u{80}", "\u{7ff}", "\u{800}", "\u{d7ff}", "\u{e000}", "\u{fffd}", "\u{ffff}", "\u{10000}", "\u{10ffff}",
    "\x08", "\f", "\n", "\r", "\t", "\0", 'null', 'true', '-1e5',
];
const NUMBERS = [
    0, -1, 700, 1430926, PHP_INT_MAX, PHP_INT_MIN, 0.0, -0.0, 1.0, 0.1, 4.61, 0.30000000000000004, 69702.53, 1.5e-7,
    1.0e25, -2.5e+100, 1.7976931348623157e308, 5e-324, 1234567890123456.78, 9007199254740993, 100000000000000000000.0,
];

function pick(array $from): mixed
{
    return $from[mt_rand(0, count($from) - 1)];
}

function text(): string
{
    $text = '';
    for ($left = mt_rand(0, 3); $left > 0; $left--) {
        $text .= mt_rand(0, 7) === 0 ? chr(mt_rand(0, 127)) : pick(PIECES);
    }
    return $text;
}

function number(): int|float
{
    return match (mt_rand(0, 3)) {
        0 => mt_rand(-1000000, 1000000),
        1 => mt_rand(-1000000, 1000000) / 1000 * 10 ** mt_rand(-30, 30),
        default => pick(NUMBERS),
    };
}

function value(int $depth): mixed
{
    return match (mt_rand($depth > 0 ? 0 : 2, 9)) {
        0 => members($depth - 1),
        1 => items($depth - 1),
        2, 3 => number(),
        4 => pick([null, true, false]),
        5 => pick([[], new stdClass()]),
        default => text(),
    };
}

function items(int $depth): array
{
    $items = [];
    for ($left = mt_rand(1, 3); $left > 0; $left--) {
        $items[] = value($depth);
    }
    return $items;
}

// PHP refuses a property name that starts with a null byte
function members(int $depth): stdClass
{
    $members = new stdClass();
    for ($left = mt_rand(0, 3); $left > 0; $left--) {
        $members->{ltrim(text(), "\0")} = value($depth);
    }
    return $members;
}

mt_srand(20230825);
$seen = [];
while (count($seen) < LINES) {
    $list = items(3);
    if (isset($seen[$key = serialize($list)])) {
        continue;
    }
    $seen[$key] = true;
    ini_set('serialize_precision', pick(['-1', '17']));
    $numbers = pick([0, JSON_PRESERVE_ZERO_FRACTION]) | JSON_THROW_ON_ERROR;
    $wire = $numbers;
    foreach (WIRE_FLAGS as $flag) {
        $wire |= mt_rand(0, 2) === 0 ? $flag : 0;
    }
    [$name, $flags] = pick([['f', FLAGGED], ['d', 0]]);
    $hash = md5(json_encode($list, $flags | $numbers));
    $sent = str_replace("\n", "\t", json_encode($list, $wire));
    echo $name, "\t", sha1(ACCESS_KEY . PRIVATE_KEY . $hash), "\t", $sent, "\n";
}
