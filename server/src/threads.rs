//! Which of this process's threads run before others when there are fewer processors than work.

use std::{fs, path::Path};

use rustix::process::{Pid, getpriority_process, setpriority_process};

/// How much sooner than others a thread runs that goes first.
const FIRST: i32 = -10;

/// Has the threads of that name run before others when there are fewer processors than work: everybody waits for what the
/// ledger and SQLite's writer do, and those who talk to clients have nothing to do meanwhile. The system may not permit it
/// (`LimitNICE=` of systemd does); then they take turns like all others.
pub(crate) fn go_first(name: &str) {
    for thread in of_name(name) {
        if let Err(error) = setpriority_process(Some(thread), FIRST) {
            tracing::debug!(cause = %error, name, "a thread that others wait for takes turns with them");
        }
    }
}

/// For a thread that another started: those that go first are few, and none of them lends that to whom it calls for.
pub fn take_turns() {
    // The first thread of a process has its number.
    if let Ok(usual) = getpriority_process(Some(rustix::process::getpid()))
        && getpriority_process(None).is_ok_and(|own| own < usual)
        && let Err(error) = setpriority_process(None, usual)
    {
        tracing::debug!(cause = %error, "a thread goes before others that it should take turns with");
    }
}

/// This process's threads of that name.
fn of_name(name: &str) -> Vec<Pid> {
    let is_named = |thread: &Path| {
        fs::read_to_string(thread.join("comm")).is_ok_and(|found| found.trim_end() == name)
    };
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    threads
        .map(|thread| thread.path())
        .filter(|thread| is_named(thread))
        .filter_map(|thread| Pid::from_raw(thread.file_name()?.to_str()?.parse().ok()?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{Db, WRITER};

    /// Where the system does not permit it, nothing changes.
    #[tokio::test]
    async fn who_writes_goes_first_however_often_it_is_opened() {
        let usual = getpriority_process(None).expect("a priority");
        let tried = std::thread::spawn(|| {
            let tried = setpriority_process(None, FIRST);
            take_turns();
            (tried.is_ok(), getpriority_process(None).expect("a priority"))
        });
        let (is_permitted, after) = tried.join().expect("it ends");
        assert_eq!(after, usual, "it takes turns again");

        let (_folder, db) = Db::of_a_test().await;
        for _ in 0..2 {
            // Nobody ends it, so the connection is closed, and the next is opened by whoever comes.
            drop(db.write().await.expect("a transaction"));
        }
        db.write().await.expect("a transaction").rollback().await.expect("taken back");
        let of = |thread| getpriority_process(Some(thread)).ok();
        // A thread that ends just now has none.
        let writers: Vec<i32> = of_name(WRITER).into_iter().filter_map(of).collect();
        let expected = if is_permitted { FIRST } else { usual };
        assert!(writers.contains(&expected), "{writers:?}");
        assert!(writers.iter().all(|writer| *writer == expected), "{writers:?}");
        assert_eq!(getpriority_process(None).expect("a priority"), usual, "nobody else");
    }
}
