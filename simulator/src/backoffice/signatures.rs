//! The signature calculator: each step of a signature, so that two sides that differ can find where.

use std::sync::Arc;

use axum::Form;
use axum::extract::{Query, State};
use maud::{Markup, html};
use pages::{Page, Updates};
use paykassma::{JsonObject, PostbackBody};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use signing::{Spelling, explain_postback, explain_withdrawal};

use crate::backoffice::office;
use crate::provider::Provider;
use crate::signed_fields::SignedFields;

const HERE: &str = "/backoffice/signatures";

/// The spellings that a postback may be hashed in.
const SPELLINGS: [(Spelling, &str); 3] = [
    (Spelling::Flagged, "With JSON_UNESCAPED_SLASHES and JSON_UNESCAPED_UNICODE, as the provider's page says now"),
    (Spelling::Default, "Without flags, as older versions of the page said"),
    (Spelling::Raw, "As it is in the body"),
];

/// What a signature is calculated of.
#[derive(Deserialize)]
pub(super) struct Calculation {
    what: String,
    text: String,
    #[serde(default)]
    access_key: String,
    private_key: String,
}

/// Whose signature is asked for: a postback's or a call's id.
#[derive(Deserialize)]
pub(super) struct Asked {
    postback: Option<usize>,
    call: Option<usize>,
}

/// `GET /backoffice/signatures`
pub(super) async fn show(State(provider): State<Arc<Provider>>, Query(asked): Query<Asked>) -> Page<'static> {
    let secrets = &provider.secrets;
    let of = |what: &str, text: &str, key: &SecretString| Calculation {
        what: what.to_owned(),
        text: text.to_owned(),
        access_key: secrets.postback_keys.access_key.clone(),
        private_key: key.expose_secret().to_owned(),
    };
    let records = provider.records();
    let postback = asked.postback.and_then(|id| records.postbacks.get(id));
    let postback = postback.map(|sent| of("postback", &sent.body, &secrets.postback_keys.private_key));
    let call = asked.call.and_then(|id| records.calls.get(id));
    let call = call.map(|call| of("withdrawal", &call.request, &secrets.withdrawal_key));
    page(&provider, postback.or(call).as_ref())
}

/// `POST /backoffice/signatures`. It changes nothing, so its answer is the page itself.
pub(super) async fn calculate(
    State(provider): State<Arc<Provider>>,
    Form(calculation): Form<Calculation>,
) -> Page<'static> {
    page(&provider, Some(&calculation))
}

fn page(provider: &Provider, calculation: Option<&Calculation>) -> Page<'static> {
    let secrets = &provider.secrets;
    let of = |what: &str| calculation.filter(|calculation| calculation.what == what);
    let (postback, withdrawal) = (of("postback"), of("withdrawal"));
    let access_key = postback.map_or(secrets.postback_keys.access_key.as_str(), |given| &given.access_key);
    let postback_key = secrets.postback_keys.private_key.expose_secret();
    let main = html! {
        h2 { "Postback" }
        form method="post" action=(HERE) {
            input type="hidden" name="what" value="postback";
            (text_field("postback-text", "The whole body, or its additional_data", postback))
            div.fields {
                div.field { label for="access-key" { "Access key" } input #access-key name="access_key" size="36" value=(access_key); }
                (key_field("postback-key", "Private key", postback_key, postback))
                button.primary { "Show the steps" }
            }
        }
        @if let Some(given) = postback { (postback_steps(given)) }
        h2 #withdrawal { "Withdrawal request" }
        form method="post" action={ (HERE) "#withdrawal" } {
            input type="hidden" name="what" value="withdrawal";
            (text_field("withdrawal-text", "The request's body", withdrawal))
            div.fields {
                (key_field("withdrawal-key", "Private key", secrets.withdrawal_key.expose_secret(), withdrawal))
                button.primary { "Show the steps" }
            }
        }
        @if let Some(given) = withdrawal { (withdrawal_steps(given)) }
    };
    Page { updates: Updates::None, ..office(HERE, "Signatures", &main) }
}

fn text_field(id: &str, label: &str, given: Option<&Calculation>) -> Markup {
    html! {
        div.field {
            label for=(id) { (label) }
            textarea id=(id) name="text" rows="6" spellcheck="false" required { (given.map_or("", |given| &given.text)) }
        }
    }
}

fn key_field(id: &str, label: &str, of_the_stack: &str, given: Option<&Calculation>) -> Markup {
    let value = given.map_or(of_the_stack, |given| &given.private_key);
    html! { div.field { label for=(id) { (label) } input id=(id) name="private_key" size="36" autocomplete="off" value=(value); } }
}

fn postback_steps(given: &Calculation) -> Markup {
    // Only a whole body is an object with a list in it.
    let body = PostbackBody::parse(&given.text).ok();
    let list = body.as_ref().map_or(given.text.trim(), PostbackBody::additional_data);
    let claimed = body.as_ref().map(PostbackBody::signature).filter(|signature| !signature.is_empty());
    let key = SecretString::from(given.private_key.as_str());
    let mut shown = Vec::new();
    for (spelling, said) in SPELLINGS {
        match explain_postback(list, spelling, &given.access_key, &key) {
            Err(error) => return html! { p.error role="alert" { "This cannot be signed: " (error) } },
            Ok(steps) if shown.iter().any(|(_, earlier)| *earlier == steps) => {}
            Ok(steps) => shown.push((said, steps)),
        }
    }
    html! {
        @for (said, steps) in &shown {
            h3 { (said) }
            (step("1. additional_data, spelled by json_encode", &steps.spelled))
            (step("2. its MD5", &steps.md5))
            (step("3. access key, private key and MD5, one after the other", &[&given.access_key, &given.private_key, &steps.md5].map(String::as_str).concat()))
            (step("4. the SHA-1 of this: the signature", &steps.signature))
            (verdict(claimed, &steps.signature))
        }
        @if shown.len() < SPELLINGS.len() { p.hint { "The other spellings that the provider may hash give the same text." } }
    }
}

fn withdrawal_steps(given: &Calculation) -> Markup {
    let sent: JsonObject = match serde_json::from_str(&given.text) {
        Ok(sent) => sent,
        Err(error) => return html! { p.error role="alert" { "This is not a JSON object: " (error) } },
    };
    let key = SecretString::from(given.private_key.as_str());
    let steps = explain_withdrawal(SignedFields::of(&sent).values(), &key);
    let mut names: Vec<_> = sent.keys().filter(|name| *name != "signature").collect();
    names.sort_unstable();
    let claimed: Option<String> = sent.read("signature");
    html! {
        (step("1. the fields but signature, sorted by name", &names.join(":")))
        (step("2. their values: true is 1; false and null are empty", &steps.text))
        (step("3. its MD5", &steps.md5))
        (step("4. private key and MD5, one after the other", &format!("{}{}", given.private_key, steps.md5)))
        (step("5. the SHA-1 of this: the signature", &steps.signature))
        (verdict(claimed.as_deref(), &steps.signature))
    }
}

fn step(said: &str, value: &str) -> Markup {
    html! { p { (said) } pre tabindex="0" role="region" aria-label=(said) { (value) } }
}

fn verdict(claimed: Option<&str>, signature: &str) -> Markup {
    match claimed {
        None => html! {},
        Some(claimed) if claimed == signature => html! { p.state.good { "This is the signature in the body." } },
        Some(claimed) => html! { p.state.bad { "The body has another signature: " code { (claimed) } } },
    }
}
