//! What no compiler checks: SQL that would run on one engine only, and files without a word on what they are for.

use std::{
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.ends_with("target") {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|extension| extension == ending) {
            found.push(path);
        }
    }
    found
}

#[test]
fn server_sql_keeps_to_what_both_engines_understand() {
    const ONE_ENGINE_ONLY: [&str; 9] = [
        "for update",
        "now()",
        "ilike",
        "insert or ",
        "::text",
        "::bigint",
        "any(",
        "autoincrement",
        "serial primary",
    ];
    let mut texts = files(&root().join("server/src"), "rs");
    texts.extend(
        fs::read_dir(root().join("migrations"))
            .expect("migrations")
            .flatten()
            .map(|file| file.path()),
    );
    for file in texts.iter().filter(|path| path.is_file()) {
        // db is the one folder that knows there are two databases.
        if file.parent().is_some_and(|folder| folder.ends_with("server/src/db")) {
            continue;
        }
        let text = fs::read_to_string(file).expect("readable");
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let is_sql =
                code.contains('"') || file.extension().is_some_and(|ending| ending == "sql");
            let sql_word = ["select ", "insert ", "update ", "delete ", "where ", "create "];
            if is_sql && sql_word.iter().any(|word| code.contains(word)) {
                for bad in ONE_ENGINE_ONLY {
                    assert!(
                        !code.contains(bad),
                        "{}:{}: `{bad}` runs on one engine only",
                        file.display(),
                        number + 1
                    );
                }
            }
        }
    }
}

/// WeChat on an old phone brings a browser of its own, of about Chrome 70. A word that it does not know is not an error
/// of one line: the whole module does not run.
#[test]
fn scripts_of_pages_run_in_old_browsers() {
    // What each of them came with: Chrome 71 to 92.
    const TOO_NEW: [&str; 17] = [
        "?.",
        "??",
        "||=",
        "&&=",
        "replaceChildren",
        "allSettled",
        "Promise.any",
        "globalThis",
        ".matchAll(",
        "fromEntries",
        "replaceAll(",
        ".at(",
        "structuredClone",
        "import(",
        "static ",
        "catch {",
        "WeakRef",
    ];
    let scripts = files(&root().join("server/assets"), "js");
    assert!(!scripts.is_empty());
    for file in scripts {
        let text = fs::read_to_string(&file).expect("readable");
        for (number, line) in text.lines().enumerate() {
            let place = format!("{}:{}", file.display(), number + 1);
            let code = line.split("// ").next().unwrap_or_default();
            for word in TOO_NEW {
                // Chrome 66 knows a catch without a name; WeChat's iOS twin of that time does not.
                assert!(!code.contains(word), "{place}: `{word}` is too new");
            }
            let top_level_await = code.starts_with("await ")
                || code.starts_with("const") && code.contains("= await ");
            assert!(!top_level_await, "{place}: await outside a function is too new");
            let digits =
                |side: Option<&str>| side.is_some_and(|c| c.chars().all(|c| c.is_ascii_digit()));
            let parted = code.match_indices('_').any(|(at, _)| {
                at > 0 && digits(code.get(at - 1..at)) && digits(code.get(at + 1..at + 2))
            });
            assert!(!parted, "{place}: a parted number is too new");
        }
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    for part in ["admission", "qr", "server", "kiosk", "tests"] {
        for file in files(&root().join(part), "rs") {
            let text = fs::read_to_string(&file).expect("readable");
            assert!(text.starts_with("//!"), "{} does not open with //!", file.display());
        }
    }
}

#[test]
fn the_project_depends_on_nothing_beside_it() {
    let here = concat!("/sha", "red/");
    for ending in ["rs", "toml", "sh", "html", "css", "js", "yml"] {
        for file in files(&root(), ending) {
            let text = fs::read_to_string(&file).unwrap_or_default();
            assert!(!text.contains(here), "{} names a folder outside the project", file.display());
        }
    }
}
