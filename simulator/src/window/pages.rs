//! The payment window's pages.

use std::collections::BTreeMap;

use ::pages::{Frames, Page, Updates};
use axum::http::StatusCode;
use maud::{Markup, html};

use crate::deposits::Payment;
use crate::settings::Settings;
use crate::test_amounts::DepositOutcome;
use crate::wallets::Wallet;
use crate::window::state::WindowState;
use crate::window::text::{Text, fill};

/// The link cannot be used, because of one of its parameters.
pub(super) fn bad_link(state: &WindowState, field: &str) -> Page<'static> {
    let text = state.text();
    let main = html! {
        h1 { (text.bad_link) }
        p { (text.bad_field) " " code { (field) } }
    };
    Page { status: StatusCode::BAD_REQUEST, ..page(state, text, text.bad_link, main) }
}

/// The wallets of a currency.
pub(super) fn wallets(state: &WindowState, currency_code: &str) -> Page<'static> {
    let text = state.text();
    let wallets: Vec<_> = Wallet::of_currency(currency_code).collect();
    let main = html! {
        h1 { (text.choose_wallet) }
        @if wallets.is_empty() { p.error { (text.no_wallet) " (" (currency_code) ")" } }
        ul.wallets {
            @for wallet in wallets {
                li { a href=(state.clone().with("wallet_type", wallet.name).address("/")) { (wallet.title) } }
            }
        }
    };
    page(state, text, text.choose_wallet, main)
}

/// The wallet to pay to, and the amount.
pub(super) fn pay(state: &WindowState, wallet: &Wallet, settings: &Settings) -> Page<'static> {
    let text = state.text();
    let fixed = state.get("fixed_amount");
    let is_wrong = state.get("error") == Some("amount");
    let currency = wallet.currency_code;
    let main = html! {
        h1 { (text.pay) }
        div.card {
            dl {
                dt { (text.wallet) } dd { (wallet.title) }
                dt { (text.pay_to) } dd.number { (wallet.account()) }
                @if let Some(fixed) = fixed { dt { (text.amount) } dd.number { (fixed) " " (currency) } }
            }
        }
        form method="post" action="/pay" {
            (state.hidden(&["amount", "arrival", "error"]))
            @if fixed.is_none() {
                div.field {
                    label for="amount" { (text.amount) " (" (currency) ")" }
                    input #amount name="amount" inputmode="decimal" autocomplete="off" required
                        value=[state.get("amount")] aria-invalid=[is_wrong.then_some("true")]
                        aria-describedby=[is_wrong.then_some("amount-error")];
                    (error(is_wrong, "amount-error", text.amount_error))
                }
            } @else {
                (error(is_wrong, "amount-error", text.amount_error))
            }
            (arrival(text, fixed, settings))
            button.primary { (text.pay_now) }
        }
        p { a href=(state.clone().without(&["number", "error"]).address("/number")) { (text.paid_already) } }
    };
    page(state, text, if is_wrong { text.amount_error } else { text.pay }, main)
}

/// When the payment arrives: the user's choice, unless the amount decides.
fn arrival(text: &Text, fixed: Option<&str>, settings: &Settings) -> Markup {
    if settings.test_amounts && fixed.and_then(DepositOutcome::of).is_some() {
        return html! { div.field { p.hint { (text.amount_decides) } } };
    }
    let later = fill(text.arrives_later, &settings.late().as_secs_f32().to_string());
    let choices = [
        ("now", text.arrives_now),
        ("later", later.as_str()),
        ("another_amount", text.arrives_with_another_amount),
        ("never", text.arrives_never),
    ];
    html! {
        fieldset {
            legend { (text.arrival) }
            @for (value, said) in choices {
                label { input type="radio" name="arrival" value=(value) checked[value == "now"]; (said) }
            }
        }
    }
}

/// What the wallet shows after the payment, and the field for its number.
pub(super) fn number(state: &WindowState, wallet: &Wallet) -> Page<'static> {
    let text = state.text();
    let is_wrong = state.get("error") == Some("number");
    let rule = fill(text.number_rule, &wallet.rule(text.digits, text.characters));
    let main = html! {
        h1 { (text.enter_number) }
        @if let Some(number) = state.get("number") {
            section.card aria-labelledby="receipt" {
                h2 #receipt { (text.receipt) }
                dl {
                    dt { (text.wallet) } dd { (wallet.title) " " (wallet.account()) }
                    @if let Some(amount) = state.get("amount") {
                        dt { (text.paid) } dd.number { (amount) " " (wallet.currency_code) }
                    }
                    dt { (text.number) } dd.number { (number) }
                }
            }
        }
        form method="post" action="/number" {
            (state.hidden(&["entered", "error", "outcome", "message"]))
            div.field {
                label for="entered" { (text.number) }
                input #entered.number name="entered" autocomplete="off" spellcheck="false" required
                    value=[state.get("entered")] aria-invalid=[is_wrong.then_some("true")]
                    aria-describedby=(if is_wrong { "entered-error entered-rule" } else { "entered-rule" });
                (error(is_wrong, "entered-error", text.number_error))
                p #entered-rule .hint { (rule) }
            }
            button.primary { (text.send) }
        }
    };
    page(state, text, if is_wrong { text.number_error } else { text.enter_number }, main)
}

/// How it went. `credited` is the payment, once it is credited to the order.
pub(super) fn result(
    state: &WindowState,
    credited: Option<&Payment>,
    window_urls: &BTreeMap<String, String>,
) -> Page<'static> {
    let text = state.text();
    let outcome = if credited.is_some() { "success" } else { state.get("outcome").unwrap_or("pending") };
    let (name, class, title) = match outcome {
        "success" if credited.is_some() => ("success", "good", text.success),
        "fail" => ("fail", "bad", text.fail),
        _ => ("pending", "wait", text.pending),
    };
    let explained = match (credited, outcome) {
        (Some(payment), _) => {
            fill(text.success_explained, &format!("{} {}", payment.amount.text(), payment.currency_code))
        }
        (None, "fail") => text.fail_explained.to_owned(),
        (None, "possible") => text.possible_explained.to_owned(),
        (None, _) => text.pending_explained.to_owned(),
    };
    let shop = state.shop(name, window_urls);
    let entry = state.clone().without(&["outcome", "message", "error"]).address("/number");
    let main = html! {
        div class={ "outcome " (class) } { (icon(name)) h1 { (title) } }
        p { (explained) }
        dl {
            @if let Some(entered) = state.get("entered") { dt { (text.number) } dd { code { (entered) } } }
            @if let (Some(message), "fail") = (state.get("message"), name) { dt { (text.provider_says) } dd lang="en" { (message) } }
        }
        @match name {
            "pending" => p { a.button href=(state.address("/result")) { (text.check_again) } },
            "fail" => p { a.button href=(entry) { (text.try_again) } },
            _ => {}
        }
        @match shop {
            // The window may be inside a frame of the shop: the shop's page replaces the page around it.
            Some(shop) => p { a.button.primary href=(shop) target="_top" { (text.to_shop) } },
            None => p.hint { (text.no_shop) },
        }
    };
    page(state, text, title, main)
}

/// A mark for an outcome: a tick, a cross, or the hands of a clock.
fn icon(outcome: &str) -> Markup {
    let mark = match outcome {
        "success" => "M7 12.5l3.5 3.5 6.5-7",
        "fail" => "M8 8l8 8M16 8l-8 8",
        _ => "M12 7v5l3.5 2",
    };
    html! { svg viewBox="0 0 24 24" aria-hidden="true" { circle cx="12" cy="12" r="10" {} path d=(mark) {} } }
}

fn error(is_wrong: bool, id: &str, said: &str) -> Markup {
    html! { @if is_wrong { p.error id=(id) role="alert" { (said) } } }
}

fn page(state: &WindowState, text: &'static Text, title: &'static str, main: Markup) -> Page<'static> {
    let order = state.get("custom_transaction_id");
    Page {
        status: StatusCode::OK,
        base: "",
        lang: text.lang,
        title,
        class: "window",
        skip: text.skip,
        banner: text.banner,
        header: html! { (text.title) @if let Some(order) = order { " · " (text.order) " " (order) } },
        main,
        updates: Updates::Announced,
        frames: Frames::Loopback,
    }
}
