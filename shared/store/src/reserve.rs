//! The ceiling on outgoing money: the sums that are reserved in a day and its hours, changed without reading them first.

use std::future::Future;

use aws_sdk_dynamodb::config::Config;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::{Reservation, ReservedSums, Sum};

use crate::aws_error::unavailable;
use crate::dynamodb::{ALL_OLD, IS_ABSENT, IS_NOT_NEWER, KEEPS_FORMAT, current};
use crate::memory::{get, put};
use crate::row::{FIRST_FORMAT, FORMAT, KEY, OUR_FORMAT, QUIET, VERSION, decimal, number, text};
use crate::{Change, DynamoDb, Memory, RowKey, StoreError};

/// The answer to a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// The amount is reserved.
    Done,
    /// A ceiling does not allow it, and nothing is reserved.
    LimitReached,
}

/// The right to reserve outgoing money, and to give back what was not sent out.
pub trait Reserve: Sync {
    /// Adds the amount to the sums where [`ReservedSums::reserve`] does. If the answer is lost, the amount may be reserved
    /// once or twice: more than what is sent out, never less.
    fn reserve(&self, reservation: &Reservation) -> impl Future<Output = Result<Reserved, StoreError>> + Send;

    /// Takes the amount out of the sums where [`ReservedSums::give_back`] does, at most once. After an error it may still be
    /// reserved.
    fn give_back(&self, reservation: &Reservation) -> impl Future<Output = Result<(), StoreError>> + Send;
}

fn not_reserved() -> StoreError {
    StoreError::transient("what is given back is not reserved")
}

impl DynamoDb {
    /// An update of the sums, with what both updates have in common.
    fn update_sums(&self, Reservation { id, hour, amount, .. }: &Reservation) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .key(KEY, text(id.key()))
            .expression_attribute_names("#reserved", ReservedSums::RESERVED)
            .expression_attribute_names("#hour", hour.attribute())
            .expression_attribute_names("#format", FORMAT)
            .expression_attribute_values(":amount", decimal(amount))
            .expression_attribute_values(":format", number(OUR_FORMAT))
            .expression_attribute_values(":first", number(FIRST_FORMAT))
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":quiet", AttributeValue::Bool(true))
            .return_values_on_condition_check_failure(ALL_OLD)
    }
}

impl Reserve for DynamoDb {
    async fn reserve(&self, reservation: &Reservation) -> Result<Reserved, StoreError> {
        let Reservation { id, hour_before, day_before, .. } = reservation;
        // A row without the sum of its day is damaged, and allows nothing.
        let mut condition = format!("{IS_NOT_NEWER} AND attribute_type(#reserved, :number)");
        let mut update = self
            .update_sums(reservation)
            .update_expression(format!(
                "SET payment_system = :payment_system, #day = :day, {KEEPS_FORMAT}, {QUIET} = :quiet \
                 ADD #reserved :amount, #hour :amount, {VERSION} :one"
            ))
            .expression_attribute_names("#day", "day")
            .expression_attribute_values(":payment_system", text(id.payment_system.as_str()))
            .expression_attribute_values(":day", text(id.day.to_string()))
            .expression_attribute_values(":number", text("N"));
        let sums: [(&str, &Option<Sum>, &str); 2] = [
            (":day_before", day_before, "#reserved <= :day_before"),
            (":hour_before", hour_before, "(attribute_not_exists(#hour) OR #hour <= :hour_before)"),
        ];
        for (name, most, fits) in sums {
            if let Some(most) = most {
                condition = format!("{condition} AND {fits}");
                update = update.expression_attribute_values(name, decimal(most));
            }
        }
        let update = update.condition_expression(format!("{IS_ABSENT} OR ({condition})"));
        let Err(error) = update.send().await else { return Ok(Reserved::Done) };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                current::<ReservedSums>(failed.item().cloned()).map(|_| Reserved::LimitReached)
            }
            _ => Err(unavailable(&error)),
        }
    }

    async fn give_back(&self, reservation: &Reservation) -> Result<(), StoreError> {
        let update = self
            .update_sums(reservation)
            .update_expression(format!(
                "SET #reserved = #reserved - :amount, #hour = #hour - :amount, {KEEPS_FORMAT}, \
                 {QUIET} = :quiet ADD {VERSION} :one"
            ))
            .condition_expression(format!("#reserved >= :amount AND #hour >= :amount AND {IS_NOT_NEWER}"));
        // Done again after a lost answer, it would take out what belongs to another withdrawal.
        let once = Config::builder().retry_config(RetryConfig::disabled());
        let Err(error) = update.customize().config_override(once).send().await else { return Ok(()) };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                current::<ReservedSums>(failed.item().cloned())?;
                Err(not_reserved())
            }
            _ => Err(unavailable(&error)),
        }
    }
}

impl Reserve for Memory {
    async fn reserve(&self, reservation: &Reservation) -> Result<Reserved, StoreError> {
        let mut rows = self.lock();
        let current = get(&rows, &reservation.id);
        let Some(sums) = ReservedSums::reserve(current.as_ref().map(|it| &it.row), reservation) else {
            return Ok(Reserved::LimitReached);
        };
        put(&mut rows, Change::of(sums, current.as_ref()));
        Ok(Reserved::Done)
    }

    async fn give_back(&self, reservation: &Reservation) -> Result<(), StoreError> {
        let mut rows = self.lock();
        let current = get(&rows, &reservation.id);
        let sums = current.as_ref().and_then(|it| it.row.give_back(reservation)).ok_or_else(not_reserved)?;
        put(&mut rows, Change::of(sums, current.as_ref()));
        Ok(())
    }
}
