//! The one step that makes a tool, as commands of the package manager that has it.
//!
//! It refuses to know any tool: what is made, and of what, is told by the recipe.

use std::path::Path;

use tokio::process::Command;

use super::debian::Packages;

/// Copies an artifact; a fixed version, for Maven would otherwise ask which one is new.
const MAVEN_COPY: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy";

/// What makes a tool.
#[derive(Debug)]
pub(super) enum Step {
    /// A program of somebody else's, by its path and version.
    GoInstall { package: String },
    /// A program of ours, in the folder.
    GoBuild { tags: &'static str },
    /// The dependencies of `pom.xml`, into the folder `jars`.
    Jars,
    /// An artifact that is an archive, unpacked.
    Archive { artifact: String, file: String },
    /// Python with packages that need no compiler.
    Python { packages: Vec<String> },
    /// The packages of `package-lock.json`.
    Npm,
    /// Debian's packages, by [`super::debian`] and without further commands.
    Debian(Packages),
}

impl Step {
    /// The commands that make `product` in `folder`, one after the other.
    pub(super) fn commands(&self, folder: &Path, product: &str) -> Vec<Command> {
        match self {
            Self::GoInstall { package } => {
                let mut go = command("go", &["install", package]);
                go.env("GOBIN", folder);
                vec![go]
            }
            Self::GoBuild { tags } => {
                vec![command("go", &["build", "-trimpath", "-tags", tags, "-o", product, "."])]
            }
            Self::Jars => {
                let mut maven = command("mvn", &["--quiet", "--batch-mode"]);
                maven.arg("dependency:copy-dependencies").arg("-DincludeScope=runtime");
                maven.arg(format!("-DoutputDirectory={}", folder.join("jars").display()));
                vec![maven]
            }
            Self::Archive { artifact, file } => {
                let mut maven = command("mvn", &["--quiet", "--batch-mode", MAVEN_COPY]);
                maven.arg(format!("-Dartifact={artifact}"));
                maven.arg(format!("-DoutputDirectory={}", folder.display()));
                vec![maven, command("tar", &["-xzf", file]), command("rm", &[file])]
            }
            Self::Python { packages } => {
                let mut python = command("python3", &["-m", "venv"]);
                python.arg(folder);
                let mut pip = Command::new(folder.join("bin/python"));
                pip.args(["-m", "pip", "install", "--quiet", "--only-binary", ":all:"]);
                pip.args(packages);
                vec![python, pip]
            }
            Self::Npm => vec![command("npm", &["ci", "--no-audit", "--no-fund", "--silent"])],
            Self::Debian(_) => Vec::new(),
        }
    }
}

fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}
