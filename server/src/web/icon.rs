//! The pictograms of `assets/icons.svg`, for templates.

use std::fmt;

use super::{Frame, asset};

/// A pictogram. It says nothing that the words beside it do not say.
#[derive(Clone, Copy, Debug)]
pub struct Icon(&'static str);

impl Frame {
    /// The pictogram of that name.
    #[must_use]
    pub const fn icon(&self, name: &'static str) -> Icon {
        Icon(name)
    }
}

impl fmt::Display for Icon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sheet = asset("icons.svg");
        write!(
            f,
            r##"<svg class="icon" aria-hidden="true"><use href="{sheet}#{}"/></svg>"##,
            self.0
        )
    }
}

// Its name is a constant of ours, so nothing in it needs escaping.
impl askama::filters::HtmlSafe for Icon {}

#[cfg(test)]
mod tests {
    /// Every pictogram that a template asks for is on the sheet.
    #[test]
    fn templates_ask_for_pictograms_that_exist() {
        let sheet = include_str!("../../assets/icons.svg");
        let mut folders =
            vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("the source folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|kind| kind == "html") {
                    let text = std::fs::read_to_string(&path).expect("a template");
                    for asked in text.split("frame.icon(\"").skip(1) {
                        let name = asked.split('"').next().unwrap_or_default();
                        assert!(
                            sheet.contains(&format!("id=\"{name}\"")),
                            "{name} in {}",
                            path.display()
                        );
                    }
                }
            }
        }
    }
}
