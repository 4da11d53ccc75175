//! The real handlers of all functions, over the simulated world.

use std::sync::Arc;
use std::time::Duration;

use ::operator::Failure;
use ::operator::decisions::{Decide, DecisionReply, DecisionRequest};
use domain::PaymentSystems;
use lambda::{AwsError, Clock, Defer, Handler, Message, MessageHandler, Reply, Request, SecretStore, SendLater};
use paykassma::{
    ActivateTransaction, Activation, ActivationRequest, Answered, BaseUrl, CreateTransaction, Creation, EvidenceKeys,
    PostbackSecrets, SubmitWithdrawal,
};
use secrecy::SecretString;
use store::TableCheck;
use withdrawal_submitter::Policy;

use super::faults::{Fault, Patience};
use super::provider::{ACCESS_KEY, Said};
use super::table::Table;
use super::world::{Answer, Job, State, World};
use super::{intruder, releases, restored, wrong};

pub(super) const PRIVATE_KEY: &str = "secret-of-postbacks";
/// The key after the rotation.
pub(super) const NEXT_PRIVATE_KEY: &str = "secret-of-later-postbacks";
pub(super) const WITHDRAWAL_KEY: &str = "secret-of-withdrawals";
pub(super) const PLUGIN_SECRET: &str = "secret-of-the-plug-in";
pub(super) const TOKEN: &str = "secret-of-the-url";
/// The functions' time limit.
pub(super) const LIMIT_MS: u64 = 20_000;
/// After this time a sender counts as dead.
const SENDER_LIFETIME_MS: u64 = 30_000;
/// How many numbers a label may enter in a day.
pub(super) const NUMBERS_PER_DAY: u64 = 10;
/// The provider's client gives up.
const REQUEST: Patience = Patience::Ms(8_000);

/// Every port of a function but the table.
#[derive(Clone)]
pub(super) struct Ports(pub World);

impl Clock for Ports {
    fn now_ms(&self) -> u64 {
        wrong::now_ms(&self.0, self.0.clock_ms())
    }

    fn nonce(&self) -> String {
        wrong::nonce(&self.0, self.0.next_call("nonce"))
    }

    fn random_below(&self, bound: u64) -> u64 {
        let name = self.0.next_call("jitter");
        self.0.chance.below(&name, bound)
    }

    async fn sleep(&self, time: Duration) {
        self.0.sleep(u64::try_from(time.as_millis()).unwrap()).await;
    }
}

macro_rules! secrets {
    (|$private:ident, $previous:ident| $($keys:ty: $make:expr;)*) => {$(
        impl SecretStore<$keys> for Ports {
            async fn current(&self) -> Result<Arc<$keys>, AwsError> {
                let called = self.0.call("secrets", Patience::Endless, |_| ()).await;
                let ($private, $previous) = intruder::known_keys(&self.0, false);
                called.map(|()| Arc::new($make)).map_err(|fault| AwsError(format!("{fault:?}")))
            }

            async fn renewed(&self) -> Result<Option<Arc<$keys>>, AwsError> {
                if wrong::are_keys_not_read_again(&self.0) {
                    return Ok(None);
                }
                let called = self.0.call("secrets", Patience::Endless, |_| ()).await;
                let ($private, $previous) = intruder::known_keys(&self.0, true);
                called.map(|()| Some(Arc::new($make))).map_err(|fault| AwsError(format!("{fault:?}")))
            }
        }
    )*};
}

fn postback_secrets(private_key: SecretString, previous: Option<SecretString>) -> PostbackSecrets {
    PostbackSecrets {
        access_key: ACCESS_KEY.into(),
        access_key_previous: None,
        postback_private_key: private_key,
        postback_private_key_previous: previous,
    }
}

secrets! {
    |private_key, previous|
    create_deposit::Keys: { drop((private_key, previous)); create_deposit::Keys { pluginapi_secret: SecretString::from(PLUGIN_SECRET) } };
    activate::Keys: { drop((private_key, previous)); activate::Keys { pluginapi_secret: SecretString::from(PLUGIN_SECRET) } };
    create_withdrawal::Keys: { drop((private_key, previous)); create_withdrawal::Keys { withdrawal_private_key: SecretString::from(WITHDRAWAL_KEY) } };
    postback_receiver::Keys: postback_receiver::Keys {
        postback_token: SecretString::from(TOKEN),
        postback_token_previous: None,
        postbacks: postback_secrets(private_key, previous),
    };
    EvidenceKeys: EvidenceKeys {
        of_today: postback_secrets(private_key, previous),
        retired_postback_keys: Vec::new(),
    };
}

impl SendLater for Ports {
    async fn send_later(&self, body: String) -> Result<(), AwsError> {
        if let Some(delayed) = wrong::arm(&self.0, &body) {
            return delayed;
        }
        let sent = self.0.call("arm", Patience::Endless, move |world| super::queue::send(world, &body)).await;
        sent.map_err(|fault| AwsError(format!("{fault:?}")))
    }
}

impl Defer for Ports {
    async fn defer(&self, receipt_handle: &str, time: Duration) -> Result<(), AwsError> {
        let handle = receipt_handle.to_owned();
        let ms = u64::try_from(time.as_millis()).unwrap();
        let put_off = move |world: &World| super::queue::defer(world, &handle, ms);
        let called = self.0.call("defer", Patience::Endless, put_off).await;
        called.map_err(|fault| AwsError(format!("{fault:?}")))
    }
}

impl CreateTransaction for Ports {
    async fn create(&self, _: &SecretString, _: &domain::Order) -> Answered<Creation> {
        let created = match self.0.call("create", REQUEST, |_| ()).await {
            Ok(()) => Creation::Created { params: r#"{"identifier":"shop@paytm"}"#.into() },
            Err(fault) => Creation::Unreachable(format!("{fault:?}")),
        };
        created.into()
    }
}

impl ActivateTransaction for Ports {
    async fn activate(&self, _: &SecretString, request: &ActivationRequest<'_>) -> Answered<Activation> {
        let id = wrong::attempt_id(&self.0, request);
        let (number, label) = (request.key1.as_str().to_owned(), request.order.label.as_str().to_owned());
        let amount = request.amount.to_string();
        let order = request.order.custom_transaction_id.as_str().to_owned();
        let call = super::activations::asks(&self.0, &order, &id, &number);
        let asked = (id, number.clone());
        let asked = self.0.call("activate", REQUEST, move |world| {
            super::deposits::activate(world, &asked.0, &asked.1, &amount, &label)
        });
        let said = match asked.await {
            Ok(said) => said,
            Err(fault) if self.is_surely_unsent(fault) => Activation::NotSent(format!("{fault:?}")),
            Err(fault) => Activation::Unknown(format!("{fault:?}")),
        };
        super::activations::answered(&self.0, call, &said);
        wrong::activated(&self.0, request, said).into()
    }
}

impl SubmitWithdrawal for Ports {
    async fn submit(&self, body: &str) -> Answered<domain::Submission> {
        let body = wrong::body(&self.0, body);
        let sending = super::withdrawals::begin(&self.0, &body);
        let submitted = body.clone();
        let asked = self.0.call("submit", REQUEST, move |world| super::withdrawals::submit(world, &submitted)).await;
        let said = match asked {
            Ok(Said::Accepted) => domain::Submission::Accepted,
            Ok(Said::Rejected(message)) => domain::Submission::Rejected(message),
            Err(fault) if self.is_surely_unsent(fault) => domain::Submission::NotSent(format!("{fault:?}")),
            Err(fault) => domain::Submission::Unknown(format!("{fault:?}")),
        };
        sending.came_to(&self.0, &said);
        wrong::submitted(&self.0, &body, said).into()
    }
}

impl Ports {
    /// A failure before anything was applied is seen for what it is, or not.
    fn is_surely_unsent(&self, fault: Fault) -> bool {
        let name = self.0.next_call("evidence");
        fault == Fault::Before && !self.0.chance.percent(&name, 30)
    }
}

/// A function that is warm has checked its table. One that starts checks it first.
pub(super) fn table_check(world: &World) -> TableCheck {
    let name = format!("{} starts cold", world.with(State::next_start));
    let is_cold = world.happens(&name, 10);
    let warm = world.with(|state| state.check.clone());
    wrong::table_check(world).unwrap_or_else(|| if is_cold { TableCheck::new(restored::stream(world)) } else { warm })
}

fn job<H: Handler + 'static>(handler: H, body: Vec<u8>, path: Option<(&'static str, String)>) -> Job {
    Box::pin(async move {
        let path: Vec<_> = path.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let request = Request { body: &body, path: &path, ..Request::default() };
        let reply = handler.handle(request).await.unwrap_or_else(|error| Reply::of_error(&error));
        Answer::Reply(reply.status.as_u16(), reply.body)
    })
}

pub(super) fn create_deposit(world: &World, body: String) -> Job {
    let world = &releases::instance(world);
    let deps = create_deposit::Deps {
        table: Table(world.clone()),
        provider: Ports(world.clone()),
        keys: Ports(world.clone()),
        clock: Ports(world.clone()),
        systems: PaymentSystems::default(),
        plugin: BaseUrl::parse("https://plugin.example.com").unwrap(),
        window_parameters: paykassma::WindowParameters::default(),
    };
    job(deps, body.into_bytes(), None)
}

pub(super) fn activate(world: &World, order: String, body: String) -> Job {
    let world = &releases::instance(world);
    let deps = activate::Deps {
        table: Table(world.clone()),
        provider: Ports(world.clone()),
        keys: Ports(world.clone()),
        clock: Ports(world.clone()),
        systems: PaymentSystems::default(),
        separator: world.with(|state| state.settings.separator),
        numbers_per_day: NUMBERS_PER_DAY,
    };
    job(deps, body.into_bytes(), Some(("custom_transaction_id", order)))
}

pub(super) fn create_withdrawal(world: &World, body: String) -> Job {
    let world = &releases::instance(world);
    let deps = create_withdrawal::Deps {
        table: Table(world.clone()),
        check: table_check(world),
        queue: Ports(world.clone()),
        provider: Ports(world.clone()),
        keys: Ports(world.clone()),
        clock: Ports(world.clone()),
        systems: PaymentSystems::default(),
        ceilings: super::ceilings::ceilings(world),
        is_on: world.with(|state| state.history.is_on),
    };
    job(deps, body.into_bytes(), None)
}

pub(super) fn receive_postback(world: &World, body: Vec<u8>) -> Job {
    let world = &releases::instance(world);
    let deps = postback_receiver::Deps {
        table: Table(world.clone()),
        check: table_check(world),
        keys: Ports(world.clone()),
        clock: Ports(world.clone()),
        separator: world.with(|state| state.settings.separator),
    };
    job(deps, body, Some(("token", TOKEN.into())))
}

pub(super) fn report_attention(world: &World) -> Job {
    let world = &releases::instance(world);
    let deps = attention_reporter::Deps {
        table: Table(world.clone()),
        check: table_check(world),
        clock: Ports(world.clone()),
        sender_lifetime_ms: SENDER_LIFETIME_MS,
    };
    Box::pin(async move {
        let (ages, is_complete) = deps.ages().await;
        Answer::Ages(ages, is_complete)
    })
}

pub(super) fn submit_withdrawal(world: &World, body: String, receipt_handle: String, receive_count: u32) -> Job {
    let world = &releases::instance(world);
    let (attempts, resend_unknown) =
        world.with(|state| (state.settings.max_receive_count, state.settings.resend_unknown));
    let world_ms = world.clock_ms();
    let policy = Policy {
        attempts,
        first_retry_seconds: 30,
        retry_ceiling_seconds: 900,
        sender_lifetime_ms: SENDER_LIFETIME_MS,
        resend_unknown,
        is_on: world.with(|state| state.history.is_on),
    };
    let deps = withdrawal_submitter::Deps {
        table: Table(world.clone()),
        check: table_check(world),
        queue: Ports(world.clone()),
        provider: Ports(world.clone()),
        clock: Ports(world.clone()),
        policy,
    };
    Box::pin(async move {
        let message = Message { body: &body, receipt_handle: &receipt_handle, receive_count, sent_at_ms: world_ms };
        Answer::Handled(deps.handle(message).await)
    })
}

/// The function that records decisions, as a person calls it. Each call is answered by an instance of its own.
#[derive(Clone)]
pub(super) struct Recorder {
    pub world: World,
    /// Which person.
    pub person: u64,
}

impl Recorder {
    async fn call(&self, route: &str, body: &str) -> Reply {
        let world = &releases::instance(&self.world);
        let deps = decision_recorder::Deps {
            table: Table(world.clone()),
            check: table_check(world),
            stream: restored::stream(world).to_owned(),
            clock: Ports(world.clone()),
            second_person: super::decisions::second_person(world),
            sender_lifetime_ms: SENDER_LIFETIME_MS,
        };
        let caller = super::decisions::caller(self.person);
        let request = Request { body: body.as_bytes(), route, caller: Some(&caller), ..Request::default() };
        deps.handle(request).await.unwrap_or_else(|error| Reply::of_error(&error))
    }
}

impl Decide for Recorder {
    async fn decide(&self, request: &DecisionRequest) -> Result<DecisionReply, Failure> {
        let request = wrong::decision(&self.world, request);
        let Reply { status, body } = self.call("POST /decisions", &serde_json::to_string(&request).unwrap()).await;
        let code = serde_json::from_str::<serde_json::Value>(&body).unwrap()["code"].clone();
        match (status.as_u16(), code.as_str()) {
            (200, _) => Ok(serde_json::from_str(&body).unwrap()),
            (409, Some("changed")) => Err(Failure::Changed(body)),
            (503, _) => Err(Failure::NoAnswer(body)),
            _ => Err(Failure::NotAllowed(body)),
        }
    }
}

/// A person has the table put into service.
pub(super) fn adopt(world: &World) -> Job {
    let recorder = Recorder { world: world.clone(), person: 0 };
    Box::pin(async move {
        let reply = recorder.call("POST /adoptions", "{}").await;
        Answer::Reply(reply.status.as_u16(), reply.body)
    })
}
