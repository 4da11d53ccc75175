//! The log: one JSON object a line, on standard output.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::metrics::{AMOUNT, members};
use crate::{Clock, Settings, System};

/// Writes lines as `F` does, and adds to those that are counted what `CloudWatch` needs for it.
struct Metered<F> {
    lines: F,
    namespace: String,
    function: String,
}

impl<S, N, F> FormatEvent<S, N> for Metered<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut to: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut amount = Amount::default();
        event.record(&mut amount);
        let target = event.metadata().target();
        let members = members(target, &amount.0, &self.namespace, &self.function, System.now_ms());
        if members.is_empty() {
            return self.lines.format_event(context, to, event);
        }
        let mut line = String::new();
        self.lines.format_event(context, Writer::new(&mut line), event)?;
        let open = line.trim_end().strip_suffix('}').ok_or(fmt::Error)?;
        writeln!(to, "{open}{members}}}")
    }
}

/// The text of the field that has an amount.
#[derive(Default)]
struct Amount(String);

impl Visit for Amount {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == AMOUNT {
            self.0 = format!("{value:?}");
        }
    }
}

/// Starts the log at the level of the setting `LOG_LEVEL`: `info`, which is also the default, or less. Never more: at
/// `debug` and below, the crates that we use print bodies, tokens and whole rows. Metrics are counted under `METRICS_NAMESPACE`.
pub fn start(settings: &Settings) {
    let level = settings
        .optional("LOG_LEVEL")
        .and_then(|level| level.parse().ok())
        .unwrap_or(LevelFilter::INFO)
        .min(LevelFilter::INFO);
    let namespace = settings.optional("METRICS_NAMESPACE").unwrap_or("Paykassma").to_owned();
    let function = settings.optional("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default().to_owned();
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_target(false)
        .with_span_list(false)
        .with_max_level(level)
        .map_event_format(|lines| Metered { lines, namespace, function })
        .init();
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};
    use tracing::info;

    use super::*;
    use crate::metrics::{Money, count_credited, count_error, count_paid, report_oldest_seconds};
    use crate::{Metric, count};

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn lines(log: impl FnOnce()) -> Vec<Value> {
        let written = Written::default();
        let to = written.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_writer(move || to.clone())
            .map_event_format(|lines| Metered {
                lines,
                namespace: "Paykassma/\"x".into(),
                function: "x-activate".into(),
            })
            .finish();
        tracing::subscriber::with_default(subscriber, log);
        let written = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        written.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn what_is_counted_is_a_metric_of_its_dimension() {
        let lines = lines(|| {
            count!(error, Metric::DepositQuarantined, "deposit#1", "}}");
            count_error(404, "not_found", None, None);
            report_oldest_seconds("unknown", 7_200);
        });
        let expected = [("event", "Events", "Count"), ("code", "Errors", "Count")];
        for (line, (dimension, name, unit)) in
            lines.iter().zip(expected.into_iter().chain([("attention", "OldestAttentionSeconds", "Seconds")]))
        {
            let directives = json!([{"Namespace": "Paykassma/\"x", "Dimensions": [[dimension]], "Metrics": [{"Name": name, "Unit": unit}]}]);
            assert_eq!(line["_aws"]["CloudWatchMetrics"], directives);
            assert!(line["_aws"]["Timestamp"].as_u64() > Some(1_600_000_000_000), "{line}");
            assert!(
                line[dimension].is_string() && line[name].is_u64(),
                "a target must be a member of the line: {line}"
            );
        }
        assert_eq!(
            (&lines[0]["Events"], &lines[0]["reference"], &lines[0]["message"]),
            (&json!(1), &json!("deposit#1"), &json!("}"))
        );
        assert_eq!(lines[2]["OldestAttentionSeconds"], 7_200);
    }

    #[test]
    fn a_line_may_be_several_metrics() {
        let money = Money { amount: &"700.10", currency_code: &"INR", wallet_type: &"paytm" };
        let lines = lines(|| {
            count_credited(money, "deposit#1", "payment#paytm#1", "early");
            count_paid(money, "withdrawal#1");
            count_error(503, "try_again", None, None);
        });
        let of = |line: &Value| -> Vec<_> {
            let directives = line["_aws"]["CloudWatchMetrics"].as_array().unwrap();
            let metric = |it: &Value| (it["Dimensions"][0].clone(), it["Metrics"][0]["Name"].clone());
            directives.iter().map(metric).collect()
        };
        let money = json!(["currency_code", "wallet_type"]);
        assert_eq!(of(&lines[0]), [(json!(["event"]), json!("Events")), (money.clone(), json!("Credited"))]);
        assert_eq!(of(&lines[1]), [(json!(["event"]), json!("Events")), (money, json!("Paid"))]);
        assert_eq!(of(&lines[2]), [(json!(["code"]), json!("Errors")), (json!(["function"]), json!("ServerErrors"))]);
        assert_eq!((&lines[0]["Events"], &lines[0]["amount"]), (&json!(1), &json!("700.10")));
        assert_eq!(
            (&lines[0]["Credited"], &lines[1]["Paid"]),
            (&json!(700.10), &json!(700.10)),
            "numbers, for CloudWatch"
        );
        assert_eq!((&lines[2]["function"], &lines[2]["ServerErrors"]), (&json!("x-activate"), &json!(1)));
    }

    #[test]
    fn every_other_line_is_none() {
        let lines = lines(|| info!(reference = "deposit#1", event = "deposit.credited", code = "x", "registered"));
        assert_eq!(lines.len(), 1);
        assert!(lines[0]["_aws"].is_null());
    }
}
