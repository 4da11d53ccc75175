//! Metrics and alarms: what the code reports is counted, and what must not go unseen sets off an alarm.

use std::collections::BTreeSet;

use domain::AttentionKind;
use lambda::{DEFINITIONS, Definition, ErrorReply, Metric};
use serde_json::{Value, json};
use signing::NotVerified;
use store::StoreError;

use super::document::{Template, file, functions};

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn alarms(template: &Template) -> Vec<(&str, &Value)> {
    let alarms = template.of_type("AWS::CloudWatch::Alarm").into_iter();
    alarms.map(|(name, alarm)| (name, &alarm["Properties"])).collect()
}

/// An alarm's metrics: several, or the one that the alarm itself names.
fn metrics(alarm: &Value) -> impl Iterator<Item = &Value> {
    let several = alarm["Metrics"].as_array().into_iter().flatten();
    several.map(|metric| &metric["MetricStat"]["Metric"]).chain([alarm])
}

/// The values of a dimension among an alarm's metrics.
fn dimension<'a>(alarm: &'a Value, name: &str) -> Vec<&'a Value> {
    let dimensions = metrics(alarm).flat_map(|metric| metric["Dimensions"].as_array().into_iter().flatten());
    dimensions.filter(|it| it["Name"] == name).map(|it| &it["Value"]).collect()
}

#[test]
fn every_alarming_event_has_its_alarm_and_the_other_way_round() {
    let template = Template::read();
    let alarming = Metric::ALL.into_iter().filter(|metric| metric.is_alarming());
    let alarming: BTreeSet<_> = alarming.map(|metric| metric.name().to_owned()).collect();
    let of_one_event = alarms(&template).into_iter().filter(|(_, alarm)| alarm["MetricName"] == "Events");
    let watched: BTreeSet<_> = of_one_event
        .map(|(name, alarm)| {
            assert_eq!(alarm["Namespace"]["Fn::Sub"], "Paykassma/${AWS::StackName}", "{name}");
            assert_eq!((&alarm["Statistic"], &alarm["Threshold"]), (&json!("Sum"), &json!(1)), "{name}");
            dimension(alarm, "event")[0].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(watched, alarming);
}

#[test]
fn what_an_alarm_counts_is_what_the_log_counts() {
    let template = Template::read();
    let of = |it: &Definition| (it.dimensions.join(" "), it.name.to_owned());
    let counted: BTreeSet<_> = DEFINITIONS.iter().map(of).collect();
    let namespace = json!({"Fn::Sub": "Paykassma/${AWS::StackName}"});
    assert_eq!(template.global()["Environment"]["Variables"]["METRICS_NAMESPACE"], namespace);
    let mut watched = BTreeSet::new();
    for (name, alarm) in alarms(&template) {
        for metric in metrics(alarm).filter(|metric| metric["Namespace"].is_object()) {
            assert_eq!(metric["Namespace"], namespace, "{name}");
            let dimensions: Vec<_> =
                metric["Dimensions"].as_array().unwrap().iter().map(|it| text(&it["Name"])).collect();
            watched.insert((dimensions.join(" "), text(&metric["MetricName"]).to_owned()));
        }
    }
    let dashboard = template.properties("Dashboard")["DashboardBody"]["Fn::Sub"].as_str().unwrap();
    let is_shown = |name: &str| dashboard.contains(&format!(r#"MetricName=\"{name}\""#));
    for (dimensions, name) in counted.difference(&watched) {
        assert!(is_shown(name), "nobody sees {name} by {dimensions}");
    }
    assert!(watched.is_subset(&counted), "{watched:?}");
}

#[test]
fn an_alarm_watches_only_what_is_reported() {
    let template = Template::read();
    let events = Metric::ALL.map(Metric::name);
    let malformed = postback_receiver::ApiError::TooLarge;
    let unsigned = postback_receiver::ApiError::from(NotVerified::Signature);
    let unstored = postback_receiver::ApiError::from(StoreError::transient("throttled"));
    let refused = postback_receiver::ApiError::from(StoreError::WrongTable);
    let codes = [malformed.code(), unsigned.code(), unstored.code(), refused.code(), authorizer::UNAUTHORIZED];
    for (name, alarm) in alarms(&template) {
        for event in dimension(alarm, "event") {
            assert!(events.contains(&event.as_str().unwrap()), "{name}: no code counts {event}");
        }
        for code in dimension(alarm, "code") {
            assert!(codes.contains(&code.as_str().unwrap()), "{name}: no function answers with {code}");
        }
    }
}

#[test]
fn what_nobody_looks_at_sets_off_an_alarm_by_its_age() {
    let template = Template::read();
    let unknown = template.properties("WithdrawalUnknownAgeAlarm");
    assert_eq!(dimension(unknown, "attention"), ["unknown"]);
    let others = template.properties("AttentionAgeAlarm");
    assert_eq!(others["Metrics"][0]["Expression"], "MAX(METRICS())");
    let unfinished = template.properties("PostbackUnfinishedAlarm");
    assert_eq!(dimension(unfinished, "attention"), ["unfinished"]);
    let threshold_s = unfinished["Threshold"].as_u64();
    assert!(threshold_s.is_some_and(|it| it <= 900), "a provider may give up: a person has to complete it soon");
    let watched = alarms(&template).into_iter().flat_map(|(_, alarm)| dimension(alarm, "attention"));
    let watched: BTreeSet<_> = watched.map(|kind| kind.as_str().unwrap()).collect();
    assert_eq!(watched, attention_reporter::REPORTED.into());
    let indexed = AttentionKind::ALL.into_iter().filter(|kind| *kind != AttentionKind::Open);
    assert!(indexed.map(AttentionKind::as_str).all(|kind| watched.contains(kind)));
    let schedule = &template.properties("AttentionReporter")["Events"]["Report"];
    assert_eq!(
        (&schedule["Type"], &schedule["Properties"]["Schedule"]),
        (&json!("Schedule"), &json!("rate(10 minutes)"))
    );
    let several = [others, unknown].into_iter().flat_map(|alarm| &alarm["Metrics"].as_array().unwrap()[1..]);
    let mut periods = several.map(|metric| &metric["MetricStat"]["Period"]).chain([&unfinished["Period"]]);
    assert!(periods.all(|period| *period == 1_800), "three reports fit into each period");
}

#[test]
fn a_withdrawal_that_stays_open_sets_off_an_alarm_by_its_state() {
    let template = Template::read();
    let state = |alarm: &str| {
        let properties = template.properties(alarm);
        (dimension(properties, "attention")[0].as_str().unwrap().to_owned(), properties["Threshold"].clone())
    };
    assert_eq!(state("WithdrawalNotSubmittedAlarm"), ("not_submitted".into(), json!(7_200)));
    assert_eq!(state("WithdrawalUnknownAgeAlarm"), ("unknown".into(), json!(7_200)));
    assert_eq!(state("WithdrawalsUnreadAlarm"), ("unread".into(), json!(0)), "any that was not read");
    let hours = json!({"Ref": "WithdrawalReportHours"});
    assert_eq!(state("WithdrawalNotReportedAlarm"), ("submitted".into(), hours));
    let metrics = template.properties("WithdrawalNotReportedAlarm")["Metrics"].as_array().unwrap();
    assert_eq!((&metrics[0]["Expression"], &metrics[1]["Id"]), (&json!("submitted / 3600"), &json!("submitted")));
    let parameter = &template.section("Parameters")["WithdrawalReportHours"];
    assert_eq!((&parameter["Type"], &parameter["Default"]), (&json!("Number"), &json!(24)));
    for alarm in ["WithdrawalNotSubmittedAlarm", "WithdrawalsUnreadAlarm"] {
        assert_eq!(template.properties(alarm)["Period"], 1_800, "three reports fit into each period");
    }
    assert_eq!(metrics[1]["MetricStat"]["Period"], 1_800);
}

#[test]
fn a_report_ends_before_the_reporter_reaches_its_time_limit() {
    let limit_s = Template::read().time_limit("attention-reporter");
    let (last_read, last_report) = (attention_reporter::LAST_READ, attention_reporter::LAST_REPORT);
    assert!(last_read < last_report, "what is begun last has time to end");
    assert!(last_report.as_secs() < limit_s, "a part of a report is better than none");
}

/// The functions that only people call: they see at once that an answer is an error. An alarm takes ten metrics at most.
const OF_PEOPLE: [&str; 2] = ["decision-recorder", "evidence-verifier"];

#[test]
fn errors_and_throttles_of_every_function_that_programs_call_set_off_an_alarm() {
    let template = Template::read();
    let functions = functions().into_iter().filter(|it| !OF_PEOPLE.contains(&it.as_str()));
    let all: BTreeSet<_> = functions.map(|function| format!("${{AWS::StackName}}-{function}")).collect();
    for (name, metric) in [("FunctionErrorsAlarm", "Errors"), ("FunctionThrottlesAlarm", "Throttles")] {
        let alarm = template.properties(name);
        let watched = dimension(alarm, "FunctionName").into_iter().map(|it| it["Fn::Sub"].as_str().unwrap().to_owned());
        assert_eq!(watched.collect::<BTreeSet<_>>(), all, "{name}");
        let metrics = alarm["Metrics"].as_array().unwrap();
        assert_eq!(metrics[0]["Expression"], "SUM(METRICS())");
        assert!(metrics[1..].iter().all(|it| it["MetricStat"]["Metric"]["MetricName"] == metric), "{name}");
    }
}

#[test]
fn the_queues_are_watched() {
    let template = Template::read();
    let queue_of = |alarm: &str| dimension(template.properties(alarm), "QueueName")[0]["Fn::GetAtt"].clone();
    assert_eq!(queue_of("DeadLettersAlarm"), "DeadLetterQueue.QueueName");
    assert_eq!(queue_of("EventsUnpublishedAlarm"), "UnpublishedQueue.QueueName");
    assert_eq!(queue_of("EventsUndeliveredAlarm"), "UndeliveredQueue.QueueName");
    let waiting = template.properties("EventsWaitingAlarm");
    let of_waiting: BTreeSet<_> = metrics(waiting).filter_map(|metric| metric["MetricName"].as_str()).collect();
    let everywhere = ["Visible", "NotVisible", "Delayed"].map(|where_| format!("ApproximateNumberOfMessages{where_}"));
    assert_eq!(of_waiting, everywhere.iter().map(String::as_str).collect(), "a waiting message is in one of these");
    assert_eq!(waiting["Metrics"][0]["Expression"], "SUM(METRICS())");
    let watched: BTreeSet<_> = alarms(&template)
        .into_iter()
        .flat_map(|(_, alarm)| dimension(alarm, "QueueName"))
        .map(|queue| queue["Fn::GetAtt"].as_str().unwrap().strip_suffix(".QueueName").unwrap())
        .collect();
    let mut queues: BTreeSet<_> = template.of_type("AWS::SQS::Queue").into_keys().collect();
    assert!(queues.remove("SubmissionQueue"), "its withdrawals are watched, whatever happens to the messages");
    assert_eq!(watched, queues);
}

#[test]
fn a_publisher_that_gets_no_changes_sets_off_an_alarm() {
    let template = Template::read();
    let alarm = template.properties("EventsStoppedAlarm");
    assert_eq!(dimension(alarm, "event"), [Metric::Heartbeat.name()]);
    assert_eq!((&alarm["ComparisonOperator"], &alarm["Threshold"]), (&json!("LessThanThreshold"), &json!(1)));
    assert_eq!(alarm["Metrics"][1]["MetricStat"]["Period"], 1_800, "three reports fit into each period");
}

#[test]
fn numbers_without_a_credit_set_off_an_alarm() {
    let template = Template::read();
    let alarm = template.properties("CreditsStoppedAlarm");
    assert_eq!(dimension(alarm, "event"), [Metric::DepositActivated.name(), Metric::DepositCredited.name()]);
    assert_eq!(alarm["EvaluationPeriods"], 2);
    let period = json!({"Fn::FindInMap": ["HalfInSeconds", {"Ref": "CreditSilenceHours"}, "seconds"]});
    let metrics = alarm["Metrics"].as_array().unwrap();
    assert!(metrics[1..].iter().all(|it| it["MetricStat"]["Period"] == period));
    let halves = template.section("Mappings")["HalfInSeconds"].as_object().unwrap();
    for (hours, half) in halves {
        assert_eq!(half["seconds"].as_u64().unwrap() * 2, hours.parse::<u64>().unwrap() * 3_600);
    }
    let hours = &template.section("Parameters")["CreditSilenceHours"];
    let allowed: BTreeSet<_> = hours["AllowedValues"].as_array().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(allowed, halves.keys().cloned().collect());
}

#[test]
fn a_receiver_that_answers_503_rarely_but_always_sets_off_an_alarm() {
    let template = Template::read();
    let alarm = template.properties("PostbackUnavailableAlarm");
    assert_eq!((&alarm["MetricName"], &alarm["Statistic"]), (&json!("ServerErrors"), &json!("Sum")));
    assert_eq!(dimension(alarm, "function"), [&json!({"Fn::Sub": "${AWS::StackName}-postback-receiver"})]);
    assert_eq!((&alarm["DatapointsToAlarm"], &alarm["EvaluationPeriods"]), (&json!(2), &json!(3)));
    assert_eq!((&alarm["Threshold"], &alarm["Period"]), (&json!(1), &json!(300)));
}

#[test]
fn events_that_come_late_set_off_an_alarm() {
    let template = Template::read();
    let alarm = template.properties("EventsLateAlarm");
    assert_eq!((&alarm["Namespace"], &alarm["MetricName"]), (&json!("AWS/Lambda"), &json!("IteratorAge")));
    assert_eq!(dimension(alarm, "FunctionName"), [&json!({"Fn::Sub": "${AWS::StackName}-event-publisher"})]);
}

#[test]
fn the_dashboard_shows_every_function_and_queue() {
    let template = Template::read();
    let text = template.properties("Dashboard")["DashboardBody"]["Fn::Sub"].as_str().unwrap();
    let body: Value = serde_json::from_str(text).unwrap();
    let metrics = |title: &str| {
        let widgets = body["widgets"].as_array().unwrap();
        widgets.iter().find(|it| it["properties"]["title"] == title).unwrap()["properties"]["metrics"].to_string()
    };
    for function in functions() {
        for title in ["Function errors", "Function duration, p99 (ms)"] {
            assert!(metrics(title).contains(&format!("\"${{AWS::StackName}}-{function}\"")), "{title}: {function}");
        }
    }
    for queue in ["SubmissionQueue", "DeadLetterQueue", "UnpublishedQueue", "SetAsideQueue"] {
        assert!(metrics("Messages").contains(&format!("${{{queue}.QueueName}}")), "{queue}");
    }
}

#[test]
fn an_alarm_notifies_someone_when_it_fires_and_when_it_clears() {
    let template = Template::read();
    for (name, alarm) in alarms(&template) {
        let topic = json!([{"Ref": "AlarmTopic"}]);
        assert_eq!((&alarm["AlarmActions"], &alarm["OKActions"]), (&topic, &topic), "{name}");
        let is_silence = ["WithdrawalUnknownAgeAlarm", "EventsStoppedAlarm"].contains(&name);
        let missing = match dimension(alarm, "QueueName").len() {
            0 if is_silence => "breaching",
            0 => "notBreaching",
            _ => "ignore",
        };
        assert_eq!(alarm["TreatMissingData"], missing, "{name}");
        assert!(alarm["AlarmDescription"].is_string(), "{name}");
    }
}

#[test]
fn the_runbook_has_an_entry_for_each_alarm_and_no_other() {
    let template = Template::read();
    let alarms: BTreeSet<_> = alarms(&template)
        .iter()
        .map(|(_, alarm)| {
            alarm["AlarmName"]["Fn::Sub"].as_str().unwrap().strip_prefix("${AWS::StackName}-").unwrap().to_owned()
        })
        .collect();
    let runbook = file("docs/runbook.md");
    let mut entries = BTreeSet::new();
    for entry in runbook.split("\n### ").skip(1) {
        let (name, text) = entry.split_once('\n').unwrap();
        for part in ["**Means.**", "**Look.**", "**Do.**", "**Never.**"] {
            assert!(text.contains(part), "{name} lacks {part}");
        }
        assert!(entries.insert(name.to_owned()), "{name} is there twice");
    }
    assert_eq!(entries, alarms);
}
