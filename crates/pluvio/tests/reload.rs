//! What a running Pluvio says of its configuration's file when it is asked to look at it again.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Lines, Write as _},
    net::TcpStream,
    path::PathBuf,
    process::{Child, ChildStderr, Command, Stdio},
};

const RIGHT: &str = "[log]\ntype = \"memory\"\n[listeners.http]\nlisten = \"127.0.0.1:0\"\n";

/// A Pluvio that runs, in a folder of its own.
struct Running {
    child: Child,
    said: Lines<BufReader<ChildStderr>>,
    folder: PathBuf,
    /// Where it serves HTTP.
    address: String,
}

impl Running {
    fn start(name: &str) -> Self {
        Self::start_with(name, RIGHT, &[])
    }

    /// With files beside the configuration.
    fn start_with(name: &str, configuration: &str, files: &[(&str, &str)]) -> Self {
        let folder = std::env::temp_dir().join(format!("pluvio-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("pluvio.toml"), configuration).unwrap();
        for (name, text) in files {
            fs::write(folder.join(name), text).unwrap();
        }
        let mut pluvio = Command::new(env!("CARGO_BIN_EXE_pluvio"));
        pluvio.args(["--config", "pluvio.toml", "run"]).current_dir(&folder);
        pluvio.env_remove("VCENTER_URL").env_remove("PLUVIO_LOG").env_remove("DEBUG");
        let mut child = pluvio.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut running = Self { child, said, folder, address: String::new() };
        let serving = running.until("serving on").pop().unwrap();
        let (_, address) = serving.split_once("http://").unwrap();
        address.split([' ', '/']).next().unwrap().clone_into(&mut running.address);
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

    /// The status of the answer to whoever asks for events with `token`; there are none.
    fn status(&self, token: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let request = format!(
            "GET /api/v1/events HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n\
             Connection: close\r\n\r\n",
            self.address
        );
        stream.write_all(request.as_bytes()).unwrap();
        let line = BufReader::new(stream).lines().next().unwrap().unwrap();
        line.split(' ').nth(1).unwrap().to_owned()
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

#[test]
fn one_principal_without_its_file_keeps_no_other_at_a_revoked_token() {
    let token =
        |name: &str| format!("[principals.{name}]\ntoken = {{ file = \"{name}.token\" }}\n");
    let configuration = format!("{RIGHT}{}{}", token("a"), token("b"));
    let files = [("a.token", "old-token-of-a-00"), ("b.token", "old-token-of-b-00")];
    let mut pluvio = Running::start_with("one-principal", &configuration, &files);
    assert_eq!(pluvio.status("old-token-of-b-00"), "204");
    fs::write(pluvio.folder.join("b.token"), "new-token-of-b-00").unwrap();
    fs::remove_file(pluvio.folder.join("a.token")).unwrap();
    pluvio.signal("HUP");
    let told = pluvio.until("principal `a`").pop().unwrap();
    assert!(told.contains(" WARN ") && told.contains("its previous token stays valid"), "{told}");
    assert_eq!(pluvio.status("old-token-of-b-00"), "401");
    assert_eq!(pluvio.status("new-token-of-b-00"), "204");
    assert_eq!(pluvio.status("old-token-of-a-00"), "204");
    fs::write(pluvio.folder.join("a.token"), "new-token-of-a-00").unwrap();
    pluvio.until("read the tokens and passwords of principals again");
    assert_eq!(pluvio.status("old-token-of-a-00"), "401");
    assert_eq!(pluvio.status("new-token-of-a-00"), "204");
    pluvio.end();
}

#[test]
fn a_configuration_that_became_a_pipe_is_refused_at_once_and_the_next_look_still_comes() {
    let mut pluvio = Running::start("hangup-pipe");
    let path = pluvio.folder.join("pluvio.toml");
    fs::remove_file(&path).unwrap();
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    for command in ["check", "run"] {
        let mut refused = Command::new(env!("CARGO_BIN_EXE_pluvio"));
        refused.args(["--config", "pluvio.toml", command]).current_dir(&pluvio.folder);
        let output = refused.env_remove("VCENTER_URL").output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(78), "{said}");
        assert!(said.contains("pluvio.toml: failed to read the configuration"), "{said}");
        assert!(said.contains("not a regular file"), "{said}");
    }
    pluvio.signal("HUP");
    let told = pluvio.until("goes on unchanged").pop().unwrap();
    assert!(told.contains("not a regular file"), "{told}");
    fs::remove_file(&path).unwrap();
    pluvio.hang_up(RIGHT);
    pluvio.until("is the one that is running");
    pluvio.end();
}

#[test]
fn a_configuration_from_a_pipe_that_the_shell_opened_is_read_at_the_start() {
    let read = "printf '[log]\ntype = \"memory\"\n' | \"$0\" --config /dev/stdin check";
    let mut shell = Command::new("sh");
    shell.args(["-c", read, env!("CARGO_BIN_EXE_pluvio")]).env_remove("VCENTER_URL");
    let output = shell.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("configuration is valid"), "{output:?}");
}
