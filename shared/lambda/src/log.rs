//! The log: one JSON object a line, on standard output.

use std::fmt;

use aws_sdk_dynamodb::primitives::{DateTime, DateTimeFormat};
use serde_json::{Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use crate::metrics::{is_amount, write_members};
use crate::{Clock, Settings, System};

/// Writes an event as a line: the `timestamp` and `level` that Lambda reads, the invocation's `requestId`, the event's fields, and
/// what `CloudWatch` needs if it is counted.
struct Lines {
    namespace: String,
    function: String,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut to: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let (now_ms, metadata) = (System.now_ms(), event.metadata());
        let time = DateTime::from_millis(now_ms.cast_signed()).fmt(DateTimeFormat::DateTime).map_err(|_| fmt::Error)?;
        write!(to, r#"{{"timestamp":"{time}","level":"{}""#, metadata.level())?;
        for span in context.event_scope().into_iter().flatten() {
            if let Some(fields) = span.extensions().get::<FormattedFields<N>>() {
                to.write_str(fields)?;
            }
        }
        context.format_fields(to.by_ref(), event)?;
        write_members(&mut to, metadata.target(), &self.namespace, &self.function, now_ms)?;
        writeln!(to, "}}")
    }
}

/// Writes the fields of an event or a span as members of an object, each with a comma before it.
struct Members;

impl<'w> FormatFields<'w> for Members {
    fn format_fields<R: RecordFields>(&self, to: Writer<'w>, fields: R) -> fmt::Result {
        let mut visitor = MemberVisitor { to, written: Ok(()) };
        fields.record(&mut visitor);
        visitor.written
    }
}

struct MemberVisitor<'w> {
    to: Writer<'w>,
    written: fmt::Result,
}

impl MemberVisitor<'_> {
    fn write(&mut self, field: &Field, value: impl fmt::Display) {
        // A trace has the id of its request, so the lines need not have the trace's.
        if self.written.is_ok() && field.name() != "xrayTraceId" {
            self.written = write!(self.to, r#","{}":{value}"#, field.name());
        }
    }
}

impl Visit for MemberVisitor<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.write(field, Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.write(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.write(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.write(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.write(field, json!(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if is_amount(field.name()) {
            self.write(field, format_args!("{value:?}"));
        } else {
            self.write(field, json!(format!("{value:?}")));
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
        .with_max_level(level)
        .fmt_fields(Members)
        .event_format(Lines { namespace, function })
        .init();
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use tracing::{info, info_span, warn};

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
            .with_writer(move || to.clone())
            .fmt_fields(Members)
            .event_format(Lines { namespace: "Paykassma/\"x".into(), function: "x-activate".into() })
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
            count_credited(money, "deposit#1", "payment#paytm#1", Some("early"));
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
        assert_eq!(lines[0]["Events"], 1);
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

    #[test]
    fn a_line_is_correct_json_whatever_is_in_it() {
        let cause = "a \"quote\", \\, \u{7}, \n and \u{20ac}";
        let lines = lines(|| {
            let request = info_span!("invoke", requestId = "1-2", xrayTraceId = "Root=1");
            let _entered = request.enter();
            warn!(
                count = 7_u64,
                below = -7_i64,
                share = 0.5,
                none = f64::NAN,
                is_so = true,
                absent = None::<u8>,
                cause,
                "x\ny"
            );
            let error: &(dyn std::error::Error + 'static) = &std::io::Error::other("\t");
            info!(error, huge = u128::MAX);
        });
        let mut expected = json!({
            "level": "WARN", "requestId": "1-2", "message": "x\ny",
            "count": 7, "below": -7, "share": 0.5, "none": null, "is_so": true, "cause": cause,
        });
        expected["timestamp"] = lines[0]["timestamp"].clone();
        assert_eq!(lines[0], expected);
        assert_eq!((&lines[1]["error"], &lines[1]["huge"]), (&json!("\t"), &json!(u128::MAX.to_string())));
    }

    #[test]
    fn a_timestamp_is_rfc_3339_in_milliseconds() {
        let lines = lines(|| (0..3).for_each(|_| info!("now")));
        for line in lines {
            let text = line["timestamp"].as_str().unwrap();
            let read = DateTime::from_str(text, DateTimeFormat::DateTime).unwrap();
            assert!(text.ends_with('Z') && text.len() <= "2026-11-28T16:57:18.619Z".len(), "{text}");
            assert!(read.to_millis().unwrap().cast_unsigned().abs_diff(System.now_ms()) < 60_000, "{text}");
        }
    }
}
