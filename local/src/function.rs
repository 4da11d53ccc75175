//! A function: up to so many instances, warm ones first.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use tokio::sync::{Semaphore, SemaphorePermit, TryAcquireError};

use crate::deployment::full_name;
use crate::functions::SENDERS;
use crate::instance::{Failure, Instance, Recipe};
use crate::options::{StackOptions, WhenBusy};
use crate::process::Process;

/// A deployed function.
pub(crate) struct Function {
    recipe: Recipe,
    time_limit: Duration,
    /// One for each instance that may exist: whoever holds a permit may take an idle one or start one.
    permits: Semaphore,
    when_busy: WhenBusy,
    idle: Mutex<Vec<Instance>>,
    processes: Mutex<Vec<Process>>,
    invocations: AtomicU64,
}

impl Function {
    pub(crate) fn new(recipe: Recipe, options: &StackOptions) -> Arc<Function> {
        Arc::new(Function {
            time_limit: if SENDERS.contains(&recipe.name) { options.sender_time_limit } else { options.time_limit },
            recipe,
            permits: Semaphore::new(options.function_concurrency),
            when_busy: options.when_busy,
            idle: Mutex::default(),
            processes: Mutex::default(),
            invocations: AtomicU64::default(),
        })
    }

    pub(crate) fn name(&self) -> &'static str {
        self.recipe.name
    }

    /// How often it was invoked.
    pub(crate) fn invocations(&self) -> u64 {
        self.invocations.load(Ordering::Relaxed)
    }

    /// Runs one event to its end, even when the caller loses interest, as Lambda does.
    pub(crate) async fn invoke(self: &Arc<Self>, event: Bytes) -> Result<Bytes, Failure> {
        self.invocations.fetch_add(1, Ordering::Relaxed);
        let function = Arc::clone(self);
        let run = tokio::spawn(async move { function.run(event).await });
        run.await.unwrap_or(Err(Failure::Stopped))
    }

    async fn run(&self, event: Bytes) -> Result<Bytes, Failure> {
        let _permit = self.permit().await?;
        let outcome = match self.instance().await {
            Ok(mut instance) => {
                let outcome = instance.invoke(event, self.time_limit).await;
                if matches!(outcome, Ok(_) | Err(Failure::Reported(_))) {
                    lock(&self.idle).push(instance);
                }
                outcome
            }
            Err(failure) => Err(failure),
        };
        self.count(&[("Invocations", 1), ("Errors", outcome.is_err().into())]);
        if let Err(failure) = &outcome {
            self.recipe.logs.add(self.recipe.name, format!("invocation failed: {failure}"));
        }
        outcome
    }

    async fn permit(&self) -> Result<SemaphorePermit<'_>, Failure> {
        if self.when_busy == WhenBusy::Wait {
            return self.permits.acquire().await.map_err(|_| Failure::Stopped);
        }
        self.permits.try_acquire().map_err(|reason| match reason {
            TryAcquireError::NoPermits => {
                self.count(&[("Throttles", 1)]);
                Failure::Throttled
            }
            TryAcquireError::Closed => Failure::Stopped,
        })
    }

    fn count(&self, values: &[(&str, u64)]) {
        self.recipe.logs.count("AWS/Lambda", &[("FunctionName", &full_name(self.recipe.name))], values);
    }

    async fn instance(&self) -> Result<Instance, Failure> {
        while let Some(mut warm) = self.take_idle() {
            if warm.ready().await.is_ok() {
                return Ok(warm);
            }
        }
        let launched = Instance::launch(&self.recipe).await;
        let mut cold = launched.map_err(|error| Failure::NotStarted(error.to_string()))?;
        self.register(&cold.process);
        if self.permits.is_closed() {
            return Err(Failure::Stopped);
        }
        cold.ready().await?;
        Ok(cold)
    }

    fn take_idle(&self) -> Option<Instance> {
        lock(&self.idle).pop()
    }

    fn register(&self, process: &Process) {
        let mut processes = lock(&self.processes);
        processes.retain(|process| !process.has_ended());
        processes.push(process.clone());
    }

    /// Kills every process at once and waits for their end; what they were doing ends as an error.
    pub(crate) async fn kill(&self) {
        self.start_kill();
        let processes = lock(&self.processes).clone();
        for process in processes {
            process.kill().await;
        }
    }

    /// Takes no more events and orders every process killed.
    pub(crate) fn stop(&self) {
        self.permits.close();
        self.start_kill();
    }

    fn start_kill(&self) {
        for process in lock(&self.processes).iter() {
            process.start_kill();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
