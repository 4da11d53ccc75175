//! `GET /transactions` over the in-memory table: how far one request looks for what a filter shows.

#![cfg(test)]

use domain::{
    AccountNumber, Amount, CurrencyCode, Label, Submission, Timestamp, WalletType, Withdrawal, WithdrawalId,
    WithdrawalRequest, WithdrawalRow,
};
use lambda::{Handler, Request};
use serde_json::Value;
use store::{Change, Memory, Write};
use transaction_reader::Deps;

async fn add(table: &Memory, number: u64, submission: &Submission) {
    let request = WithdrawalRequest {
        withdrawal_id: WithdrawalId::parse(format!("w{number}")).unwrap(),
        label: Label::parse("user-1").unwrap(),
        amount: Amount::parse("1000").unwrap(),
        currency_code: CurrencyCode::parse("INR").unwrap(),
        account_number: AccountNumber::parse("1234560079").unwrap(),
        payment_system: WalletType::parse("paytm").unwrap(),
        comment: None,
        is_test: false,
    };
    let at = Timestamp(number);
    let row = Withdrawal::new(request, "{}".into(), "sender".into(), at);
    let row = row.after(row.answered("sender", submission, at), None, at).0.unwrap();
    table.write(Change::new(WithdrawalRow::Registered(Box::new(row)))).await.unwrap();
}

/// A page: its withdrawals and its cursor.
async fn page(deps: &Deps<Memory>, state: &str, cursor: Option<&str>) -> (Vec<String>, Option<String>) {
    let query: Vec<_> = [("state", state)].into_iter().chain(cursor.map(|cursor| ("cursor", cursor))).collect();
    let reply = deps.handle(Request { query: &query, ..Request::default() }).await.unwrap();
    let body: Value = serde_json::from_str(&reply.body).unwrap();
    let rows = body["transactions"].as_array().unwrap().iter();
    let ids = rows.map(|row| row["withdrawal_id"].as_str().unwrap().to_owned()).collect();
    (ids, body["cursor"].as_str().map(str::to_owned))
}

#[tokio::test]
async fn a_request_looks_at_2000_rows_and_the_next_one_goes_on_behind_them() {
    let table = Memory::default();
    for number in 0..4_000 {
        add(&table, number, &Submission::Accepted).await;
    }
    add(&table, 4_000, &Submission::Unknown("lost".into())).await;
    let deps = Deps { table };
    let mut cursor = None;
    for _ in 0..2 {
        let (ids, next) = page(&deps, "unknown", cursor.as_deref()).await;
        assert_eq!((ids.len(), next.is_some()), (0, true));
        cursor = next;
    }
    assert_eq!(page(&deps, "unknown", cursor.as_deref()).await, (vec!["w4000".to_owned()], None));
}

#[tokio::test]
async fn pages_of_what_a_filter_shows_follow_each_other_without_gap_or_repetition() {
    for count in [19, 20, 21, 40, 41] {
        let table = Memory::default();
        for number in 0..count {
            add(&table, 2 * number, &Submission::Accepted).await;
            add(&table, 2 * number + 1, &Submission::Unknown("lost".into())).await;
        }
        let deps = Deps { table };
        let (mut ids, mut cursor) = (Vec::new(), None);
        loop {
            let (of_page, next) = page(&deps, "unknown", cursor.as_deref()).await;
            assert!(of_page.len() == 20 || next.is_none(), "{count}: {} rows", of_page.len());
            ids.extend(of_page);
            cursor = next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(ids, (0..count).map(|number| format!("w{}", 2 * number + 1)).collect::<Vec<_>>());
    }
}
