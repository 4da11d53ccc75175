//! What a merchant asks for.

use domain::{
    AccountNumber, Amount, Comment, CurrencyCode, Label, PaymentSystem, PaymentSystems, WalletType, WithdrawalId,
    WithdrawalRequest, WithdrawalRules,
};
use lambda::{BadRequest, Fields};

/// Reads a withdrawal, and checks every field of it.
pub(crate) fn read(body: &[u8], systems: &PaymentSystems) -> Result<WithdrawalRequest, BadRequest> {
    let mut fields = Fields::parse(body)?;
    let withdrawal = WithdrawalRequest {
        withdrawal_id: fields.text("withdrawal_id", WithdrawalId::parse)?,
        label: fields.text("label", Label::accept)?,
        amount: fields.number("amount", Amount::parse)?,
        currency_code: fields.text("currency_code", CurrencyCode::parse)?,
        account_number: fields.text("account_number", AccountNumber::accept)?,
        payment_system: match fields.optional_text("payment_system", WalletType::parse)? {
            Some(wallet) => wallet,
            None => WalletType::parse("paytm").map_err(|rule| BadRequest::field("payment_system", rule))?,
        },
        comment: fields.optional_text("comment", Comment::accept)?,
        is_test: fields.boolean("is_test")?,
    };
    fields.finish()?;
    let system = systems.find(&withdrawal.payment_system).map_err(|rule| BadRequest::field("payment_system", rule))?;
    check(&withdrawal, system)?;
    Ok(withdrawal)
}

fn check(withdrawal: &WithdrawalRequest, system: &PaymentSystem) -> Result<(), BadRequest> {
    let Some(WithdrawalRules { account_number, limits }) = &system.withdrawal else {
        return Err(BadRequest::field("payment_system", "must be a payment system that pays out, such as paytm"));
    };
    if !withdrawal.label.fits_withdrawal() {
        let rule = format!("must be at most {} characters for a withdrawal", Label::MAX_OF_WITHDRAWAL);
        return Err(BadRequest::field("label", rule));
    }
    account_number
        .check(withdrawal.account_number.as_str())
        .map_err(|rule| BadRequest::field("account_number", rule))?;
    limits.check(withdrawal.amount).map_err(|rule| BadRequest::field("amount", rule))?;
    system.check_currency(&withdrawal.currency_code).map_err(|rule| BadRequest::field("currency_code", rule))
}
