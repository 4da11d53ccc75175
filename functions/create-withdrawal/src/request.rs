//! What a merchant asks for.

use domain::{
    AccountNumber, Amount, Comment, CurrencyCode, Label, PaymentSystem, PaymentSystems, PayoutRequest, WalletType,
    WithdrawalId,
};
use lambda::{BadRequest, Fields};

/// Reads a payout, and checks every field of it.
pub(crate) fn read(body: &[u8], systems: &PaymentSystems) -> Result<PayoutRequest, BadRequest> {
    let mut fields = Fields::parse(body)?;
    let payout = PayoutRequest {
        withdrawal_id: fields.text("withdrawal_id", WithdrawalId::parse)?,
        label: fields.text("label", Label::parse)?,
        amount: fields.number("amount", Amount::parse)?,
        currency_code: fields.text("currency_code", CurrencyCode::parse)?,
        account_number: fields.text("account_number", AccountNumber::parse)?,
        payment_system: match fields.optional_text("payment_system", WalletType::parse)? {
            Some(wallet) => wallet,
            None => WalletType::parse("paytm").map_err(|rule| BadRequest::field("payment_system", rule))?,
        },
        comment: fields.optional_text("comment", Comment::parse)?,
        is_test: fields.boolean("is_test")?,
    };
    fields.finish()?;
    let system = systems.find(&payout.payment_system).map_err(|rule| BadRequest::field("payment_system", rule))?;
    check(&payout, system)?;
    Ok(payout)
}

fn check(payout: &PayoutRequest, system: &PaymentSystem) -> Result<(), BadRequest> {
    let (Some(account), Some(limits)) = (&system.account_number, &system.withdrawal) else {
        return Err(BadRequest::field("payment_system", "must be a payment system that pays out, such as paytm"));
    };
    if !payout.label.fits_withdrawal() {
        let rule = format!("must be at most {} characters for a withdrawal", Label::MAX_OF_WITHDRAWAL);
        return Err(BadRequest::field("label", rule));
    }
    account.check(payout.account_number.as_str()).map_err(|rule| BadRequest::field("account_number", rule))?;
    limits.check(payout.amount).map_err(|rule| BadRequest::field("amount", rule))?;
    system.check_currency(&payout.currency_code).map_err(|rule| BadRequest::field("currency_code", rule))
}
