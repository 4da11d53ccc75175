//! Writes the bodies of the requests (docs/provider-protocol.md 1 and 3). The same list of fields is signed and written.

use domain::{Amount, WithdrawalRequest};
use secrecy::SecretString;
use serde_json::Value as Json;
use signing::{WithdrawalValue, sign_withdrawal};

use crate::ActivationRequest;

/// The value of a field, as it is sent and as it is signed.
enum Value<'a> {
    Text(&'a str),
    Number(String),
    Flag(bool),
}

impl Value<'_> {
    fn sent(&self) -> String {
        match self {
            Self::Text(text) => Json::from(*text).to_string(),
            Self::Number(digits) => digits.clone(),
            Self::Flag(flag) => flag.to_string(),
        }
    }

    fn signed(&self) -> WithdrawalValue<'_> {
        match self {
            Self::Text(text) => WithdrawalValue::Text(text),
            Self::Number(digits) => WithdrawalValue::Text(digits),
            Self::Flag(flag) => WithdrawalValue::Flag(*flag),
        }
    }
}

/// The exact text of a withdrawal request, with its signature. Journal it, and send the same text in every attempt.
#[must_use]
pub fn withdrawal_body(request: &WithdrawalRequest, private_key: &SecretString) -> String {
    let WithdrawalRequest {
        withdrawal_id,
        label,
        amount,
        currency_code,
        account_number,
        payment_system,
        comment,
        is_test,
    } = request;
    let mut fields = vec![
        ("withdrawal_id", Value::Text(withdrawal_id.as_str())),
        ("payment_system", Value::Text(payment_system.as_str())),
        ("amount", Value::Number(whole_units(*amount).unwrap_or_else(|| amount.to_string()))),
        ("currency_code", Value::Text(currency_code.as_str())),
        ("label", Value::Text(label.as_str())),
    ];
    fields.extend(comment.as_ref().map(|comment| ("comment", Value::Text(comment.as_str()))));
    fields.push(("account_number", Value::Text(account_number.as_str())));
    fields.push(("is_test", Value::Flag(*is_test)));
    let signature = sign_withdrawal(fields.iter().map(|(name, value)| (*name, value.signed())), private_key);
    fields.push(("signature", Value::Text(&signature)));
    object(&fields)
}

pub(crate) fn create_body(currency: &str, label: &str) -> String {
    object(&[("currency", Value::Text(currency)), ("label", Value::Text(label))])
}

pub(crate) fn activate_body(request: &ActivationRequest<'_>) -> String {
    let ActivationRequest { order, key1, amount, custom_transaction_id } = request;
    object(&[
        ("currency_code", Value::Text(order.currency_code.as_str())),
        ("wallet_type", Value::Text(order.wallet_type.as_str())),
        ("label", Value::Text(order.label.as_str())),
        ("key1", Value::Text(key1.as_str())),
        ("amount", Value::Number(amount.to_string())),
        ("custom_transaction_id", Value::Text(custom_transaction_id.as_str())),
    ])
}

/// The amount as an integer if its decimals are all zero: `700` for `700.00`.
pub(crate) fn whole_units(amount: Amount) -> Option<String> {
    let text = amount.to_string();
    let whole = text.split_once('.').map_or(text.as_str(), |(whole, _)| whole);
    (amount.precision() == 0).then(|| whole.to_owned())
}

fn object(fields: &[(&str, Value<'_>)]) -> String {
    let members: Vec<_> = fields.iter().map(|(name, value)| format!("\"{name}\":{}", value.sent())).collect();
    format!("{{{}}}", members.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{AccountNumber, Comment, CurrencyCode, Label, WalletType, WithdrawalId};
    use proptest::prelude::*;
    use signing::verify_withdrawal;

    fn page_sample() -> WithdrawalRequest {
        WithdrawalRequest {
            withdrawal_id: WithdrawalId::parse("85858053").unwrap(),
            label: Label::parse("160496026").unwrap(),
            amount: Amount::parse("1000").unwrap(),
            currency_code: CurrencyCode::parse("INR").unwrap(),
            account_number: AccountNumber::parse("1234560079").unwrap(),
            payment_system: WalletType::parse("paytm").unwrap(),
            comment: Some(Comment::parse("withdrawal").unwrap()),
            is_test: true,
        }
    }

    fn key() -> SecretString {
        SecretString::from("test_private_key")
    }

    #[test]
    fn the_page_sample_is_written_and_signed_as_documented() {
        let mut request = page_sample();
        assert_eq!(
            withdrawal_body(&request, &key()),
            r#"{"withdrawal_id":"85858053","payment_system":"paytm","amount":1000,"currency_code":"INR","label":"160496026","comment":"withdrawal","account_number":"1234560079","is_test":true,"signature":"3d8fc365d83ffeaeff1d10df2087ccd8729e00c0"}"#
        );
        request.is_test = false;
        assert!(withdrawal_body(&request, &key()).contains(r#""44f8e60f5697fb262b306d426ec90ebc2d615377"}"#));
        request.comment = None;
        let bare = withdrawal_body(&request, &key());
        assert!(bare.contains(r#""e110daf4bf5b55b32764022b7eff34bf2b8df725"}"#) && !bare.contains("comment"));
    }

    #[test]
    fn a_withdrawal_amount_is_an_integer_and_never_cut() {
        for (amount, sent) in [("1000.00", "\"amount\":1000,"), ("1000.50", "\"amount\":1000.50,")] {
            let request = WithdrawalRequest { amount: Amount::parse(amount).unwrap(), ..page_sample() };
            assert!(withdrawal_body(&request, &key()).contains(sent));
        }
    }

    proptest! {
        #[test]
        fn what_is_sent_is_what_is_signed(label in "\\PC{1,36}", comment in proptest::option::of("\\PC{0,190}"),
            amount in "[1-9][0-9]{0,9}", is_test: bool) {
            let request = WithdrawalRequest {
                label: Label::parse(label).unwrap(),
                comment: comment.map(|text| Comment::parse(text).unwrap()),
                amount: Amount::parse(&amount).unwrap(),
                is_test,
                ..page_sample()
            };
            let body: Json = serde_json::from_str(&withdrawal_body(&request, &key())).unwrap();
            let body = body.as_object().unwrap();
            let fields = body.iter().map(|(name, value)| {
                let value = match value {
                    Json::String(text) => WithdrawalValue::Text(text),
                    Json::Number(_) => WithdrawalValue::Text(&amount),
                    Json::Bool(flag) => WithdrawalValue::Flag(*flag),
                    Json::Null | Json::Array(_) | Json::Object(_) => WithdrawalValue::Null,
                };
                (name.as_str(), value)
            });
            prop_assert!(verify_withdrawal(fields, body["signature"].as_str().unwrap(), &key()));
            prop_assert_eq!(body["amount"].to_string(), amount.clone());
        }
    }
}
