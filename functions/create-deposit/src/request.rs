//! What a merchant asks for.

use domain::{
    Amount, CurrencyCode, CustomTransactionId, Label, Lang, Order, PaymentSystems, WalletType, Window, WindowPageId,
    WindowUrl,
};
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
        window: fields.object("window", read_window)?,
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

fn read_window(fields: &mut Fields<'_>) -> Result<Window, BadRequest> {
    let page = |digits: &str| WindowPageId::parse(digits);
    Ok(Window {
        payment_url_success_id: fields.optional_number("payment_url_success_id", page)?,
        payment_url_fail_id: fields.optional_number("payment_url_fail_id", page)?,
        payment_url_pending_id: fields.optional_number("payment_url_pending_id", page)?,
        success_url: fields.optional_text("success_url", WindowUrl::parse)?,
        fail_url: fields.optional_text("fail_url", WindowUrl::parse)?,
        pending_url: fields.optional_text("pending_url", WindowUrl::parse)?,
    })
}
