//! The provider's export, record by record. A record that cannot be read is named with its line and column, and does not stop the others.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io::{BufReader, Read};

use domain::{
    CurrencyCode, InvalidValue, PaymentKey, PaymentSystems, TextRule, TransactionId, WalletType, WithdrawalId,
};
use encoding_rs_io::{DecodeReaderBytes, DecodeReaderBytesBuilder};
use serde::Serialize;
use store::RowKey;

use super::amount::amount;
use super::config::{Config, plain};
use super::entry::{Entry, Money, ProviderRecord, Side};
use super::record::Record;
use super::records::Records;
use super::standing::Standing;
use crate::failure::Failure;

/// A line that cannot be compared. Its content is not repeated: it may be a person's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct BadLine {
    pub(crate) line: u64,
    pub(crate) column: String,
    pub(crate) reason: String,
}

/// What a line of an export is.
#[derive(Debug)]
pub(crate) enum Line {
    Transaction(Entry),
    Bad(BadLine),
    /// No transaction, for this reason.
    Ignored(u64, &'static str),
}

/// An export that is being read.
pub(crate) struct Export<'a, R: Read> {
    config: &'a Config,
    records: Records<BufReader<DecodeReaderBytes<R, Vec<u8>>>>,
    heads: Record,
    places: Places,
    /// The lines in front of the header.
    before: VecDeque<(u64, &'static str)>,
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

/// Why a field, given by its place, cannot be read.
type BadField = (usize, Cow<'static, str>);

impl Places {
    fn find(config: &Config, heads: &Record) -> Result<Self, Failure> {
        let columns = &config.columns;
        let find = |name: &String| {
            let mut found = (0..heads.len()).filter(|place| heads.field(*place).trim() == name);
            match (found.next(), found.next()) {
                (Some(place), None) => Ok(place),
                (Some(_), Some(_)) => Err(Failure::Usage(format!("the export has the column \"{name}\" twice"))),
                (None, _) => Err(Failure::Usage(format!(
                    "the export has no column \"{name}\", which --config names. Line {} has {:?}: if it is not the header, set `skip_lines`",
                    heads.line,
                    heads.fields().map(str::trim).collect::<Vec<_>>(),
                ))),
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

    /// The columns that are compared. Who made a withdrawal may be a free text.
    fn compared(&self) -> impl Iterator<Item = usize> {
        let Self { direction, deposit_id, withdrawal_id, amount, currency_code, status, wallet_type, .. } = *self;
        [direction, deposit_id, withdrawal_id, amount, currency_code, status].into_iter().chain(wallet_type)
    }
}

fn unread(error: &std::io::Error) -> Failure {
    Failure::Usage(format!("the export: {error}"))
}

fn is_empty(record: &Record) -> bool {
    record.fields().all(|field| field.trim().is_empty())
}

const EMPTY: &str = "empty";

impl<'a, R: Read> Export<'a, R> {
    /// Reads the header.
    pub(crate) fn open(config: &'a Config, input: R) -> Result<Self, Failure> {
        let text = DecodeReaderBytesBuilder::new().utf8_passthru(true).strip_bom(true).build(input);
        let delimiter = u8::try_from(config.delimiter).unwrap_or(b',');
        let mut records = Records::new(BufReader::new(text), delimiter);
        let mut before = VecDeque::new();
        for (_, line) in (0..config.skip_lines).zip(1..) {
            if records.skip_line().map_err(|error| unread(&error))? {
                before.push_back((line, "in front of the header"));
            }
        }
        let heads = loop {
            match records.next().map_err(|error| unread(&error))? {
                Some(Ok(record)) if is_empty(&record) => before.push_back((record.line, EMPTY)),
                Some(Ok(record)) => break record,
                Some(Err(bad)) => {
                    return Err(Failure::Usage(format!("the export's header: line {}: {}", bad.line, bad.reason)));
                }
                None => return Err(Failure::Usage("the export has no header".into())),
            }
        };
        let places = Places::find(config, &heads)?;
        records.columns = Some(heads.len());
        Ok(Self { config, records, heads, places, before })
    }

    /// Reads the next line, or the lines of a record; `None` after the last. The error is the file's.
    pub(crate) fn next(&mut self) -> Result<Option<Line>, Failure> {
        if let Some((line, reason)) = self.before.pop_front() {
            return Ok(Some(Line::Ignored(line, reason)));
        }
        let record = match self.records.next().map_err(|error| unread(&error))? {
            None => return Ok(None),
            Some(Ok(record)) => record,
            Some(Err(bad)) => return Ok(Some(self.bad(bad.line, bad.place, bad.reason))),
        };
        if let Some(place) = self.places.compared().find(|place| record.field(*place).contains(['\r', '\n'])) {
            self.records.go_back();
            let reason = "must not have more than one line: is a quote not closed?";
            return Ok(Some(self.bad(record.line, Some(place), reason.into())));
        }
        if let Some(reason) = self.ignored(&record) {
            return Ok(Some(Line::Ignored(record.line, reason)));
        }
        if record.len() != self.heads.len() {
            self.records.go_back();
            let reason = format!("{} columns in place of {}", record.len(), self.heads.len());
            return Ok(Some(self.bad(record.line, None, reason)));
        }
        Ok(Some(match self.entry(&record) {
            Ok(entry) => Line::Transaction(entry),
            Err((place, reason)) => self.bad(record.line, Some(place), reason.into()),
        }))
    }

    fn bad(&self, line: u64, place: Option<usize>, reason: String) -> Line {
        let column = place.map_or("", |place| self.heads.field(place)).trim().to_owned();
        Line::Bad(BadLine { line, column, reason })
    }

    /// Why the record is no transaction, if the configuration says so. A total is none of the types.
    fn ignored(&self, record: &Record) -> Option<&'static str> {
        if is_empty(record) {
            return Some(EMPTY);
        }
        let Config { texts, ignore, .. } = self.config;
        let direction = plain(record.field(self.places.direction));
        if ignore.types.contains(&direction) {
            return Some("another type");
        }
        let first = record.fields().map(plain).find(|field| !field.is_empty()).unwrap_or_default();
        let is_total = ignore.totals.iter().any(|text| first.starts_with(text));
        (is_total && !texts.deposit.contains(&direction) && !texts.withdrawal.contains(&direction)).then_some("a total")
    }

    fn entry(&self, record: &Record) -> Result<Entry, BadField> {
        let (Config { texts, .. }, places) = (self.config, &self.places);
        let is_deposit = is(record, places.direction, &[(&texts.deposit, true), (&texts.withdrawal, false)])?;
        let by_hand = places.origin.is_some_and(|place| texts.by_hand.contains(&plain(record.field(place))));
        let (key, odd_id) = if is_deposit {
            let payment = self.payment(record)?;
            (payment.key(), broken_rule(&self.config.payment_systems, &payment))
        } else {
            (self.withdrawal(record, by_hand)?, None)
        };
        let is_negative = !is_deposit && self.config.negative_withdrawals;
        let amount = parse(record, places.amount, |text| amount(self.config, text, is_negative))?;
        let currency_code = parse(record, places.currency_code, CurrencyCode::parse)?;
        let standings =
            [(&texts.success, Standing::Success), (&texts.fail, Standing::Fail), (&texts.other, Standing::Other)];
        let theirs = ProviderRecord {
            standing: is(record, places.status, &standings)?,
            money: Money { amount, currency_code },
            by_hand,
            line: record.line,
            odd_id,
        };
        Ok(Entry { key, side: Side::Providers(theirs) })
    }

    fn payment(&self, record: &Record) -> Result<PaymentKey, BadField> {
        let transaction_id = parse(record, self.places.deposit_id, TransactionId::parse)?;
        let wallet_type = match (self.places.wallet_type, &self.config.wallet_type) {
            (Some(place), _) => parse(record, place, |text| {
                self.config.wallets.get(text).cloned().map_or_else(|| WalletType::parse(text), Ok)
            })?,
            (None, Some(wallet_type)) => wallet_type.clone(),
            (None, None) => return Err((self.places.deposit_id, "must have a wallet".into())),
        };
        Ok(PaymentKey { wallet_type, transaction_id })
    }

    /// A withdrawal that was made by hand need not have an id that could be ours: any text names it.
    fn withdrawal(&self, record: &Record, by_hand: bool) -> Result<String, BadField> {
        let place = self.places.withdrawal_id;
        let id = text(record, place);
        if by_hand && !id.is_empty() {
            return Ok(format!("withdrawal#{id}"));
        }
        Ok(parse(record, place, WithdrawalId::parse)?.key())
    }
}

/// The rule of its wallet that a number breaks: then it is none that a user can have paid under, such as one that a spreadsheet has
/// rewritten. A wallet without a rule of its own takes what all wallets take.
fn broken_rule(systems: &PaymentSystems, payment: &PaymentKey) -> Option<String> {
    let number = payment.transaction_id.as_str();
    let any = TextRule { least: 1, most: 190, digits: false };
    let rule = systems.find(&payment.wallet_type).map_or(&any, |system| &system.key1);
    if let Err(InvalidValue(rule)) = rule.check(number) {
        return Some(rule.into());
    }
    is_fraction(number).then(|| "must be a number as the wallet spells it, and not as a spreadsheet does".into())
}

/// Whether a spreadsheet may have written it for a whole number: `66666666603.0`, `6.66667E+10`, `6E+10`.
fn is_fraction(text: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (mantissa, exponent) = text.split_once(['e', 'E']).map_or((text, None), |(mantissa, it)| (mantissa, Some(it)));
    let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(whole, it)| (whole, Some(it)));
    let has_sign = exponent.is_some_and(|it| it.starts_with(['+', '-']));
    is_number(whole)
        && fraction.is_none_or(is_number)
        && exponent.is_none_or(|it| is_number(it.trim_start_matches(['+', '-'])))
        && (fraction.is_some() || has_sign)
}

/// A field without the spaces around it. Other characters that look like a space are a part of it.
fn text(record: &Record, place: usize) -> &str {
    record.field(place).trim_matches([' ', '\t'])
}

fn parse<'t, T>(
    record: &'t Record,
    place: usize,
    parse: impl Fn(&'t str) -> Result<T, InvalidValue>,
) -> Result<T, BadField> {
    parse(text(record, place)).map_err(|InvalidValue(rule)| (place, rule))
}

fn is<T: Copy>(record: &Record, place: usize, meanings: &[(&Vec<String>, T)]) -> Result<T, BadField> {
    let text = plain(record.field(place));
    let meaning = meanings.iter().find(|(texts, _)| texts.contains(&text)).map(|(_, meaning)| *meaning);
    meaning.ok_or_else(|| (place, "must be one of the texts that --config lists".into()))
}

#[cfg(test)]
mod tests;
