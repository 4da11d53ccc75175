//! What a merchant asks for.

use domain::{Amount, CurrencyCode, CustomTransactionId, Label, Lang, Order, PaymentSystems, WalletType};
use lambda::{BadRequest, Fields};

/// Reads an order, and checks every field of it.
pub(crate) fn read(body: &[u8], systems: &PaymentSystems) -> Result<Order, BadRequest> {
    let mut fields = Fields::parse(body)?;
    let order = Order {
        custom_transaction_id: fields.text("custom_transaction_id", CustomTransactionId::parse)?,
        label: fields.text("label", Label::accept)?,
        currency_code: fields.text("currency_code", CurrencyCode::parse)?,
        wallet_type: match fields.optional_text("wallet_type", WalletType::parse)? {
            Some(wallet) => wallet,
            None => WalletType::parse("paytm").map_err(|rule| BadRequest::field("wallet_type", rule))?,
        },
        amount: fields.optional_number("amount", Amount::parse)?,
        lang: fields.optional_text("lang", Lang::parse)?,
    };
    fields.finish()?;
    let system = systems.find(&order.wallet_type).map_err(|rule| BadRequest::field("wallet_type", rule))?;
    system.check_currency(&order.currency_code).map_err(|rule| BadRequest::field("currency_code", rule))?;
    let Some(limits) = &system.deposit else {
        return Err(BadRequest::field("wallet_type", "must be a wallet type that takes deposits"));
    };
    if let Some(amount) = order.amount {
        limits.check(amount).map_err(|rule| BadRequest::field("amount", rule))?;
    }
    if let Some(lang) = &order.lang {
        system.check_lang(lang).map_err(|rule| BadRequest::field("lang", rule))?;
    }
    Ok(order)
}
