use super::*;

const SAMPLE: &str = include_str!("../../../samples/export.toml");
const HEADS: &str = "Type,Transaction ID,Withdrawal ID,Amount,Currency,Status,Wallet,Created by\n";
const NUMBER: &str = "47752123519";

fn sample() -> Config {
    Config::parse(SAMPLE).unwrap()
}

fn read(config: &Config, bytes: &[u8]) -> Vec<Line> {
    let mut export = Export::open(config, bytes).unwrap();
    std::iter::from_fn(|| export.next().unwrap()).collect()
}

/// The lines of the transactions, of the bad lines, and of the ignored ones.
fn lines(config: &Config, bytes: &[u8]) -> [Vec<u64>; 3] {
    let mut found = [const { Vec::new() }; 3];
    for line in read(config, bytes) {
        let (kind, number) = match line {
            Line::Transaction(Entry { side: Side::Providers(it), .. }) => (0, it.line),
            Line::Transaction(it) => panic!("{it:?}"),
            Line::Bad(it) => (1, it.line),
            Line::Ignored(line, _) => (2, line),
        };
        found[kind].push(number);
    }
    found
}

#[test]
fn the_sample_is_read_by_its_sample_configuration() {
    let seen: Vec<_> = read(&sample(), include_bytes!("../../../samples/export.csv"))
        .into_iter()
        .map(|line| {
            let Line::Transaction(Entry { key, side: Side::Providers(theirs) }) = line else { panic!("{line:?}") };
            assert_eq!(theirs.odd_id, None);
            (key, theirs.line, theirs.money.amount.to_string(), theirs.standing, theirs.by_hand)
        })
        .collect();
    let success = Standing::Success;
    let expected = [
        ("payment#paytm#47752123519", 2, "1500.50", success, false),
        ("withdrawal#withdrawal-1", 3, "300", success, false),
        ("withdrawal#BO-17", 4, "100000.00", success, true),
    ];
    assert_eq!(seen, expected.map(|(key, line, amount, it, by_hand)| (key.into(), line, amount.into(), it, by_hand)));
}

#[test]
fn a_bad_line_is_named_with_its_column_and_does_not_stop_the_others() {
    let good = format!("deposit,{NUMBER},,700,INR,PENDING,paytm,\n");
    let bad = [
        ("Gift,1,,700,INR,Success,paytm,\n", "Type"),
        ("Deposit,,,700,INR,Success,paytm,\n", "Transaction ID"),
        ("Withdrawal,,a b,700,INR,Success,paytm,API\n", "Withdrawal ID"),
        ("Withdrawal,,6.66667E+10,700,INR,Success,paytm,API\n", "Withdrawal ID"),
        ("Withdrawal,,66666666603.0,700,INR,Success,paytm,API\n", "Withdrawal ID"),
        ("Withdrawal,,\u{a0}w1,700,INR,Success,paytm,API\n", "Withdrawal ID"),
        ("Deposit,1,,\"700,5\",INR,Success,paytm,\n", "Amount"),
        ("Deposit,1,,700.5.5,INR,Success,paytm,\n", "Amount"),
        ("Deposit,1,,-700,INR,Success,paytm,\n", "Amount"),
        ("Withdrawal,,w1,-700,INR,Success,paytm,API\n", "Amount"),
        ("Deposit,1,,700,rupees,Success,paytm,\n", "Currency"),
        ("Deposit,1,,700,INR,Perhaps,paytm,\n", "Status"),
        ("Deposit,1,,700,INR,Success,Pay TM,\n", "Wallet"),
        ("Deposit,1,,700,INR,Success,paytm,A\"PI\n", "Created by"),
        ("Deposit,1,,700\n", ""),
        ("Deposit,1,,700,INR,Success,paytm,\0\n", ""),
    ];
    for (line, column) in bad {
        let read = read(&sample(), format!("\u{feff}{HEADS}{good}{line}{good}").as_bytes());
        let [Line::Transaction(_), Line::Bad(bad), Line::Transaction(_)] = read.as_slice() else {
            panic!("{line}: {read:?}")
        };
        assert_eq!((bad.line, bad.column.as_str()), (3, column), "{bad:?}");
        assert!(!bad.reason.is_empty());
    }
    let text = [HEADS.as_bytes(), b"Deposit,\xff,,700,INR,Success,paytm,\n", good.as_bytes()].concat();
    assert_eq!(lines(&sample(), &text), [vec![3], vec![2], vec![]]);
}

#[test]
fn a_number_that_a_spreadsheet_has_rewritten_breaks_its_wallets_rule() {
    let odd = |wallet: &str, number: &str| {
        let number = number.replace('"', "\"\"");
        let text = format!("{HEADS}Deposit,\"{number}\",,700,INR,Success,{wallet},\n");
        let lines = read(&sample(), text.as_bytes());
        let [Line::Transaction(Entry { side: Side::Providers(theirs), .. })] = lines.as_slice() else {
            panic!("{text}: {lines:?}")
        };
        theirs.odd_id.clone()
    };
    for wallet in ["PayTM", "upi_l", "not_built_in"] {
        assert_eq!(odd(wallet, NUMBER), None);
        assert_eq!(odd(wallet, " 47752123519\t"), None, "spaces around it are no part of it");
        for number in [
            "6.66667E+10",
            "6.66667e10",
            "6E+10",
            "66666666603.0",
            "'66666666604",
            "=\"66666666605\"",
            "\u{200b}66666666605",
            "66666666605\u{a0}",
            "\u{202a}66666666605",
            "66,666,666,605",
            "66 666 666 605",
            "666\u{202f}66666605",
            "٦٦٦٦٦٦٦٦٦٠٥",
            "+66666666605",
        ] {
            assert!(odd(wallet, number).is_some(), "{wallet} {number}");
        }
    }
    assert_eq!(odd("PayTM", "123").as_deref(), Some("must be 11 to 12 digits"));
    for number in ["1E10", "AB.12/c-d_e@f", "12.5a"] {
        assert_eq!(odd("upi_l", number), None, "{number}");
    }
}

#[test]
fn the_rule_of_a_wallet_is_the_deployments() {
    let systems = "payment_systems = '[{\"wallet_type\":\"paytm\",\"key1\":{\"least\":3}}]'\n[columns]";
    let config = Config::parse(&SAMPLE.replace("[columns]", systems)).unwrap();
    let lines = read(&config, format!("{HEADS}Deposit,123,,700,INR,Success,PayTM,\n").as_bytes());
    let [Line::Transaction(Entry { side: Side::Providers(theirs), .. })] = lines.as_slice() else {
        panic!("{lines:?}")
    };
    assert_eq!(theirs.odd_id, None);
}

#[test]
fn a_quote_that_is_not_closed_takes_no_other_line_with_it() {
    let deposit = |origin: &str| format!("Deposit,{NUMBER},,700,INR,Success,PayTM,{origin}\n");
    let text = [HEADS, &deposit("\"API"), &deposit(""), &deposit("\"first\nsecond, line\""), &deposit("")].concat();
    assert_eq!(lines(&sample(), text.as_bytes()), [vec![3, 4, 6], vec![2], vec![]]);
    // Here a quote ends a later line, or stands for the end of the first one's field.
    for later in ["API\"", "\"", "\"\""] {
        let text = [HEADS, &deposit("\"API"), &deposit(later), &deposit("")].concat();
        let [good, bad, _] = lines(&sample(), text.as_bytes());
        assert_eq!((bad[0], good.last()), (2, Some(&4)), "{later}: {good:?} {bad:?}");
        assert_eq!(good.len() + bad.len(), 3, "{later}");
    }
    // Here the first line's number would get the second line's amount.
    let mixed = format!(
        "Deposit,{NUMBER},\"x,700,INR,Success,PayTM,\nDeposit,{NUMBER},\",900,INR,Success,PayTM,\n{}",
        deposit("")
    );
    assert_eq!(lines(&sample(), format!("{HEADS}{mixed}").as_bytes()), [vec![4], vec![2, 3], vec![]]);
    // A field that is compared has no second line: both lines are bad, and the next one is not.
    let wallet = format!("Deposit,{NUMBER},,700,INR,Success,\"PayTM\nx\",\n{}", deposit(""));
    assert_eq!(lines(&sample(), format!("{HEADS}{wallet}").as_bytes()), [vec![4], vec![2, 3], vec![]]);
    // Nor has a record another number of columns because it has several lines.
    let short = format!("Deposit,\"1\n2\",700\n{}", deposit(""));
    assert_eq!(lines(&sample(), format!("{HEADS}{short}").as_bytes()), [vec![4], vec![2, 3], vec![]]);
    let header = format!("{},\"Note\n{}", HEADS.trim_end(), deposit("\"API"));
    assert!(matches!(Export::open(&sample(), header.as_bytes()), Err(Failure::Usage(why)) if why.contains("line 1")));
}

#[test]
fn what_is_no_transaction_is_ignored_and_counted() {
    let mut config = sample();
    config.skip_lines = 2;
    let text = format!(
        "sep=,\n\"Report, of\n{HEADS}\nFee,1,,5,INR,Success,PayTM,\n , ,,,,,,\u{a0}\nTotal: 1,\"1,500\"\n,,,Total,,,,\n\
         Deposit,{NUMBER},,700,INR,Success,PayTM,Total\n\"\"\nTotal\n"
    );
    assert_eq!(lines(&config, text.as_bytes()), [vec![9], vec![], vec![1, 2, 4, 5, 6, 7, 8, 10, 11]]);
    let total = format!("{HEADS}Deposit,Total,,700,INR,Success,PayTM,\nGrand total,5\n");
    assert_eq!(lines(&sample(), total.as_bytes()), [vec![2], vec![3], vec![]], "a deposit is no total");
}

#[test]
fn negative_amounts_of_withdrawals_are_a_setting() {
    let config = Config { negative_withdrawals: true, ..sample() };
    let line = |id: &str, amount: &str| format!("{id},\"{amount}\",INR,Success,PayTM,API\n");
    let text = [
        HEADS.to_owned(),
        line("Withdrawal,,w1", "-1,500.50"),
        line("Withdrawal,,w2", "1500.50"),
        line(&format!("Deposit,{NUMBER},"), "700"),
        line(&format!("Deposit,{NUMBER},"), "-700"),
    ];
    assert_eq!(lines(&config, text.concat().as_bytes()), [vec![2, 4], vec![3, 5], vec![]]);
}

#[test]
fn a_line_has_the_number_that_an_editor_shows() {
    let good = format!("Deposit,{NUMBER},,700,INR,Success,PayTM,");
    let two_lines = format!("{good}\"a\nb\"");
    let text = ["", HEADS.trim_end(), &good, "", "Gift", &two_lines, "", &good, "Gift"];
    for end in ["\n", "\r\n", "\r"] {
        let text = text.join("\n").replace('\n', end);
        let utf_16 =
            |bytes: fn(u16) -> [u8; 2]| format!("\u{feff}{text}").encode_utf16().flat_map(bytes).collect::<Vec<_>>();
        for bytes in [
            text.clone().into_bytes(),
            format!("\u{feff}{text}").into_bytes(),
            utf_16(u16::to_le_bytes),
            utf_16(u16::to_be_bytes),
        ] {
            assert_eq!(lines(&sample(), &bytes), [vec![3, 6, 9], vec![5, 10], vec![1, 4, 8]], "{end:?}");
        }
    }
}

#[test]
fn a_column_that_is_missing_or_there_twice_is_named_with_those_that_were_found() {
    let named = |heads: &str| match Export::open(&sample(), heads.as_bytes()).map(|_| ()) {
        Err(Failure::Usage(why)) => why,
        other => panic!("{other:?}"),
    };
    assert!(named("Type,Type\n").contains("\"Type\" twice"));
    let missing = named("\n Type , Amount ,Number\n");
    assert!(missing.contains("no column \"Transaction ID\""), "{missing}");
    assert!(missing.contains("Line 2 has [\"Type\", \"Amount\", \"Number\"]"), "{missing}");
    assert!(named("\n\n").contains("no header"));
}
