//! The withdrawal call (PROTOCOL 3): what it checks and what it answers.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use signing::{WithdrawalValue, verify_withdrawal};

use crate::api::{named, read};
use crate::fields::{Fields, Rejection};
use crate::object::Object;
use crate::postback::Draft;
use crate::state::World;
use crate::withdrawals::Accepted;

/// `POST /v2/withdrawal/create`: a withdrawal, known by its signature alone.
pub(crate) async fn withdraw(State(world): State<Arc<World>>, headers: HeaderMap, body: Bytes) -> Response {
    let fields = read(&headers, &body);
    let call = format!("withdrawal {}", named(&fields, "withdrawal_id"));
    let accepted = fields.and_then(|fields| world.accept(fields, &body));
    if let Ok(withdrawal_id) = &accepted {
        world.settle_early(withdrawal_id).await;
    }
    world.reply(&call, accepted.map(|_| r#"{"status":"ok"}"#.to_owned()))
}

impl World {
    /// Reads, checks and stores a withdrawal; gives its id.
    fn accept(&self, mut fields: Fields, body: &[u8]) -> Result<String, Rejection> {
        let signed = fields.sent().clone();
        let withdrawal_id = fields.text("withdrawal_id", 1..=36);
        if !withdrawal_id.is_empty() {
            self.state().withdrawals.receive(&withdrawal_id, body);
        }
        let withdrawal = self.withdrawal(fields)?;
        self.check_signature(&withdrawal_id, &signed)?;
        self.state().withdrawals.accept(&withdrawal_id, withdrawal, &self.settings())?;
        Ok(withdrawal_id)
    }

    fn withdrawal(&self, mut fields: Fields) -> Result<Accepted, Rejection> {
        let settings = self.settings();
        let withdrawal = Accepted {
            wallet_type: fields.text("payment_system", 1..=190),
            amount: fields.integer("amount"),
            currency_code: fields.text("currency_code", 3..=3),
            label: fields.text("label", 1..=36),
            account_number: fields.text("account_number", 10..=10),
        };
        fields.boolean("is_test");
        fields.optional_text("comment", 0..=190);
        fields.text("signature", 40..=40);
        if withdrawal.wallet_type != "paytm" {
            fields.refuse("payment_system", "is not known");
        }
        if withdrawal.currency_code != "INR" {
            fields.refuse("currency_code", "is not one of this payment system");
        }
        if !withdrawal.account_number.bytes().all(|byte| byte.is_ascii_digit()) {
            fields.refuse("account_number", "must have 10 digits");
        }
        if !(settings.withdrawal_min..=settings.withdrawal_max).contains(&withdrawal.amount) {
            fields.refuse("amount", "is not between the minimum and the maximum");
        }
        fields.finish()?;
        Ok(withdrawal)
    }

    fn check_signature(&self, withdrawal_id: &str, sent: &Object) -> Result<(), Rejection> {
        let texts: Vec<(&str, Text)> = sent.keys().map(|key| (key, Text::of(sent, key))).collect();
        let values = texts.iter().map(|(key, text)| (*key, text.value()));
        let signature: String = sent.read("signature").unwrap_or_default();
        if !verify_withdrawal(values, &signature, &self.withdrawal_key) {
            self.log(format!("withdrawal {withdrawal_id}: signature refused"));
            return Err(Rejection::text("Invalid signature"));
        }
        self.log(format!("withdrawal {withdrawal_id}: signature accepted"));
        Ok(())
    }

    /// Settles a withdrawal and sends its postback before its submission is answered, when that is switched on.
    async fn settle_early(self: &Arc<Self>, withdrawal_id: &str) {
        let settings = self.settings();
        if !(settings.early_postback && settings.send_postbacks) {
            return;
        }
        let settlement = self.state().withdrawals.settle(withdrawal_id, 1, None);
        if let Some(posted) = settlement.and_then(|settlement| self.post(Draft::withdrawal(settlement))) {
            let _ = posted.first.await;
        }
    }
}

/// A field's value, owned, as the signature sees it.
enum Text {
    Content(String),
    Flag(bool),
    Null,
}

impl Text {
    fn of(sent: &Object, key: &str) -> Self {
        let raw = sent.get(key).map_or("null", |raw| raw.get());
        match raw {
            "true" => Self::Flag(true),
            "false" => Self::Flag(false),
            "null" => Self::Null,
            _ => Self::Content(sent.read(key).unwrap_or_else(|| raw.to_owned())),
        }
    }

    fn value(&self) -> WithdrawalValue<'_> {
        match self {
            Self::Content(text) => WithdrawalValue::Text(text),
            Self::Flag(flag) => WithdrawalValue::Flag(*flag),
            Self::Null => WithdrawalValue::Null,
        }
    }
}
