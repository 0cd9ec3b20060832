//! What a running Pluvio says of its configuration's file when it is asked to look at it again.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Lines},
    path::PathBuf,
    process::{Child, ChildStderr, Command, Stdio},
};

const RIGHT: &str = "[log]\ntype = \"memory\"\n[listeners.http]\nlisten = \"127.0.0.1:0\"\n";

/// A Pluvio that runs, in a folder of its own.
struct Running {
    child: Child,
    said: Lines<BufReader<ChildStderr>>,
    folder: PathBuf,
}

impl Running {
    fn start(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("pluvio-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("pluvio.toml"), RIGHT).unwrap();
        let mut pluvio = Command::new(env!("CARGO_BIN_EXE_pluvio"));
        pluvio.args(["--config", "pluvio.toml", "run"]).current_dir(&folder);
        pluvio.env_remove("VCENTER_URL").env_remove("PLUVIO_LOG").env_remove("DEBUG");
        let mut child = pluvio.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut running = Self { child, said, folder };
        running.until("serving on");
        running
    }

    /// All lines up to the one that holds `part`.
    fn until(&mut self, part: &str) -> Vec<String> {
        let mut lines = Vec::new();
        for line in self.said.by_ref() {
            lines.push(line.unwrap());
            if lines.last().is_some_and(|line| line.contains(part)) {
                return lines;
            }
        }
        unreachable!("it ended without saying `{part}`: {lines:#?}")
    }

    /// Writes the configuration and sends SIGHUP.
    fn hang_up(&self, configuration: &str) {
        fs::write(self.folder.join("pluvio.toml"), configuration).unwrap();
        self.signal("HUP");
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("sh").args(["-c", "kill -\"$0\" \"$1\"", name, &pid]).status();
        assert!(sent.unwrap().success());
    }

    /// Ends it; all that it says on the way.
    fn end(mut self) -> Vec<String> {
        self.signal("TERM");
        let lines = self.until("stopped");
        assert!(self.child.wait().unwrap().success());
        fs::remove_dir_all(&self.folder).unwrap();
        lines
    }
}

/// A test that fails leaves nothing running.
impl Drop for Running {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _best_effort = self.child.wait();
    }
}

#[test]
fn a_broken_file_is_told_once_with_its_place_and_pluvio_goes_on() {
    let mut pluvio = Running::start("hangup-broken");
    pluvio.hang_up(&format!("{RIGHT}hosts = [\"*\"]\nhearbeat = \"1s\"\n"));
    let told = pluvio.until("goes on unchanged").pop().unwrap();
    assert!(told.contains(" WARN ") && told.contains("pluvio.toml:6:1"), "{told}");
    assert!(told.contains("unknown key `hearbeat`"), "{told}");
    // What only resolving finds is told, too, and a file that is gone.
    pluvio.hang_up(&format!("{RIGHT}hosts = [\"*\"]\n"));
    let told = pluvio.until("goes on unchanged").pop().unwrap();
    assert!(told.contains("pluvio.toml:5:9") && told.contains("`*` is not a host name"), "{told}");
    fs::remove_file(pluvio.folder.join("pluvio.toml")).unwrap();
    pluvio.signal("HUP");
    let told = pluvio.until("goes on unchanged").pop().unwrap();
    assert!(told.contains("failed to read the configuration"), "{told}");
    let rest = pluvio.end();
    assert!(!rest.iter().any(|line| line.contains("WARN")), "{rest:#?}");
}

#[test]
fn sections_that_wait_for_a_restart_are_named_and_comments_are_not() {
    let mut pluvio = Running::start("hangup-changed");
    pluvio.hang_up(&format!("# why\n{RIGHT}"));
    pluvio.until("is the one that is running");
    pluvio.hang_up(&format!("{RIGHT}watchers_max = 7\n[sinks.out]\ntype = \"stdout\"\n"));
    let told = pluvio.until("restart Pluvio for it");
    assert!(told.last().unwrap().contains("[listeners.http], [sinks]"), "{told:#?}");
    assert!(told.last().unwrap().contains(" INFO "), "{told:#?}");
    let rest = pluvio.end();
    assert!(!rest.iter().any(|line| line.contains("WARN")), "{rest:#?}");
}
