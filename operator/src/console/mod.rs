//! `serve`: what the other commands show and do, as pages in a browser on this machine. Pages and commands are two views of the same
//! data; nothing is decided here.

mod audit;
mod dead_letters;
mod decide;
mod events;
mod figures;
mod find;
mod jobs;
mod needs_person;
mod reconcile;
mod transaction;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use clap::Args;
use domain::{PaymentSystems, Timestamp};
use maud::{Markup, html};
use pages::{Frames, HostName, Page, Updates};
use store::DynamoDb;
use tokio::net::TcpListener;

use crate::deployment::{Deployment, StackName};
use crate::failure::{Done, Failure};
use crate::{output, rows};

/// How to serve.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Serve {
    /// The port on this machine; 0 takes a free one
    #[arg(long, default_value_t = 3200)]
    port: u16,

    /// Show everything and change nothing
    #[arg(long)]
    read_only: bool,

    /// Another name under which the pages are opened, if they are reached through a tunnel
    #[arg(long, value_name = "NAME", value_parser = HostName::parse)]
    host: Option<HostName>,

    /// Who decides, for the record beside your AWS identity
    #[arg(long, env = "USER", default_value = "")]
    by: String,
}

const HELP: &str = "\
The address has 128 random bits, is printed once, and ends with this program: who does not know it sees nothing. The pages use your own AWS
login, as all commands do, and nothing becomes public. End it with Ctrl-C.";

/// Requests that run get so much time when the program ends.
const GRACE: Duration = Duration::from_secs(2);

/// All that pages need.
pub(crate) struct Console {
    deployment: Deployment,
    table: DynamoDb,
    systems: PaymentSystems,
    stack: StackName,
    /// The path under which all pages are: a slash and the secret.
    base: String,
    is_read_only: bool,
    by: String,
    jobs: jobs::Jobs,
    export_settings: reconcile::LastSettings,
}

pub(crate) type Shared = Arc<Console>;

/// Serves the pages until the program is ended.
pub(crate) async fn serve(deployment: Deployment, arguments: &Serve) -> Result<Done, Failure> {
    let mut secret = [0; 16];
    getrandom::fill(&mut secret).map_err(|error| Failure::Usage(format!("no random bits: {error}")))?;
    let (table, systems, stack) = (deployment.table()?, deployment.payment_systems()?, deployment.stack()?);
    let base = format!("/{}", hex::encode(secret));
    let Serve { read_only, by, .. } = arguments;
    let console = Arc::new(Console {
        deployment,
        table,
        systems,
        stack,
        base,
        is_read_only: *read_only,
        by: by.clone(),
        jobs: jobs::Jobs::default(),
        export_settings: reconcile::LastSettings::default(),
    });
    let unusable = |error: std::io::Error| Failure::Usage(format!("--port {}: {error}", arguments.port));
    let listener = TcpListener::bind(("127.0.0.1", arguments.port)).await.map_err(unusable)?;
    let port = listener.local_addr().map_err(unusable)?.port();
    output::print(&format!("http://127.0.0.1:{port}{}/", console.base));
    output::complain(&format!("{}. End with Ctrl-C.", console.stack.describe()));
    let routes = pages::guard(router(&console), port, arguments.host.as_ref());
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let server = axum::serve(listener, routes).with_graceful_shutdown(async move {
        tokio::signal::ctrl_c().await.unwrap_or_default();
        drop(end);
    });
    let give_up = async {
        ended.await.unwrap_or_default();
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        done = server.into_future() => done.map_err(|error| Failure::NoAnswer(error.to_string()))?,
        () = give_up => {}
    }
    Ok(Done::Well)
}

impl StackName {
    fn describe(&self) -> String {
        let Self { name, account, region, is_local } = self;
        let (kind, end) = if *is_local { ("Local", ": no money moves") } else { ("LIVE", "") };
        format!("{kind} stack {name}, account {account}, {region}{end}")
    }
}

/// All pages. Whatever is not under the secret is not there.
fn router(console: &Shared) -> Router {
    let mut routes = Router::new()
        .route("/", get(needs_person::show))
        .route("/open.csv", get(needs_person::csv))
        .route("/transaction", get(transaction::show).post(transaction::reveal))
        .route("/find", get(find::ask).post(find::start))
        .route("/dead-letters", get(dead_letters::ask).post(dead_letters::look))
        .route("/events", get(events::ask).post(events::start))
        .route("/jobs/{id}", get(jobs::show))
        .route("/jobs/{id}/stop", post(jobs::stop))
        .route("/live", get(jobs::live))
        .route("/reconcile", get(reconcile::ask).post(reconcile::start).layer(reconcile::limit()))
        .route("/reconcile/settings", get(reconcile::settings))
        .route("/reconcile/{id}/{class}", get(reconcile::lines))
        .route("/reconcile/{id}/{class}/csv", get(reconcile::csv))
        .route("/audit", get(audit::ask).post(audit::start))
        .route("/figures", get(figures::ask).post(figures::start))
        .route("/style.css", get(pages::style))
        .route("/live.js", get(pages::script));
    if !console.is_read_only {
        routes = routes
            .route("/decide", get(decide::ask).post(decide::preview))
            .route("/decide/record", post(decide::record))
            .route("/dead-letters/redrive", post(dead_letters::redrive))
            .route("/dead-letters/withdrawal", post(dead_letters::preview))
            .route("/dead-letters/withdrawal/send", post(dead_letters::send))
            .route("/events/replay", post(events::replay));
    }
    Router::new()
        .nest(&console.base, routes)
        .route(&format!("{}/", console.base), get(needs_person::show))
        .fallback(async || StatusCode::NOT_FOUND)
        .with_state(Arc::clone(console))
}

/// The pages of the menu.
const MENU: [(&str, &str); 7] = [
    ("/", "Needs a person"),
    ("/find", "Find"),
    ("/dead-letters", "Dead letters"),
    ("/events", "Events"),
    ("/reconcile", "Reconcile"),
    ("/audit", "Audit"),
    ("/figures", "Figures"),
];

impl Console {
    /// A page. `current` is its entry in the menu.
    fn page<'a>(&'a self, current: &str, title: &'a str, banner: &'a str, main: &Markup) -> Page<'a> {
        let header = html! {
            strong { "Operator" @if self.is_read_only { " (read only)" } }
            nav aria-label="Pages" {
                @for (address, name) in MENU {
                    a href={ (self.base) (address) } aria-current=[(address == current).then_some("page")] { (name) }
                }
            }
        };
        Page {
            status: StatusCode::OK,
            base: &self.base,
            lang: "en",
            title,
            class: if self.stack.is_local { "office" } else { "office live" },
            skip: "Skip to the content",
            banner,
            header,
            main: html! { h1 { (title) } (main) },
            updates: Updates::None,
            frames: Frames::None,
        }
    }

    /// A page as an answer.
    fn answer(&self, current: &str, title: &str, main: &Markup) -> Response {
        self.page(current, title, &self.stack.describe(), main).into_response()
    }

    /// A page that says why something could not be done.
    fn problem(&self, current: &str, title: &str, failure: &Failure, rest: &Markup) -> Response {
        let status = match failure {
            Failure::CommandLine(_) | Failure::Usage(_) => StatusCode::BAD_REQUEST,
            Failure::NotAllowed(_) | Failure::Changed(_) => StatusCode::CONFLICT,
            Failure::Denied(_) => StatusCode::FORBIDDEN,
            Failure::NoAnswer(_) | Failure::Unreached(_) | Failure::NotPrinted(_) => StatusCode::BAD_GATEWAY,
        };
        let main = html! { p.error role="alert" { (sentence(failure)) } (rest) };
        Page { status, ..self.page(current, title, &self.stack.describe(), &main) }.into_response()
    }

    /// Answers with a page, or with one that says why there is none.
    async fn respond(
        &self,
        current: &str,
        title: &str,
        main: impl Future<Output = Result<Markup, Failure>>,
    ) -> Response {
        match main.await {
            Ok(main) => self.answer(current, title, &main),
            Err(failure) => {
                let failure = self.explained(failure).await;
                self.problem(current, "This did not work", &failure, &html! {})
            }
        }
    }

    /// Says where a service should be that was not reached.
    async fn explained(&self, failure: Failure) -> Failure {
        let Failure::Unreached(unreached) = failure else { return failure };
        Failure::Unreached(self.deployment.explain(unreached).await)
    }

    /// The address of a transaction's page.
    fn transaction(&self, key: &str) -> String {
        format!("{}/transaction?id={}", self.base, encode(key))
    }
}

/// What went wrong, without the words that the terminal puts before it, and without the name of an option.
fn sentence(failure: &Failure) -> String {
    let text = failure.to_string();
    let is_ours = |word: &str| ["error", "not allowed"].contains(&word) || word.starts_with("--");
    let mut rest = text.as_str();
    while let Some((_, after)) = rest.split_once(": ").filter(|(word, _)| is_ours(word)) {
        rest = after;
    }
    rest.to_owned()
}

/// A value inside a query.
fn encode(value: &str) -> String {
    url::form_urlencoded::byte_serialize(value.as_bytes()).collect()
}

/// A time, and how long ago it was.
fn when(at: Timestamp) -> Markup {
    html! { time datetime=(rows::time(at)) { (rows::time(at)) } }
}

/// The fields of a form.
type Fields = BTreeMap<String, String>;

type Ask = State<Shared>;
