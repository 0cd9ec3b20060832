//! A program out of Debian's packages, without installing them.
//!
//! apt decides which packages are missing and fetches them; dpkg unpacks them into the cache, and a
//! small script finds the libraries there. Where apt's lists are empty or old, a second attempt uses
//! fresh ones of its own.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;

use super::run;

/// Unpacks the program `name` into `folder`, where a script of the same name then starts it.
pub(super) async fn unpack(name: &str, folder: &Path) -> Result<()> {
    let packages = folder.join("packages");
    fs::create_dir_all(packages.join("partial")).context("failed to make a folder")?;
    if fetch(name, &packages, &[]).await.is_err() {
        let lists = folder.join("lists");
        fs::create_dir_all(lists.join("partial")).context("failed to make a folder")?;
        let own = [format!("Dir::State::Lists={}", lists.display())];
        run::quietly(apt(&packages, &own).arg("update")).await?;
        fetch(name, &packages, &own).await?;
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
    ensure!(unpacked > 0, "apt fetched nothing, although `{name}` is on no path");
    write_script(name, folder, &libraries(&root))
}

async fn fetch(name: &str, packages: &Path, options: &[String]) -> Result<()> {
    let mut apt = apt(packages, options);
    let install = ["install", "--yes", "--download-only", "--no-install-recommends", name];
    run::quietly(apt.args(install)).await
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
fn write_script(name: &str, folder: &Path, libraries: &[PathBuf]) -> Result<()> {
    let relative = libraries.iter().filter_map(|path| path.strip_prefix(folder).ok());
    let libraries: Vec<String> = relative.map(|path| format!("$here/{}", path.display())).collect();
    let script = format!(
        "#!/bin/sh\nhere=$(dirname \"$0\")\nLD_LIBRARY_PATH=\"{}\" exec \"$here/unpacked/usr/bin/{name}\" \
         \"$@\"\n",
        libraries.join(":")
    );
    let path = folder.join(name);
    fs::write(&path, script).with_context(|| format!("failed to write `{}`", path.display()))?;
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(&path, executable).context("failed to make the script executable")
}
