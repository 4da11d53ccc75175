//! The log: one JSON object a line, on standard output.

use std::fmt;

use tracing::{Event, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::metrics::Definition;
use crate::{Clock, Settings, System};

/// Writes lines as `F` does, and adds to those that are counted what `CloudWatch` needs for it.
struct Metered<F> {
    lines: F,
    namespace: String,
}

impl<S, N, F> FormatEvent<S, N> for Metered<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut to: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let Some(metric) = Definition::of(event.metadata().target()) else {
            return self.lines.format_event(context, to, event);
        };
        let mut line = String::new();
        self.lines.format_event(context, Writer::new(&mut line), event)?;
        let open = line.trim_end().strip_suffix('}').ok_or(fmt::Error)?;
        writeln!(to, "{open},{}}}", metric.members(&self.namespace, System.now_ms()))
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
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_target(false)
        .with_span_list(false)
        .with_max_level(level)
        .map_event_format(|lines| Metered { lines, namespace })
        .init();
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};
    use tracing::info;

    use super::*;
    use crate::metrics::{count_error, report_oldest_seconds};
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
            .map_event_format(|lines| Metered { lines, namespace: "Paykassma/\"x".into() })
            .finish();
        tracing::subscriber::with_default(subscriber, log);
        let written = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        written.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn what_is_counted_is_a_metric_of_one_dimension() {
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
    fn every_other_line_is_none() {
        let lines = lines(|| info!(reference = "deposit#1", event = "deposit.credited", code = "x", "registered"));
        assert_eq!(lines.len(), 1);
        assert!(lines[0]["_aws"].is_null());
    }
}
