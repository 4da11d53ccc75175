//! What all pages share: the frame around them, the stylesheet, and the script that keeps them up to date.

mod live;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{DOCTYPE, Markup, html};

pub(crate) use live::live;

/// Who may show a page inside a frame.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Frames {
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
pub(crate) enum Updates {
    /// No: it is the answer to a form, or it cannot change.
    None,
    Silent,
    /// Yes, and a screen reader says it.
    Announced,
}

/// A page, before it becomes an answer.
pub(crate) struct Page<'a> {
    pub(crate) status: StatusCode,
    pub(crate) lang: &'a str,
    pub(crate) title: &'a str,
    /// The class of the body: which of the two looks it has.
    pub(crate) class: &'static str,
    /// What the link to the page's content says.
    pub(crate) skip: &'a str,
    /// Says that nothing of this is real.
    pub(crate) banner: &'a str,
    pub(crate) header: Markup,
    pub(crate) main: Markup,
    pub(crate) updates: Updates,
    pub(crate) frames: Frames,
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
                    link rel="stylesheet" href="/style.css";
                    link rel="icon" href="data:,";
                    @if self.updates != Updates::None { script src="/live.js" defer {} }
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
pub(crate) fn see(page: &str) -> Response {
    Redirect::to(page).into_response()
}

/// `GET /style.css`
pub(crate) async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("style.css")).into_response()
}

/// `GET /live.js`
pub(crate) async fn script() -> Response {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], include_str!("live.js")).into_response()
}
