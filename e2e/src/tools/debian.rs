//! Programs out of Debian's packages, without installing them.
//!
//! apt decides which packages are missing and fetches them, and those that are asked for also when
//! the system has them; dpkg unpacks them into the cache, and small scripts find programs and
//! libraries there. Where apt's lists are empty or old, a second attempt uses fresh ones of its own.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;

use super::run;

/// What is fetched, and the scripts that start what was unpacked.
#[derive(Clone, Copy, Debug, Hash)]
pub(super) struct Packages {
    /// Asked for by name; what they depend on comes along as far as the system lacks it.
    names: &'static [&'static str],
    /// A script's name, and its lines: `$here` is the folder, `$root` what was unpacked.
    scripts: &'static [(&'static str, &'static str)],
}

pub(super) const KCAT: Packages =
    Packages { names: &["kcat"], scripts: &[("kcat", "exec \"$root/usr/bin/kcat\" \"$@\"")] };

/// Only the library: its own command would not be needed for a clock that is read from a file.
pub(super) const FAKETIME: Packages = Packages {
    names: &["libfaketime"],
    scripts: &[(
        "faketime",
        "unset LD_LIBRARY_PATH\nLD_PRELOAD=$(echo \"$root\"/usr/lib/*/faketime/libfaketime.so.1)\n\
         export LD_PRELOAD\nexec \"$@\"",
    )],
};

pub(super) const MOSQUITTO: Packages = Packages {
    names: &["mosquitto", "libmosquitto1"],
    scripts: &[
        ("mosquitto", "exec \"$root/usr/sbin/mosquitto\" \"$@\""),
        ("mosquitto_passwd", "exec \"$root/usr/bin/mosquitto_passwd\" \"$@\""),
    ],
};

/// Erlang is told where it lies, for its own script knows one place only. Under `systemd`, or what is
/// said to be, RabbitMQ's script becomes the server instead of watching over it: so a signal reaches
/// the server, and nothing is left behind.
pub(super) const RABBITMQ: Packages = Packages {
    names: &[
        "rabbitmq-server",
        "erlang-asn1",
        "erlang-base",
        "erlang-crypto",
        "erlang-eldap",
        "erlang-inets",
        "erlang-mnesia",
        "erlang-os-mon",
        "erlang-parsetools",
        "erlang-public-key",
        "erlang-runtime-tools",
        "erlang-ssl",
        "erlang-syntax-tools",
        "erlang-tools",
        "erlang-xmerl",
    ],
    scripts: &[
        (
            "rabbitmq-server",
            "PATH=\"$here:$PATH\" RUNNING_UNDER_SYSTEMD=true\nexport PATH RUNNING_UNDER_SYSTEMD\n\
             exec \"$root/usr/lib/rabbitmq/bin/rabbitmq-server\" \"$@\"",
        ),
        (
            "erl",
            "ROOTDIR=\"$root/usr/lib/erlang\" EMU=beam PROGNAME=erl\n\
             BINDIR=$(echo \"$ROOTDIR\"/erts-*/bin)\nexport ROOTDIR BINDIR EMU PROGNAME\n\
             exec \"$BINDIR/erlexec\" \"$@\"",
        ),
        ("epmd", "exec \"$root\"/usr/lib/erlang/erts-*/bin/epmd \"$@\""),
    ],
};

/// Unpacks them into `folder`, where scripts then start the programs.
pub(super) async fn unpack(wanted: &Packages, folder: &Path) -> Result<()> {
    let packages = folder.join("packages");
    fs::create_dir_all(packages.join("partial")).context("failed to make a folder")?;
    if fetch(wanted.names, &packages, &[]).await.is_err() {
        let lists = folder.join("lists");
        fs::create_dir_all(lists.join("partial")).context("failed to make a folder")?;
        let own = [format!("Dir::State::Lists={}", lists.display())];
        run::quietly(apt(&packages, &own).arg("update")).await?;
        fetch(wanted.names, &packages, &own).await?;
    }
    let root = folder.join("unpacked");
    let mut unpacked = 0;
    for package in fs::read_dir(&packages).context("failed to list packages")? {
        let path = package.context("failed to list packages")?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            run::quietly(Command::new("dpkg-deb").arg("--extract").args([&path, &root])).await?;
            unpacked += 1;
        }
    }
    ensure!(unpacked > 0, "apt fetched nothing of {:?}", wanted.names);
    let _unpacked_now = fs::remove_dir_all(&packages);
    let libraries = libraries(&root);
    wanted
        .scripts
        .iter()
        .try_for_each(|(name, lines)| write_script(name, lines, folder, &libraries))
}

async fn fetch(names: &[&str], packages: &Path, options: &[String]) -> Result<()> {
    let mut apt = apt(packages, options);
    apt.args(["install", "--yes", "--download-only", "--no-install-recommends", "--reinstall"]);
    run::quietly(apt.args(names)).await
}

/// apt without root: no lock, and what it fetches goes into a folder of ours.
fn apt(packages: &Path, options: &[String]) -> Command {
    let mut apt = Command::new("apt-get");
    apt.args(["--quiet", "-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User="]);
    apt.arg("-o").arg(format!("Dir::Cache::Archives={}", packages.display()));
    options.iter().for_each(|option| {
        apt.arg("-o").arg(option);
    });
    apt
}

/// Folders of shared libraries: `usr/lib` and, for most, one below it that names the machine.
fn libraries(root: &Path) -> Vec<PathBuf> {
    let lib = root.join("usr/lib");
    let below = fs::read_dir(&lib).into_iter().flatten().filter_map(|entry| {
        Some(entry.ok()?.path()).filter(|path| path.to_string_lossy().contains("-linux-"))
    });
    let mut folders: Vec<PathBuf> = below.collect();
    folders.push(lib);
    folders
}

/// By paths relative to the script, for the folder is moved when it is complete.
fn write_script(name: &str, lines: &str, folder: &Path, libraries: &[PathBuf]) -> Result<()> {
    let relative = libraries.iter().filter_map(|path| path.strip_prefix(folder).ok());
    let libraries: Vec<String> = relative.map(|path| format!("$here/{}", path.display())).collect();
    let script = format!(
        "#!/bin/sh\nhere=$(dirname \"$0\") root=$(dirname \"$0\")/unpacked\n\
         LD_LIBRARY_PATH=\"{}\"\nexport LD_LIBRARY_PATH\n{lines}\n",
        libraries.join(":")
    );
    let path = folder.join(name);
    fs::write(&path, script).with_context(|| format!("failed to write `{}`", path.display()))?;
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(&path, executable).context("failed to make the script executable")
}
