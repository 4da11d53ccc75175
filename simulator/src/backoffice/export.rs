//! The export of the back office, as `operator reconcile` reads it with operator/samples/export.toml.

use std::sync::Arc;

use ::csv::{IntoInnerError, Writer};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::deposits::MadePayment;
use crate::provider::{Provider, Records};
use crate::withdrawals::{FAIL, Origin, Record, SUCCESS};

const HEADER: [&str; 8] =
    ["Type", "Transaction ID", "Withdrawal ID", "Amount", "Currency", "Status", "Wallet", "Created by"];

/// `GET /backoffice/export.csv`: all payments and all accepted withdrawals, the oldest first.
pub(super) async fn csv(State(provider): State<Arc<Provider>>) -> Response {
    let written = write(&provider.records());
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"export.csv\""),
    ];
    match written {
        Ok(lines) => (headers, lines).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

fn write(records: &Records) -> std::io::Result<Vec<u8>> {
    let mut writer = Writer::from_writer(Vec::new());
    writer.write_record(HEADER)?;
    for MadePayment { payment, owner, .. } in records.deposits.payments().rev() {
        let status = if owner.is_some() { "Success" } else { "Pending" };
        let (number, amount) = (payment.transaction_id.as_str(), payment.amount.text());
        writer.write_record([
            "Deposit",
            number,
            "",
            amount,
            &payment.currency_code,
            status,
            &payment.wallet_type,
            "",
        ])?;
    }
    for (id, record) in records.withdrawals.all().rev() {
        let Some(accepted) = &record.accepted else { continue };
        let amount =
            record.ended_amount.as_ref().map_or_else(|| accepted.amount.to_string(), |it| it.text().to_owned());
        let origin = match record.origin {
            Origin::Api => "API",
            Origin::Manual => "Manual",
        };
        let (currency, wallet) = (accepted.currency_code.as_str(), accepted.wallet_type.as_str());
        writer.write_record(["Withdrawal", "", id, &amount, currency, status(record), wallet, origin])?;
    }
    writer.into_inner().map_err(IntoInnerError::into_error)
}

fn status(record: &Record) -> &'static str {
    match record.status {
        Some(SUCCESS) => "Success",
        Some(FAIL) => "Failed",
        Some(_) => "Processing",
        None => "Pending",
    }
}
