//! Parts of pages.

use maud::{Markup, html};

/// A table in a frame that scrolls, with its name for people who cannot see it. The columns `numbers` are aligned on the right.
#[must_use]
pub fn table(name: &str, heads: &[&str], numbers: &[&str], rows: &Markup) -> Markup {
    html! {
        div.scroll role="region" aria-label=(name) tabindex="0" {
            table {
                thead { tr { @for head in heads { th scope="col" class=[numbers.contains(head).then_some("amount")] { (head) } } } }
                tbody { (rows) }
            }
        }
    }
}

/// A labelled field in one line of fields.
#[must_use]
pub fn field(id: &str, label: &str, input: &Markup) -> Markup {
    html! { div.field { label for=(id) { (label) } (input) } }
}

/// The value of a field that may be left empty.
///
/// # Examples
/// ```
/// assert_eq!((pages::filled(" o1 "), pages::filled(" ")), (Some("o1"), None));
/// ```
#[must_use]
pub fn filled(value: &str) -> Option<&str> {
    Some(value.trim()).filter(|value| !value.is_empty())
}
