//! Every alarm fires on the metrics of a real run in which its cause is there, is silent on those of a healthy run, and clears when the
//! cause is gone.
#![expect(clippy::arithmetic_side_effects, clippy::float_arithmetic, clippy::float_cmp, reason = "metrics, not money")]

mod alarm;
mod expression;
mod metrics;
mod runs;

use std::collections::{BTreeMap, BTreeSet};

use crate::alarms::alarm::{Alarm, State};
use crate::alarms::metrics::Metrics;
use crate::template::document::Template;

/// The runs that set off each alarm.
async fn causes(template: &Template) -> BTreeMap<&'static str, Metrics> {
    let lasting = |metrics: &Metrics, alarm: &str, periods| {
        metrics.clone().lasting(periods, Alarm::of(template, alarm).period_ms())
    };
    let (postbacks, withdrawals, killed) =
        tokio::join!(runs::bad_postbacks(), runs::bad_withdrawals(), runs::functions_that_are_killed());
    let (silent, ceiling, table, secrets, merchant) = tokio::join!(
        runs::silent_provider(),
        runs::above_the_ceiling(),
        runs::wrong_table(),
        runs::no_secrets(),
        runs::merchant_away()
    );
    let mut causes = BTreeMap::from([
        ("EventsStoppedAlarm", silent.clone()),
        ("CreditsStoppedAlarm", lasting(&silent, "CreditsStoppedAlarm", 2)),
        ("TryAgainAlarm", lasting(&postbacks, "TryAgainAlarm", 2)),
        ("PostbackUnavailableAlarm", lasting(&postbacks, "PostbackUnavailableAlarm", 2)),
        ("PostbackApi5xxAlarm", killed.clone()),
        ("Api5xxAlarm", lasting(&killed, "Api5xxAlarm", 2)),
        ("FunctionErrorsAlarm", killed),
        ("WithdrawalLimitReachedAlarm", ceiling),
        ("WrongTableAlarm", table),
        ("SecretUnavailableAlarm", secrets),
        ("EventsRetriedAlarm", lasting(&merchant, "EventsRetriedAlarm", 2)),
        // The changes are handled as soon as they are made. Seven minutes later they would be that much older.
        ("EventsLateAlarm", merchant.aged("IteratorAge", 420_000.0)),
        // The local stack lets calls wait for an instance.
        ("FunctionThrottlesAlarm", runs::only("AWS/Lambda", ("FunctionName", "paykassma-activate"), ("Throttles", 1))),
        // That takes more open withdrawals than can be read in 12 seconds (functions/attention-reporter/tests/ages.rs).
        (
            "WithdrawalsUnreadAlarm",
            runs::only("Paykassma/paykassma", ("attention", "unread"), ("OldestAttentionSeconds", 1)),
        ),
        // EventBridge's own dead letters; the local stack has none.
        (
            "EventsUndeliveredAlarm",
            runs::only("AWS/SQS", ("QueueName", "UndeliveredQueue"), ("ApproximateNumberOfMessagesVisible", 1)),
        ),
    ]);
    let of_postbacks = [
        "PaymentUnmatchedAlarm",
        "DepositQuarantinedAlarm",
        "PaymentConflictAlarm",
        "PostbackUnreadableAlarm",
        "WithdrawalForeignAlarm",
        "AttentionAgeAlarm",
        "PostbackUnfinishedAlarm",
        "BadSignaturesAlarm",
        "MalformedPostbacksAlarm",
        "PostbackApi4xxAlarm",
        "EventsUnpublishedAlarm",
        "EventSetAsideAlarm",
        "EventsWaitingAlarm",
    ];
    causes.extend(of_postbacks.map(|alarm| (alarm, postbacks.clone())));
    let of_withdrawals = [
        "WithdrawalUnknownAlarm",
        "WithdrawalNeedsReviewAlarm",
        "WithdrawalConflictAlarm",
        "WithdrawalUnknownAgeAlarm",
        "WithdrawalNotSubmittedAlarm",
        "WithdrawalNotReportedAlarm",
        "ProviderMisconfiguredAlarm",
        "WithdrawalsRejectedAlarm",
        "DeadLettersAlarm",
    ];
    causes.extend(of_withdrawals.map(|alarm| (alarm, withdrawals.clone())));
    causes
}

#[tokio::test]
async fn every_alarm_fires_on_its_cause_and_clears_after_it() {
    let template = Template::read();
    let healthy = runs::healthy().await;
    let causes = Box::pin(causes(&template)).await;
    let alarms: BTreeSet<_> = template.of_type("AWS::CloudWatch::Alarm").into_keys().collect();
    assert_eq!(causes.keys().copied().collect::<BTreeSet<_>>(), alarms, "each alarm has a run, and no other");
    // The receiver answers 503 by itself, which is another alarm's.
    let postbacks = &causes["PostbackUnavailableAlarm"];
    let gateway = Alarm::of(&template, "PostbackApi5xxAlarm");
    assert_eq!(gateway.state(postbacks, postbacks.last_ms()), State::Ok);
    let wrong: Vec<_> = causes.iter().filter_map(|(name, cause)| fault(&template, name, cause, &healthy)).collect();
    assert_eq!(wrong, Vec::<String>::new());
}

/// What is wrong with an alarm.
fn fault(template: &Template, name: &str, cause: &Metrics, healthy: &Metrics) -> Option<String> {
    const TWO_DAYS_MS: u64 = 2 * 24 * 3_600_000;
    let alarm = Alarm::of(template, name);
    if alarm.state(healthy, healthy.last_ms()) == State::Alarm {
        return Some(format!("{name} fires although all is well"));
    }
    if !cause.times_ms().any(|at_ms| alarm.state(cause, at_ms) == State::Alarm) {
        return Some(format!("{name} does not fire"));
    }
    // Later, when all is well again, with everything that was counted before.
    let later_ms = cause.last_ms() + TWO_DAYS_MS;
    let later = cause.clone().and(healthy.clone().moved_to(later_ms));
    (alarm.state(&later, later_ms) == State::Alarm).then(|| format!("{name} does not clear"))
}
