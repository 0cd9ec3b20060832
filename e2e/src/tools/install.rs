//! One tool into the cache: tries, each beside the final place and moved there when it is complete.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};

use super::{Tool, debian, recipe::Recipe, run};

/// Time for one tool with all tries, downloads and compilation together.
const INSTALL_MAX: Duration = Duration::from_secs(6 * 60);
/// Attempts for one tool.
const TRIES: u32 = 3;
/// Tools that are compiled at a time, beside Cargo: with more of them, none would be done in time.
static COMPILERS: Semaphore = Semaphore::const_new(2);

/// Installs it unless it is there; gives its path.
pub(super) async fn tool(tool: Tool, say: fn(&str)) -> Result<PathBuf> {
    if let Some(path) = on_path(tool) {
        return Ok(path);
    }
    let recipe = Recipe::of(tool);
    let folder = cache()?.join(&recipe.folder);
    let product = folder.join(&recipe.product);
    if product.exists() {
        return Ok(product);
    }
    let _turn = if recipe.is_compiled() { COMPILERS.acquire().await.ok() } else { None };
    let (begun, mut failure) = (Instant::now(), None);
    for number in 1..=TRIES {
        say(&format!("installing {}, try {number} of {TRIES}", recipe.folder));
        let made = timeout_at(begun + INSTALL_MAX, make(&recipe, &folder)).await;
        match made {
            Ok(Ok(())) => {
                say(&format!("{} is there after {} s", recipe.folder, begun.elapsed().as_secs()));
                return Ok(product);
            }
            Ok(Err(error)) => failure = Some(error),
            Err(_) => {
                return Err(failure.unwrap_or_else(|| anyhow::anyhow!("it took too long")))
                    .with_context(|| format!("not done within {}s", INSTALL_MAX.as_secs()));
            }
        }
    }
    Err(failure.context("no try was made")?)
}

/// Installs beside the final place and moves it there, so that what is there is complete.
async fn make(recipe: &Recipe, folder: &Path) -> Result<()> {
    let process = std::process::id();
    let unfinished = folder.with_file_name(format!("{}.{process}.part", recipe.folder));
    let _none_was_left = std::fs::remove_dir_all(&unfinished);
    std::fs::create_dir_all(&unfinished)
        .with_context(|| format!("failed to make `{}`", unfinished.display()))?;
    let done = match make_in(recipe, &unfinished).await {
        Ok(()) => name_finally(&unfinished, folder),
        failed => failed,
    };
    if done.is_ok() && !folder.exists() {
        std::fs::rename(&unfinished, folder)
            .with_context(|| format!("failed to make `{}`", folder.display()))?;
    }
    let _moved_or_gone = std::fs::remove_dir_all(&unfinished);
    done
}

/// Lets the scripts that pip makes name the interpreter where it will be: they begin with its whole path.
fn name_finally(unfinished: &Path, folder: &Path) -> Result<()> {
    let Ok(scripts) = std::fs::read_dir(unfinished.join("bin")) else { return Ok(()) };
    let (from, to) = (unfinished.to_string_lossy(), folder.to_string_lossy());
    for script in scripts {
        let script = script?.path();
        let is_link = script.is_symlink();
        // What is no text is no script.
        let Some(text) = std::fs::read_to_string(&script).ok().filter(|_| !is_link) else {
            continue;
        };
        if text.contains(&*from) {
            std::fs::write(&script, text.replace(&*from, &to))
                .with_context(|| format!("failed to write `{}`", script.display()))?;
        }
    }
    Ok(())
}

async fn make_in(recipe: &Recipe, folder: &Path) -> Result<()> {
    for (name, content) in recipe.files {
        std::fs::write(folder.join(name), content)
            .with_context(|| format!("failed to write `{name}`"))?;
    }
    if let Some(packages) = recipe.packages() {
        debian::unpack(packages, folder).await?;
    }
    for mut command in recipe.commands(folder) {
        run::quietly(command.current_dir(folder)).await?;
    }
    ensure!(folder.join(&recipe.product).exists(), "`{}` was not made", recipe.product);
    Ok(())
}

/// What a system has anyway: kcat, which everybody has in the one version that is still made.
fn on_path(tool: Tool) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH").filter(|_| tool == Tool::Kcat)?;
    std::env::split_paths(&folders).map(|folder| folder.join("kcat")).find(|path| path.is_file())
}

fn cache() -> Result<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let own = folder("PLUVIO_E2E_CACHE");
    let users = || folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")));
    let cache = own.or_else(|| Some(users()?.join("pluvio-e2e")));
    cache.context("no cache folder: set PLUVIO_E2E_CACHE, XDG_CACHE_HOME or HOME")
}
