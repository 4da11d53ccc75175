//! What all pages share: the frame around them, the stylesheet, and the script that keeps them up to date.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{DOCTYPE, Markup, html};

/// Who may show a page inside a frame.
#[derive(Clone, Copy, Debug)]
pub enum Frames {
    /// Nobody.
    None,
    /// A shop on this machine.
    Loopback,
}

impl Frames {
    fn policy(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::None => {
                "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; form-action 'self'; \
                 base-uri 'none'; frame-ancestors 'none'"
            }
            Self::Loopback => {
                "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; form-action 'self'; \
                 base-uri 'none'; frame-ancestors 'self' http://localhost:* http://127.0.0.1:* https://localhost:*"
            }
        })
    }
}

/// Whether a page shows by itself what has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Updates {
    /// No: it is the answer to a form, or it cannot change.
    None,
    /// Yes.
    Silent,
    /// Yes, and a screen reader says it.
    Announced,
}

/// A page, before it becomes an answer.
#[derive(Debug)]
pub struct Page<'a> {
    /// The HTTP status.
    pub status: StatusCode,
    /// Where the stylesheet and the script are: a path without the slash at its end.
    pub base: &'a str,
    /// The language, such as `en`.
    pub lang: &'a str,
    /// The page's title.
    pub title: &'a str,
    /// The class of the body: which of the two looks it has.
    pub class: &'static str,
    /// What the link to the page's content says.
    pub skip: &'a str,
    /// Says on top of the page what all this is.
    pub banner: &'a str,
    /// The head of the page.
    pub header: Markup,
    /// Its content.
    pub main: Markup,
    /// Whether it shows by itself what has changed.
    pub updates: Updates,
    /// Who may show it inside a frame.
    pub frames: Frames,
}

impl IntoResponse for Page<'_> {
    fn into_response(self) -> Response {
        let markup = html! {
            (DOCTYPE)
            html lang=(self.lang) {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { (self.title) }
                    link rel="stylesheet" href={(self.base) "/style.css"};
                    link rel="icon" href="data:,";
                    @if self.updates != Updates::None { script src={(self.base) "/live.js"} defer {} }
                }
                body class=(self.class) {
                    a.skip href="#content" { (self.skip) }
                    div.banner role="note" { (self.banner) }
                    header { (self.header) }
                    main #content aria-live=[(self.updates == Updates::Announced).then_some("polite")] { (self.main) }
                }
            }
        };
        (self.status, [(header::CONTENT_SECURITY_POLICY, self.frames.policy())], markup).into_response()
    }
}

/// Sends the browser to a page after a form was handled, so that reloading it repeats nothing.
#[must_use]
pub fn see(page: &str) -> Response {
    Redirect::to(page).into_response()
}

/// `GET /style.css`
pub async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("style.css")).into_response()
}

/// `GET /live.js`
pub async fn script() -> Response {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], include_str!("live.js")).into_response()
}
