//! Processes that never outlive this one, not even when it is killed.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::Stdio;

use tokio::process::{Child, Command};
use tokio::sync::{Mutex, mpsc, watch};

/// What the leader of the group does: it waits for the end of its input, then kills the group, with itself.
const LEADER: &str = "read line; kill -9 0";

/// Starts processes in one group, which ends with this process.
///
/// The group's leader is a shell that reads from a pipe. Only this process has the other end, so the pipe ends however
/// this process ends. A process that is being started has a copy of that end until it has joined the group and runs its
/// own program. So none joins after the leader has killed the group.
pub(crate) struct Launcher {
    /// Has our end of the pipe, and is not killed when it is dropped: it has the group to kill.
    leader: Mutex<Child>,
    group: i32,
}

impl Launcher {
    /// Starts the leader.
    pub(crate) fn start() -> io::Result<Launcher> {
        let leader = Command::new("/bin/sh")
            .args(["-c", LEADER])
            .arg(format!("ends-with-{}", std::process::id()))
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let group = leader.id().and_then(|id| id.try_into().ok()).ok_or_else(gone)?;
        Ok(Launcher { leader: Mutex::new(leader), group })
    }

    /// Starts the program with nothing but the given environment, its output piped.
    pub(crate) async fn spawn(&self, program: &Path, environment: &[(OsString, OsString)]) -> io::Result<Child> {
        if self.leader.lock().await.try_wait()?.is_some() {
            return Err(gone());
        }
        Command::new(program)
            .process_group(self.group)
            .env_clear()
            .envs(environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
    }

    /// Has the leader kill the group, and waits for its end.
    pub(crate) async fn stop(&self) {
        // Waiting closes the pipe first. It fails only if the leader has been waited for.
        let _ = self.leader.lock().await.wait().await;
    }
}

fn gone() -> io::Error {
    io::Error::other("the leader of the processes' group has ended")
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

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    /// Fills its output and then waits for a reader.
    const ENDLESS: &str = "/usr/bin/yes";

    #[tokio::test]
    async fn processes_end_with_the_launcher() {
        let launcher = Launcher::start().unwrap();
        let mut child = launcher.spawn(Path::new(ENDLESS), &[]).await.unwrap();
        drop(launcher);
        assert_eq!(child.wait().await.unwrap().signal(), Some(9));
    }

    #[tokio::test]
    async fn nothing_starts_without_the_leader() {
        let launcher = Launcher::start().unwrap();
        let mut child = launcher.spawn(Path::new(ENDLESS), &[]).await.unwrap();
        launcher.stop().await;
        assert_eq!(child.wait().await.unwrap().signal(), Some(9));
        assert!(launcher.spawn(Path::new(ENDLESS), &[]).await.is_err());

        let launcher = Launcher::start().unwrap();
        launcher.leader.lock().await.start_kill().unwrap();
        launcher.leader.lock().await.wait().await.unwrap();
        assert!(launcher.spawn(Path::new(ENDLESS), &[]).await.is_err());
    }
}
