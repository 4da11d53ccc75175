//! The provider's export, line by line. A line that cannot be read is named with its column, and does not stop the others.

use std::io::Read;

use csv::{Reader, ReaderBuilder, StringRecord};
use domain::{Amount, CurrencyCode, InvalidValue, PaymentKey, TransactionId, WalletType, WithdrawalId};
use serde::Serialize;
use store::RowKey;

use super::config::Config;
use super::entry::{Entry, Money, ProviderRecord, Side, Standing};
use crate::failure::Failure;

/// A line that cannot be compared. Its content is not repeated: it may be a person's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct BadLine {
    pub(crate) line: u64,
    pub(crate) column: String,
    pub(crate) reason: String,
}

/// An export that is being read.
pub(crate) struct Export<'a, R> {
    config: &'a Config,
    lines: Reader<R>,
    places: Places,
    record: StringRecord,
}

/// Where the columns are.
struct Places {
    direction: usize,
    deposit_id: usize,
    withdrawal_id: usize,
    amount: usize,
    currency_code: usize,
    status: usize,
    wallet_type: Option<usize>,
    origin: Option<usize>,
}

impl Places {
    fn find(config: &Config, heads: &StringRecord) -> Result<Self, Failure> {
        let columns = &config.columns;
        let find = |name: &String| {
            let mut found = (0..heads.len()).filter(|place| heads.get(*place).map(str::trim) == Some(name));
            match (found.next(), found.next()) {
                (Some(place), None) => Ok(place),
                (Some(_), Some(_)) => Err(Failure::Usage(format!("the export has the column \"{name}\" twice"))),
                (None, _) => Err(Failure::Usage(format!("the export has no column \"{name}\", which --config names"))),
            }
        };
        Ok(Self {
            direction: find(&columns.direction)?,
            deposit_id: find(&columns.deposit_id)?,
            withdrawal_id: find(&columns.withdrawal_id)?,
            amount: find(&columns.amount)?,
            currency_code: find(&columns.currency_code)?,
            status: find(&columns.status)?,
            wallet_type: columns.wallet_type.as_ref().map(find).transpose()?,
            origin: columns.origin.as_ref().map(find).transpose()?,
        })
    }
}

impl<'a, R: Read> Export<'a, R> {
    /// Reads the heads.
    pub(crate) fn open(config: &'a Config, input: R) -> Result<Self, Failure> {
        let delimiter = u8::try_from(config.delimiter).unwrap_or(b',');
        let mut lines = ReaderBuilder::new().delimiter(delimiter).from_reader(input);
        let heads = lines.headers().map_err(|error| Failure::Usage(format!("the export's first line: {error}")))?;
        let places = Places::find(config, heads)?;
        Ok(Self { config, lines, places, record: StringRecord::new() })
    }

    /// Reads the next line; `None` after the last. The outer error is the file's.
    pub(crate) fn next(&mut self) -> Result<Option<Result<Entry, BadLine>>, Failure> {
        match self.lines.read_record(&mut self.record) {
            Ok(false) => return Ok(None),
            Ok(true) => {}
            Err(error) if error.is_io_error() => return Err(Failure::Usage(format!("the export: {error}"))),
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                let reason = if let csv::ErrorKind::UnequalLengths { expected_len, len, .. } = error.kind() {
                    format!("{len} columns in place of {expected_len}")
                } else {
                    "must be UTF-8".into()
                };
                return Ok(Some(Err(BadLine { line, column: String::new(), reason })));
            }
        }
        let line = self.record.position().map_or(0, csv::Position::line);
        Ok(Some(self.entry(line).map_err(|(place, reason)| BadLine { line, column: self.head(place), reason })))
    }

    fn head(&mut self, place: usize) -> String {
        let heads = self.lines.headers().ok();
        heads.and_then(|heads| heads.get(place)).unwrap_or_default().to_owned()
    }

    fn entry(&self, line: u64) -> Result<Entry, (usize, String)> {
        let (config, places) = (self.config, &self.places);
        let texts = &config.texts;
        let is_deposit = self.is(places.direction, &[(&texts.deposit, true), (&texts.withdrawal, false)])?;
        let key = if is_deposit { self.payment()? } else { self.withdrawal()? };
        let amount = self.parse(places.amount, |text| amount(config, text))?;
        let standings =
            [(&texts.success, Standing::Success), (&texts.fail, Standing::Fail), (&texts.other, Standing::Other)];
        let theirs = ProviderRecord {
            line,
            money: Money { amount, currency_code: self.parse(places.currency_code, CurrencyCode::parse)? },
            standing: self.is(places.status, &standings)?,
            by_hand: places.origin.is_some_and(|place| is_one_of(self.text(place), &texts.by_hand)),
        };
        Ok(Entry { key, side: Side::Providers(theirs) })
    }

    fn payment(&self) -> Result<String, (usize, String)> {
        let transaction_id = self.parse(self.places.deposit_id, TransactionId::parse)?;
        let wallet_type = match (self.places.wallet_type, &self.config.wallet_type) {
            (Some(place), _) => self.parse(place, |text| {
                self.config.wallets.get(text).cloned().map_or_else(|| WalletType::parse(text), Ok)
            })?,
            (None, Some(wallet_type)) => wallet_type.clone(),
            (None, None) => return Err((self.places.deposit_id, "must have a wallet".into())),
        };
        Ok(PaymentKey { wallet_type, transaction_id }.key())
    }

    /// A withdrawal that was made by hand need not have an id that could be ours: any text names it.
    fn withdrawal(&self) -> Result<String, (usize, String)> {
        let place = self.places.withdrawal_id;
        let is_by_hand = self.places.origin.is_some_and(|it| is_one_of(self.text(it), &self.config.texts.by_hand));
        if is_by_hand && !self.text(place).is_empty() {
            return Ok(format!("withdrawal#{}", self.text(place)));
        }
        Ok(self.parse(place, WithdrawalId::parse)?.key())
    }

    fn text(&self, place: usize) -> &str {
        self.record.get(place).unwrap_or_default().trim()
    }

    fn parse<'t, T>(
        &'t self,
        place: usize,
        parse: impl Fn(&'t str) -> Result<T, InvalidValue>,
    ) -> Result<T, (usize, String)> {
        parse(self.text(place)).map_err(|broken| (place, broken.to_string()))
    }

    fn is<T: Copy>(&self, place: usize, meanings: &[(&Vec<String>, T)]) -> Result<T, (usize, String)> {
        let meaning =
            meanings.iter().find(|(texts, _)| is_one_of(self.text(place), texts)).map(|(_, meaning)| *meaning);
        meaning.ok_or_else(|| (place, "must be one of the texts that --config lists".into()))
    }
}

fn is_one_of(text: &str, texts: &[String]) -> bool {
    texts.contains(&text.to_lowercase())
}

/// Reads an amount as the export spells it.
fn amount(config: &Config, text: &str) -> Result<Amount, InvalidValue> {
    let (whole, fraction) = match text.split_once(config.decimal_separator) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let whole = match config.thousands_separator.filter(|separator| whole.contains(*separator)) {
        Some(separator) => ungrouped(whole, separator)?,
        None => whole.to_owned(),
    };
    Amount::parse(&fraction.map_or(whole.clone(), |fraction| format!("{whole}.{fraction}")))
}

/// Takes thousands apart, and not what is a decimal separator in truth: `700,50` has none.
fn ungrouped(whole: &str, separator: char) -> Result<String, InvalidValue> {
    let groups: Vec<_> = whole.split(separator).collect();
    let last = groups.len().saturating_sub(1);
    let is_well = groups.iter().enumerate().all(|(place, group)| match place {
        0 => (1..=3).contains(&group.len()),
        _ if place == last => group.len() == 3,
        _ => (2..=3).contains(&group.len()),
    });
    is_well
        .then(|| groups.concat())
        .ok_or(InvalidValue("must have its thousands separated by two or three digits".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = include_str!("../../samples/export.toml");
    const HEADS: &str = "Type,Transaction ID,Withdrawal ID,Amount,Currency,Status,Wallet,Created by\n";

    fn read(config: &Config, text: &str) -> Vec<Result<Entry, BadLine>> {
        let mut export = Export::open(config, text.as_bytes()).unwrap();
        std::iter::from_fn(|| export.next().unwrap()).collect()
    }

    fn sample() -> Config {
        Config::parse(SAMPLE).unwrap()
    }

    #[test]
    fn the_sample_is_read_by_its_sample_configuration() {
        let read = read(&sample(), include_str!("../../samples/export.csv"));
        let seen: Vec<_> = read
            .into_iter()
            .map(|entry| {
                let Entry { key, side: Side::Providers(theirs) } = entry.unwrap() else { panic!() };
                (key, theirs.line, theirs.money.amount.to_string(), theirs.standing, theirs.by_hand)
            })
            .collect();
        let success = Standing::Success;
        let expected = [
            ("payment#paytm#47752123519", 2, "1500.50", success, false),
            ("withdrawal#withdrawal-1", 3, "300", success, false),
            ("withdrawal#BO-17", 4, "100000.00", success, true),
        ];
        assert_eq!(
            seen,
            expected.map(|(key, line, amount, it, by_hand)| (key.into(), line, amount.into(), it, by_hand))
        );
    }

    #[test]
    fn a_bad_line_is_named_with_its_column_and_does_not_stop_the_others() {
        let good = "deposit,1,,700,INR,PENDING,paytm,\n";
        let bad = [
            ("Gift,1,,700,INR,Success,paytm,\n", "Type"),
            ("Deposit,,,700,INR,Success,paytm,\n", "Transaction ID"),
            ("Withdrawal,,a b,700,INR,Success,paytm,API\n", "Withdrawal ID"),
            ("Deposit,1,,\"700,5\",INR,Success,paytm,\n", "Amount"),
            ("Deposit,1,,700.5.5,INR,Success,paytm,\n", "Amount"),
            ("Deposit,1,,-700,INR,Success,paytm,\n", "Amount"),
            ("Deposit,1,,700,rupees,Success,paytm,\n", "Currency"),
            ("Deposit,1,,700,INR,Perhaps,paytm,\n", "Status"),
            ("Deposit,1,,700,INR,Success,Pay TM,\n", "Wallet"),
            ("Deposit,1,,700\n", ""),
        ];
        for (line, column) in bad {
            let read = read(&sample(), &format!("\u{feff}{HEADS}{good}{line}{good}"));
            let [Ok(_), Err(bad), Ok(_)] = read.as_slice() else { panic!("{line}: {read:?}") };
            assert_eq!((bad.line, bad.column.as_str()), (3, column), "{bad:?}");
            assert!(!bad.reason.is_empty());
        }
    }

    #[test]
    fn what_is_no_utf_8_is_a_bad_line() {
        let config = sample();
        let text =
            [HEADS.as_bytes(), b"Deposit,\xff,,700,INR,Success,paytm,\nDeposit,1,,7,INR,Success,paytm,\n"].concat();
        let mut export = Export::open(&config, text.as_slice()).unwrap();
        assert_eq!(export.next().unwrap().unwrap().unwrap_err().line, 2);
        assert!(export.next().unwrap().unwrap().is_ok());
    }

    #[test]
    fn separators_are_the_configured_ones() {
        let mut config = sample();
        (config.decimal_separator, config.thousands_separator) = (',', Some('.'));
        let exactly = |text| amount(&config, text).map(|it| it.to_string());
        assert_eq!(exactly("1.234.567,89"), Ok("1234567.89".into()));
        assert_eq!(exactly("1234567,89"), Ok("1234567.89".into()));
        for bad in ["1.5", "12.34.56", "1,234.567", ".500", "1..000", ""] {
            assert!(exactly(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_configuration_that_cannot_do_is_refused_by_its_name() {
        for (from, to, named) in [
            ("delimiter = \",\"", "delimiter = \"€\"", "delimiter"),
            ("thousands_separator = \",\"", "thousands_separator = \".\"", "thousands_separator"),
            ("wallet_type = \"Wallet\"", "", "wallet_type"),
            ("origin = \"Created by\"", "", "origin"),
            ("amount = \"Amount\"", "", "amount"),
            ("[texts]", "[texts]\nperhaps = []", "perhaps"),
        ] {
            let why = Config::parse(&SAMPLE.replace(from, to)).unwrap_err();
            assert!(why.contains(named), "{why}");
        }
    }

    #[test]
    fn a_column_that_is_missing_or_there_twice_is_named() {
        for (heads, named) in [("Type,Amount\n", "Transaction ID"), ("Type,Type\n", "Type")] {
            let Err(Failure::Usage(why)) = Export::open(&sample(), heads.as_bytes()).map(|_| ()) else { panic!() };
            assert!(why.contains(&format!("\"{named}\"")), "{why}");
        }
    }
}
