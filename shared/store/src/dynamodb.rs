//! The table in DynamoDB. Every write is conditional, and asks for the current row where the condition fails.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, KeysAndAttributes, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
    Update,
};
use domain::{ExpectedCredit, PaymentState, WithdrawalReport, WithdrawalRow, WithdrawalState};

use crate::aws_error::{Meaning, meaning, meaning_of, too_large, unavailable};
use crate::row::{
    ATTENTION, ATTENTION_AT, FIRST_FORMAT, FORMAT, Item, KEY, NEWER, OUR_FORMAT, QUIET, VERSION, attribute, from_item,
    is_newer, number, text, to_item,
};
use crate::{
    BackOff, Change, Credit, EndWithdrawal, MAX_TRIES, Read, ReadMany, Row, RowKey, StoreError, Stored, Transact,
    Transacted, Transaction, Write, Written, longest_wait_ms,
};

pub(crate) const ALL_OLD: ReturnValuesOnConditionCheckFailure = ReturnValuesOnConditionCheckFailure::AllOld;
pub(crate) const IS_ABSENT: &str = "attribute_not_exists(transaction_id)";
const IS_VERSION: &str = "version = :expected_version";
/// No newer release has written the row: what it wrote must not be erased.
pub(crate) const IS_NOT_NEWER: &str = "(attribute_not_exists(#format) OR #format <= :format)";
/// A write that does not read the row leaves its format as it is.
pub(crate) const KEEPS_FORMAT: &str = "#format = if_not_exists(#format, :first)";
/// Most rows of one `BatchGetItem`.
const BATCH: usize = 100;

/// The table in DynamoDB.
#[derive(Clone, Debug)]
pub struct DynamoDb {
    pub(crate) client: Client,
    pub(crate) table: String,
}

impl DynamoDb {
    /// The table of this name.
    #[must_use]
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// Opens the connection that the first request needs, by reading a row that cannot be there. The answer does not matter.
    /// `kind` is one that the function may read.
    pub async fn warm_up(&self, kind: &str) {
        let get = self.client.get_item().table_name(&self.table).key(KEY, text(format!("{kind}#")));
        let _ = get.send().await;
    }

    async fn send_transaction(&self, rows: Vec<WrittenRow>) -> Result<Option<Vec<CancellationReason>>, StoreError> {
        let (keys, items): (Vec<_>, Vec<_>) = rows.into_iter().map(|row| (row.key, row.item)).unzip();
        let sent = self.client.transact_write_items().set_transact_items(Some(items)).send().await;
        let Err(error) = sent else { return Ok(None) };
        match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(canceled)) => {
                let reasons = canceled.cancellation_reasons();
                for (place, reason) in reasons.iter().enumerate() {
                    check_reason(keys.get(place).cloned().unwrap_or_default(), reason)?;
                }
                Ok(Some(reasons.to_vec()))
            }
            _ if meaning_of(&error) == Meaning::Race => Ok(Some(Vec::new())),
            _ => Err(unavailable(&error)),
        }
    }

    fn put<R: Row>(&self, change: &Change<R>) -> Result<WrittenRow, StoreError> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(to_item(change)?))
            .return_values_on_condition_check_failure(ALL_OLD);
        let Condition { expression, names, values } = Condition::of(change.expected_version);
        let put = put
            .condition_expression(expression)
            .set_expression_attribute_names(names)
            .set_expression_attribute_values(values);
        let put = put.build().map_err(StoreError::transient)?;
        Ok(WrittenRow { key: change.row.id().key(), item: TransactWriteItem::builder().put(put).build() })
    }

    /// The payment's state is written. What else is in the row stays: who entered the number, and what was said against it. The
    /// order publishes the credit, and the payment's row nothing.
    fn credit_payment(&self, ExpectedCredit { payment, label, .. }: &ExpectedCredit) -> Result<WrittenRow, StoreError> {
        let item: Item = serde_dynamo::to_item(payment).map_err(StoreError::transient)?;
        let mut set = format!("SET {QUIET} = :quiet, {KEEPS_FORMAT}, version = if_not_exists(version, :zero) + :one");
        let mut values = named("unproved", PaymentState::UNPROVED);
        let mut update = Update::builder();
        for (index, (name, value)) in item.into_iter().filter(|(name, _)| name != KEY).enumerate() {
            // Writing to a String does not fail.
            let _ = write!(set, ", #{index} = :{index}");
            update = update.expression_attribute_names(format!("#{index}"), name);
            values.insert(format!(":{index}"), value);
        }
        // A row without the attribute `entries` is older than it.
        let is_undisputed = "attribute_not_exists(resolutions) AND attribute_not_exists(entries[1]) \
             AND (attribute_not_exists(entries) OR entries[0].label = :label)";
        let update = update
            .table_name(&self.table)
            .key(KEY, text(payment.key.key()))
            .update_expression(format!("{set} REMOVE journal, #order"))
            .expression_attribute_names("#order", "order")
            .condition_expression(format!(
                "{IS_ABSENT} OR (#state IN (:unproved0, :unproved1) AND {is_undisputed} AND {IS_NOT_NEWER})"
            ))
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#format", FORMAT)
            .set_expression_attribute_values(Some(values))
            .expression_attribute_values(":format", number(OUR_FORMAT))
            .expression_attribute_values(":first", number(FIRST_FORMAT))
            .expression_attribute_values(":label", text(label.as_str()))
            .expression_attribute_values(":quiet", AttributeValue::Bool(true))
            .expression_attribute_values(":zero", number(0))
            .expression_attribute_values(":one", number(1))
            .return_values_on_condition_check_failure(ALL_OLD)
            .build()
            .map_err(StoreError::transient)?;
        Ok(WrittenRow { key: payment.key.key(), item: TransactWriteItem::builder().update(update).build() })
    }

    /// An order's first credit. A further one needs a look at its credited numbers. Without a version the row cannot be decoded:
    /// that is an error of the row, not of the expression.
    fn credit_order(&self, expected: &ExpectedCredit) -> Result<WrittenRow, StoreError> {
        let update = Update::builder()
            .table_name(&self.table)
            .key(KEY, text(expected.order.key()))
            .update_expression(format!(
                "SET #state = :credited, credited = :credit, {KEEPS_FORMAT}, version = version + :one REMOVE {QUIET}"
            ))
            .condition_expression(format!(
                "#state = :created AND label = :label AND currency_code = :currency_code \
                 AND wallet_type = :wallet_type AND attribute_type(version, :number) AND {IS_NOT_NEWER}"
            ))
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#format", FORMAT)
            .expression_attribute_values(":format", number(OUR_FORMAT))
            .expression_attribute_values(":first", number(FIRST_FORMAT))
            .expression_attribute_values(":created", attribute(domain::DepositState::Created)?)
            .expression_attribute_values(":number", text("N"))
            .expression_attribute_values(":credited", attribute(domain::DepositState::Credited)?)
            .expression_attribute_values(":credit", attribute([&expected.credit])?)
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":label", text(expected.label.as_str()))
            .expression_attribute_values(":currency_code", text(expected.currency_code.as_str()))
            .expression_attribute_values(":wallet_type", text(expected.payment.key.wallet_type.as_str()))
            .return_values_on_condition_check_failure(ALL_OLD)
            .build()
            .map_err(StoreError::transient)?;
        Ok(WrittenRow { key: expected.order.key(), item: TransactWriteItem::builder().update(update).build() })
    }
}

/// What must hold of the current row when a row is put in its place.
struct Condition {
    expression: String,
    names: Option<HashMap<String, String>>,
    values: Option<Item>,
}

impl Condition {
    fn of(expected_version: u64) -> Self {
        if expected_version == 0 {
            return Self { expression: IS_ABSENT.into(), names: None, values: None };
        }
        let values = [(":format", OUR_FORMAT), (":expected_version", expected_version)];
        Self {
            expression: format!("{IS_VERSION} AND {IS_NOT_NEWER}"),
            names: Some([("#format".to_owned(), FORMAT.to_owned())].into()),
            values: Some(values.map(|(name, value)| (name.to_owned(), number(value))).into()),
        }
    }
}

/// One row of a transaction.
struct WrittenRow {
    key: String,
    item: TransactWriteItem,
}

/// What cancelled a transaction: a race, or an error of one row.
fn check_reason(key: String, reason: &CancellationReason) -> Result<(), StoreError> {
    let code = reason.code().unwrap_or("None");
    if reason.item().is_some_and(|item| is_newer(&item.clone().into())) {
        return Err(StoreError::transient(NEWER));
    }
    match meaning(code, reason.message().unwrap_or_default()) {
        Meaning::Race => Ok(()),
        Meaning::TooLarge => Err(too_large(key)),
        Meaning::Transient if code == "None" => Ok(()),
        Meaning::Transient => Err(StoreError::Transient(format!("transaction cancelled: {code}"))),
    }
}

/// The current row after a condition has failed. A row that a newer release has written is not ours to change.
pub(crate) fn current<R: Row>(item: Option<Item>) -> Result<Option<Stored<R>>, StoreError> {
    let Some(item) = item.map(serde_dynamo::Item::from) else { return Ok(None) };
    if is_newer(&item) { Err(StoreError::transient(NEWER)) } else { from_item(item).map(Some) }
}

/// The values `:{name}0`, `:{name}1` and so on of an expression.
fn named<const N: usize>(name: &str, values: [&str; N]) -> Item {
    values.iter().enumerate().map(|(index, value)| (format!(":{name}{index}"), text(*value))).collect()
}

impl BackOff for DynamoDb {
    async fn back_off(&self, lost_races: u32) {
        let wait_ms = fastrand::u64(..longest_wait_ms(lost_races));
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
    }
}

impl<I: RowKey> Read<I> for DynamoDb {
    async fn read(&self, id: &I) -> Result<Option<Stored<I::Row>>, StoreError> {
        let get = self.client.get_item().table_name(&self.table).key(KEY, text(id.key())).consistent_read(true);
        let got = get.send().await.map_err(|error| unavailable(&error))?;
        got.item.map(from_item).transpose()
    }
}

impl<I: RowKey> ReadMany<I> for DynamoDb {
    async fn read_many(&self, ids: &[I]) -> Result<BTreeMap<I, Stored<I::Row>>, StoreError> {
        let mut found = BTreeMap::new();
        for ids in ids.chunks(BATCH) {
            let keys = ids.iter().map(|id| Item::from([(KEY.to_owned(), text(id.key()))])).collect();
            let mut asked = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build().ok();
            for race in 0..MAX_TRIES {
                let Some(keys) = asked.take() else { break };
                let answer = self.client.batch_get_item().request_items(&self.table, keys).send().await;
                let answer = answer.map_err(|error| unavailable(&error))?;
                let rows = answer.responses.unwrap_or_default().into_values().flatten();
                found.extend(rows.filter_map(|item| from_item::<I::Row>(item).ok()).map(|it| (it.row.id(), it)));
                asked = answer.unprocessed_keys.unwrap_or_default().into_values().next();
                if asked.is_some() {
                    self.back_off(race).await;
                }
            }
            if asked.is_some() {
                return Err(StoreError::transient("some rows of a batch were not read"));
            }
        }
        Ok(found)
    }
}

impl<R: Row> Write<R> for DynamoDb {
    async fn write(&self, change: Change<R>) -> Result<Written<R>, StoreError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(to_item(&change)?))
            .return_values_on_condition_check_failure(ALL_OLD);
        let Condition { expression, names, values } = Condition::of(change.expected_version);
        let put = put
            .condition_expression(expression)
            .set_expression_attribute_names(names)
            .set_expression_attribute_values(values);
        let Err(error) = put.send().await else { return Ok(Written::Done) };
        if let Some(PutItemError::ConditionalCheckFailedException(failed)) = error.as_service_error() {
            return Ok(change.or_own(current(failed.item().cloned())?));
        }
        match meaning_of(&error) {
            Meaning::Race => {
                let current = self.read(&change.row.id()).await?;
                Ok(change.or_own(current))
            }
            Meaning::TooLarge => Err(too_large(change.row.id().key())),
            Meaning::Transient => Err(unavailable(&error)),
        }
    }
}

impl Transact for DynamoDb {
    async fn transact(&self, transaction: Transaction) -> Result<Transacted, StoreError> {
        let (numbers, page) = transaction.new_rows();
        let mut rows = vec![self.put(&transaction.deposit)?];
        rows.extend(transaction.payments.iter().map(|it| self.put(it)).collect::<Result<Vec<_>, _>>()?);
        rows.extend(numbers.iter().map(|it| self.put(it)).collect::<Result<Vec<_>, _>>()?);
        rows.extend(page.as_ref().map(|it| self.put(it)).transpose()?);
        rows.extend(transaction.unreadable.as_ref().map(|it| self.put(it)).transpose()?);
        Ok(match self.send_transaction(rows).await? {
            None => Transacted::Done,
            Some(_) => Transacted::Conflict { payment: None },
        })
    }
}

impl Credit for DynamoDb {
    async fn credit(&self, expected: &ExpectedCredit) -> Result<Transacted, StoreError> {
        let items = vec![self.credit_payment(expected)?, self.credit_order(expected)?];
        let Some(reasons) = self.send_transaction(items).await? else { return Ok(Transacted::Done) };
        let payment = reasons.first().and_then(CancellationReason::item).cloned();
        Ok(Transacted::Conflict { payment: payment.map(from_item).transpose()?.map(Box::new) })
    }
}

impl EndWithdrawal for DynamoDb {
    async fn end_withdrawal(&self, report: &WithdrawalReport) -> Result<Written<WithdrawalRow>, StoreError> {
        let label = report.facts.label.as_ref();
        let (Some(outcome), Some(label), None) = (report.outcome(), label, report.mismatch) else {
            return Ok(Written::Conflict { current: self.read(&report.withdrawal_id).await? });
        };
        let item: Item = serde_dynamo::to_item(&outcome).map_err(StoreError::transient)?;
        let missing = |name: &str| StoreError::Transient(format!("an outcome has no {name}"));
        let value = |name: &str| item.get(name).cloned().ok_or_else(|| missing(name));
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(KEY, text(report.withdrawal_id.key()))
            .update_expression(format!(
                "SET #state = :state, facts = :facts, changed_at = :changed_at, state_since = :changed_at, \
                 {KEEPS_FORMAT}, \
                 {VERSION} = {VERSION} + :one \
                 REMOVE needs_review, {ATTENTION}, {ATTENTION_AT}, {QUIET}"
            ))
            .condition_expression(format!(
                "#state IN (:open0, :open1, :open2, :open3) AND amount = :amount \
                 AND currency_code = :currency_code AND payment_system = :payment_system AND label = :label \
                 AND attribute_not_exists(contradictions) AND {IS_NOT_NEWER}"
            ))
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#format", FORMAT)
            .set_expression_attribute_values(Some(named("open", WithdrawalState::OPEN)))
            .expression_attribute_values(":format", number(OUR_FORMAT))
            .expression_attribute_values(":first", number(FIRST_FORMAT))
            .expression_attribute_values(":state", value("state")?)
            .expression_attribute_values(":facts", value("facts")?)
            .expression_attribute_values(":changed_at", number(report.facts.evidence.received_at.0))
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":amount", text(report.facts.amount.to_string()))
            .expression_attribute_values(":currency_code", text(report.facts.currency_code.as_str()))
            .expression_attribute_values(":payment_system", text(report.wallet_type.as_str()))
            .expression_attribute_values(":label", text(label.as_str()))
            .return_values_on_condition_check_failure(ALL_OLD);
        let Err(error) = update.send().await else { return Ok(Written::Done) };
        if let Some(UpdateItemError::ConditionalCheckFailedException(failed)) = error.as_service_error() {
            return Ok(Written::Conflict { current: current(failed.item().cloned())? });
        }
        match meaning_of(&error) {
            Meaning::Race => Ok(Written::Conflict { current: self.read(&report.withdrawal_id).await? }),
            Meaning::TooLarge => Err(too_large(report.withdrawal_id.key())),
            Meaning::Transient => Err(unavailable(&error)),
        }
    }
}

impl<R: Row> Change<R> {
    /// What a failed condition means: our own write, whose answer was lost, or the current row.
    pub(crate) fn or_own(self, current: Option<Stored<R>>) -> Written<R> {
        let own = Stored { row: self.row, version: self.expected_version.saturating_add(1) };
        if current.as_ref() == Some(&own) { Written::Done } else { Written::Conflict { current } }
    }
}
