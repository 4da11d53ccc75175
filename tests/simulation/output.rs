//! What the functions log in the simulated world: no secret, and no unmasked person.

use std::io::Write;
use std::sync::{Arc, Mutex};

use tracing::{Dispatch, dispatcher};

use super::run::{run, settings};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(line)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Everything that is logged meanwhile.
pub(crate) fn logged(run: impl FnOnce()) -> String {
    let log = Log::default();
    let writer = log.clone();
    let everything = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false);
    let dispatch = Dispatch::new(everything.with_writer(move || writer.clone()).finish());
    // With one subscriber alone, whether a line is logged is settled by the thread that first comes to it: another test's.
    let _second = Dispatch::new(tracing_subscriber::fmt().with_writer(std::io::sink).finish());
    dispatcher::with_default(&dispatch, run);
    String::from_utf8(log.0.lock().unwrap().clone()).unwrap()
}

#[test]
fn no_secret_and_no_person_is_in_any_log_line() {
    let text = logged(|| {
        for seed in 0..100 {
            run(settings(seed, None));
        }
    });
    for marker in ["secret-of", "person-", "1234560079"] {
        let line = text.lines().find(|line| line.contains(marker));
        assert_eq!(line, None, "{marker}");
    }
    for event in ["deposit.credited", "deposit.quarantined", "withdrawal.paid", "withdrawal.unknown"] {
        assert!(text.contains(event), "{event} was never logged");
    }
}
