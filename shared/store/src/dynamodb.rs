//! The table in DynamoDB. Every write is conditional, and asks for the current row where the condition fails.

use std::fmt::Write as _;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    CancellationReason, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use domain::{DepositRow, ExpectedCredit, Payment, PaymentState, WithdrawalReport, WithdrawalRow, WithdrawalState};

use crate::aws_error::{has_lost, is_race, unavailable};
use crate::row::{ATTENTION, ATTENTION_AT, Item, KEY, VERSION, attribute, from_item, number, text, to_item};
use crate::{
    BackOff, Change, Credit, EndWithdrawal, Read, Row, RowKey, StoreError, Stored, Transact, Transacted, Write,
    Written, longest_wait_ms,
};

const ALL_OLD: ReturnValuesOnConditionCheckFailure = ReturnValuesOnConditionCheckFailure::AllOld;
const IS_ABSENT: &str = "attribute_not_exists(transaction_id)";
const IS_VERSION: &str = "version = :expected_version";

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

    async fn send_transaction(
        &self,
        items: Vec<TransactWriteItem>,
    ) -> Result<Option<Vec<CancellationReason>>, StoreError> {
        let sent = self.client.transact_write_items().set_transact_items(Some(items)).send().await;
        let Err(error) = sent else { return Ok(None) };
        match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(canceled)) => {
                let reasons = canceled.cancellation_reasons();
                let is_other = |code: &&str| *code != "None" && !is_race(code);
                match reasons.iter().filter_map(CancellationReason::code).find(is_other) {
                    None => Ok(Some(reasons.to_vec())),
                    Some(code) => Err(StoreError(format!("transaction cancelled: {code}"))),
                }
            }
            _ if has_lost(&error) => Ok(Some(Vec::new())),
            _ => Err(unavailable(&error)),
        }
    }

    fn put<R: Row>(&self, change: &Change<R>) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(to_item(change)?))
            .return_values_on_condition_check_failure(ALL_OLD);
        let put = match change.expected_version {
            0 => put.condition_expression(IS_ABSENT),
            version => {
                put.condition_expression(IS_VERSION).expression_attribute_values(":expected_version", number(version))
            }
        };
        let put = put.build().map_err(|error| StoreError(error.to_string()))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// The payment's state is written. What else is in the row stays: who entered the number, and what was said against it.
    fn credit_payment(
        &self,
        ExpectedCredit { payment, label, .. }: &ExpectedCredit,
    ) -> Result<TransactWriteItem, StoreError> {
        let item: Item = serde_dynamo::to_item(payment).map_err(|error| StoreError(error.to_string()))?;
        let mut set = String::from("SET version = if_not_exists(version, :zero) + :one");
        let mut values = named("unproved", PaymentState::UNPROVED);
        let mut update = Update::builder();
        for (index, (name, value)) in item.into_iter().enumerate() {
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
            .update_expression(format!("{set} REMOVE journal"))
            .condition_expression(format!("{IS_ABSENT} OR (#state IN (:unproved0, :unproved1) AND {is_undisputed})"))
            .expression_attribute_names("#state", "state")
            .set_expression_attribute_values(Some(values))
            .expression_attribute_values(":label", text(label.as_str()))
            .expression_attribute_values(":zero", number(0))
            .expression_attribute_values(":one", number(1))
            .return_values_on_condition_check_failure(ALL_OLD)
            .build()
            .map_err(|error| StoreError(error.to_string()))?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    fn credit_order(&self, expected: &ExpectedCredit) -> Result<TransactWriteItem, StoreError> {
        let update = Update::builder()
            .table_name(&self.table)
            .key(KEY, text(expected.order.key()))
            .update_expression(
                "SET #state = :credited, credited = list_append(credited, :credit), version = version + :one",
            )
            .condition_expression("label = :label AND currency_code = :currency_code AND wallet_type = :wallet_type")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":credited", attribute(domain::DepositState::Credited)?)
            .expression_attribute_values(":credit", attribute([&expected.credit])?)
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":label", text(expected.label.as_str()))
            .expression_attribute_values(":currency_code", text(expected.currency_code.as_str()))
            .expression_attribute_values(":wallet_type", text(expected.payment.key.wallet_type.as_str()))
            .build()
            .map_err(|error| StoreError(error.to_string()))?;
        Ok(TransactWriteItem::builder().update(update).build())
    }
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

impl<R: Row> Write<R> for DynamoDb {
    async fn write(&self, change: Change<R>) -> Result<Written<R>, StoreError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(to_item(&change)?))
            .return_values_on_condition_check_failure(ALL_OLD);
        let put = match change.expected_version {
            0 => put.condition_expression(IS_ABSENT),
            version => {
                put.condition_expression(IS_VERSION).expression_attribute_values(":expected_version", number(version))
            }
        };
        let Err(error) = put.send().await else { return Ok(Written::Done) };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(failed)) => {
                let current = failed.item().cloned().map(from_item).transpose()?;
                Ok(change.or_own(current))
            }
            _ if has_lost(&error) => {
                let current = self.read(&change.row.id()).await?;
                Ok(change.or_own(current))
            }
            _ => Err(unavailable(&error)),
        }
    }
}

impl Transact for DynamoDb {
    async fn transact(
        &self,
        deposit: Change<DepositRow>,
        payments: Vec<Change<Payment>>,
    ) -> Result<Transacted, StoreError> {
        let mut items = vec![self.put(&deposit)?];
        for payment in &payments {
            items.push(self.put(payment)?);
        }
        Ok(match self.send_transaction(items).await? {
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
        let item: Item = serde_dynamo::to_item(&outcome).map_err(|error| StoreError(error.to_string()))?;
        let value = |name: &str| item.get(name).cloned().ok_or_else(|| StoreError(format!("an outcome has no {name}")));
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(KEY, text(report.withdrawal_id.key()))
            .update_expression(format!(
                "SET #state = :state, facts = :facts, changed_at = :changed_at, {VERSION} = {VERSION} + :one \
                 REMOVE needs_review, {ATTENTION}, {ATTENTION_AT}"
            ))
            .condition_expression(
                "#state IN (:open0, :open1, :open2, :open3) AND amount = :amount \
                 AND currency_code = :currency_code AND payment_system = :payment_system AND label = :label \
                 AND attribute_not_exists(contradictions)",
            )
            .expression_attribute_names("#state", "state")
            .set_expression_attribute_values(Some(named("open", WithdrawalState::OPEN)))
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
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                Ok(Written::Conflict { current: failed.item().cloned().map(from_item).transpose()? })
            }
            _ if has_lost(&error) => Ok(Written::Conflict { current: self.read(&report.withdrawal_id).await? }),
            _ => Err(unavailable(&error)),
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
