//! What happens to a PostgreSQL: its plug is pulled, its host hangs.

use std::{fs, process::Command};

use super::postgres::{Cluster, as_postgres, tools};

impl Cluster {
    /// The address of a fresh, empty database of its own.
    pub(crate) async fn fresh_database(&self) -> String {
        self.url(&self.make_database(&[]).await)
    }

    /// Pulls the plug: nothing is written any more, no connection is said good-bye to.
    pub(crate) fn stop(&self) {
        let stopped = as_postgres(&tools().join("pg_ctl"))
            .args(["stop", "-m", "immediate", "-w", "-s", "-D"])
            .arg(self.folder.join("data"))
            .status()
            .expect("pg_ctl runs");
        assert!(stopped.success(), "postgres does not stop");
    }

    /// Its host hangs: connections stand, nothing answers.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    /// The host is back.
    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let lock = fs::read_to_string(self.folder.join("data/postmaster.pid")).expect("it runs");
        let head = lock.lines().next().expect("its process");
        let children = Command::new("pgrep").args(["-P", head]).output().expect("pgrep runs");
        let children = String::from_utf8(children.stdout).expect("numbers");
        let all = std::iter::once(head).chain(children.lines());
        let done = Command::new("kill").arg(signal).args(all).status().expect("kill runs");
        assert!(done.success(), "postgres cannot be sent {signal}");
    }
}
