//! Child processes that never outlive this one, not even when it is killed.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};

/// The argument with which this program starts another one that dies with its parent.
pub const EXEC_ARGUMENT: &str = "--exec-child-of";

/// Becomes the program, after asking the kernel for a SIGKILL when the parent dies. Returns only on failure.
///
/// The request outlives `exec`. A parent that died before the request is recognised by its id.
#[must_use]
pub fn exec_child(parent: &str, program: &Path) -> io::Error {
    #[cfg(target_os = "linux")]
    if let Err(error) = nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL) {
        return error.into();
    }
    if nix::unistd::getppid().to_string() != parent {
        return io::Error::other("the parent is gone");
    }
    std::process::Command::new(program).exec()
}

type Job = (Command, oneshot::Sender<io::Result<Child>>);

/// Starts processes from one thread of its own: the kernel takes the end of the *thread* that started a process for the
/// end of the parent, and the runtime's threads come and go.
#[derive(Clone)]
pub(crate) struct Launcher {
    exec: PathBuf,
    jobs: mpsc::UnboundedSender<Job>,
}

impl Launcher {
    /// `exec` is this package's own program, which knows [`EXEC_ARGUMENT`].
    pub(crate) fn start(exec: PathBuf) -> io::Result<Launcher> {
        let (jobs, mut queue) = mpsc::unbounded_channel::<Job>();
        let runtime = Handle::current();
        std::thread::Builder::new().name("launcher".into()).spawn(move || {
            let _context = runtime.enter();
            while let Some((mut command, reply)) = queue.blocking_recv() {
                let _ = reply.send(command.spawn());
            }
        })?;
        Ok(Launcher { exec, jobs })
    }

    /// Starts the program with nothing but the given environment, its output piped.
    pub(crate) async fn spawn(&self, program: &Path, environment: &[(OsString, OsString)]) -> io::Result<Child> {
        let mut command = Command::new(&self.exec);
        command
            .arg(EXEC_ARGUMENT)
            .arg(std::process::id().to_string())
            .arg(program)
            .env_clear()
            .envs(environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let (reply, child) = oneshot::channel();
        let gone = || io::Error::other("the launcher has ended");
        self.jobs.send((command, reply)).map_err(|_| gone())?;
        child.await.map_err(|_| gone())?
    }
}

/// A handle on a running process; any number of them may wait for its end or bring it about.
#[derive(Clone)]
pub(crate) struct Process {
    kill: mpsc::Sender<()>,
    ended: watch::Receiver<bool>,
}

impl Process {
    /// Takes a child over; it is killed at the latest when the runtime ends.
    pub(crate) fn adopt(child: Child) -> Process {
        let (kill, orders) = mpsc::channel(1);
        let (end, ended) = watch::channel(false);
        tokio::spawn(reap(child, orders, end));
        Process { kill, ended }
    }

    /// Gives the order to kill and does not wait.
    pub(crate) fn start_kill(&self) {
        // A full channel means that the order has been given before, a closed one that the process has ended.
        let _ = self.kill.try_send(());
    }

    /// Kills the process and waits for its end.
    pub(crate) async fn kill(&self) {
        self.start_kill();
        self.end().await;
    }

    /// Waits for the end.
    pub(crate) async fn end(&self) {
        // An error means that the reaper has ended, and its process with it.
        let _ = self.ended.clone().wait_for(|ended| *ended).await;
    }

    pub(crate) fn has_ended(&self) -> bool {
        *self.ended.borrow()
    }
}

async fn reap(mut child: Child, mut orders: mpsc::Receiver<()>, end: watch::Sender<bool>) {
    let killed = tokio::select! {
        _ = child.wait() => false,
        _ = orders.recv() => true,
    };
    if killed {
        let _ = child.kill().await;
    }
    end.send_replace(true);
}
