//! Every alarm of the template: a run of the local stack produces its metric, and it fires and clears.

mod alarm;
mod data;
mod expression;
mod incoming;
mod names;
mod outgoing;
mod platform;
mod run;

use std::collections::BTreeSet;

use crate::alarms::alarm::{Alarm, State};
use crate::alarms::data::Data;
use crate::template::document::Template;

#[test]
fn every_alarm_is_made_to_fire_by_one_case() {
    let cases = [&incoming::CASES[..], &outgoing::CASES, &platform::EVENTS, &platform::BROKEN, &platform::BUSY];
    let cases: Vec<_> = cases.into_iter().flatten().map(|case| case.alarm).collect();
    let alarms = Template::read().of_type("AWS::CloudWatch::Alarm").into_keys().map(str::to_owned).collect();
    assert_eq!(cases.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>(), alarms);
    assert_eq!(cases.len(), alarms.len(), "one alarm has two cases");
}

/// Alarms that say so when nothing is reported any more.
const OF_SILENCE: [&str; 2] = ["WithdrawalUnknownAgeAlarm", "EventsStoppedAlarm"];
/// Alarms about messages. SQS may stop reporting a queue that has some.
const OF_MESSAGES: [&str; 5] =
    ["DeadLettersAlarm", "EventsUnpublishedAlarm", "EventsStuckAlarm", "EventsUndeliveredAlarm", "EventsWaitingAlarm"];

#[tokio::test]
async fn silence_is_an_alarm_within_a_period_where_it_means_something_and_clears_no_alarm_about_messages() {
    let template = Template::read();
    for (name, alarm) in template.of_type("AWS::CloudWatch::Alarm") {
        let alarm = Alarm::read(&template, &alarm["Properties"]).unwrap_or_else(|reason| panic!("{name}: {reason}"));
        let is_of_silence = OF_SILENCE.contains(&name);
        assert_eq!(run::fires_on_silence(&alarm).await, is_of_silence, "{name}");
        let stays = is_of_silence || OF_MESSAGES.contains(&name);
        let state = alarm.state(&Data::default(), 1_800_000_000_000, State::Alarm);
        assert_eq!(state, Ok(Some(if stays { State::Alarm } else { State::Ok })), "{name}");
    }
}
