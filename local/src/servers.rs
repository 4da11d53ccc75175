//! The stand-ins for AWS's services, each on a port of its own.

use std::io::ErrorKind;
use std::sync::Arc;

use axum::Router;
use simulator::{HostName, guard};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::aws::{Service, http_client};
use crate::credentials::Credentials;
use crate::error::{Doing, StartError};
use crate::event_bus::EventBus;
use crate::options::StackOptions;
use crate::stream_source::Destination;
use crate::{dynamodb, event_bus, secrets_manager, sqs};

/// A listener and its address.
pub(crate) struct Bound {
    pub(crate) listener: TcpListener,
    pub(crate) port: u16,
    pub(crate) url: String,
}

/// Listens on the loopback address; `option` is how another port is chosen.
pub(crate) async fn bind(port: u16, option: &'static str) -> Result<Bound, StartError> {
    let listener = match TcpListener::bind(("127.0.0.1", port)).await {
        Err(error) if error.kind() == ErrorKind::AddrInUse => return Err(StartError::PortInUse { port, option }),
        bound => bound.doing(option)?,
    };
    let port = listener.local_addr().doing(option)?.port();
    let url = format!("http://127.0.0.1:{port}");
    Ok(Bound { listener, port, url })
}

/// Answers the requests of this machine, which `host` stands for too, until the tasks are dropped. Gives the URL.
pub(crate) fn serve(tasks: &mut JoinSet<()>, bound: Bound, host: Option<&HostName>, routes: Router) -> String {
    let routes = guard(routes, bound.port, host);
    tasks.spawn(async { axum::serve(bound.listener, routes).await.unwrap_or_default() });
    bound.url
}

/// The running services.
pub(crate) struct Services {
    pub(crate) http: reqwest::Client,
    pub(crate) dynamodb: Service,
    pub(crate) stream_arn: String,
    pub(crate) sqs: Service,
    pub(crate) secrets_url: String,
    pub(crate) event_bus: Arc<EventBus>,
    pub(crate) event_bus_url: String,
}

impl Services {
    /// Starts them, with the table and the queues in place.
    pub(crate) async fn start(
        options: &StackOptions,
        credentials: &Credentials,
        tasks: &mut JoinSet<()>,
    ) -> Result<Services, StartError> {
        let http = http_client()?;
        let sqs = start_sqs(options, &http, tasks).await?;
        let (event_bus, event_bus_url) = start_event_bus(options, &sqs, tasks).await?;
        let (dynamodb, stream_arn) = start_dynamodb(options, &http, tasks).await?;
        Ok(Services {
            event_bus,
            event_bus_url,
            dynamodb,
            stream_arn,
            sqs,
            secrets_url: start_secrets_manager(options, credentials, tasks).await?,
            http,
        })
    }
}

async fn start_dynamodb(
    options: &StackOptions,
    http: &reqwest::Client,
    tasks: &mut JoinSet<()>,
) -> Result<(Service, String), StartError> {
    let (database, stream_arn) = dynamodb::open(options.data.as_deref(), &options.table_name)?;
    let bound = bind(0, "DynamoDB's port").await?;
    let routes = dynamodb::router(database, tasks).await.doing("DynamoDB's own port")?;
    let url = serve(tasks, bound, options.host.as_ref(), routes);
    let service = Service::new(http.clone(), url, dynamodb::PREFIX);
    if let Some(original) = &options.copy_of {
        dynamodb::copy_table(&service, original, &options.table_name).await?;
    }
    Ok((service, stream_arn))
}

async fn start_sqs(
    options: &StackOptions,
    http: &reqwest::Client,
    tasks: &mut JoinSet<()>,
) -> Result<Service, StartError> {
    let bound = bind(0, "SQS's port").await?;
    let service = Service::new(http.clone(), bound.url.clone(), sqs::PREFIX);
    let routes = sqs::router(bound.port, service.clone());
    serve(tasks, bound, options.host.as_ref(), routes);
    sqs::create_queues(&service, options).await?;
    Ok(service)
}

async fn start_event_bus(
    options: &StackOptions,
    sqs: &Service,
    tasks: &mut JoinSet<()>,
) -> Result<(Arc<EventBus>, String), StartError> {
    let queue_url = sqs::queue_url(sqs.url(), sqs::EVENTS_QUEUE);
    let target = options.events.as_ref().map(|_| Destination { sqs: sqs.clone(), queue_url });
    let bus = EventBus::new(options.show_events, target);
    let bound = bind(0, "EventBridge's port").await?;
    let url = serve(tasks, bound, options.host.as_ref(), event_bus::router(Arc::clone(&bus)));
    Ok((bus, url))
}

async fn start_secrets_manager(
    options: &StackOptions,
    credentials: &Credentials,
    tasks: &mut JoinSet<()>,
) -> Result<String, StartError> {
    let bound = bind(0, "Secrets Manager's port").await?;
    Ok(serve(tasks, bound, options.host.as_ref(), secrets_manager::router(credentials.texts())))
}
