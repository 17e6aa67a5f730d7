//! Forms of pages, as a browser sends them.

/// What the form of a page would send as it stands.
pub(crate) fn typed(page: &str) -> Vec<(String, String)> {
    let attribute = |tag: &str, name: &str| {
        let start = tag.find(&format!(" {name}=\""))? + name.len() + 3;
        Some(tag[start..].split('"').next()?.to_owned())
    };
    let mut form = Vec::new();
    for tag in page.split('<').filter_map(|tag| tag.strip_prefix("input")) {
        let kind = attribute(tag, "type").unwrap_or_default();
        let off = matches!(kind.as_str(), "checkbox" | "radio") && !tag.contains(" checked");
        if let Some(name) = attribute(tag, "name").filter(|_| !off) {
            form.push((name, attribute(tag, "value").unwrap_or_default()));
        }
    }
    for select in page.split("<select").skip(1) {
        let select = select.split("</select>").next().unwrap_or_default();
        let chosen = select.split("<option").skip(1).find(|option| option.contains(" selected"));
        if let (Some(name), Some(option)) = (attribute(select, "name"), chosen) {
            form.push((name, attribute(option, "value").unwrap_or_default()));
        }
    }
    form
}
