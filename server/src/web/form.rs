//! What was typed into a form, kept as it was typed, and what is wrong with it: a form never loses what was typed.

use axum::{
    Form,
    extract::{FromRequest, Request},
};
use unicode_normalization::UnicodeNormalization as _;

use super::Frame;
use crate::{
    App,
    error::{Error, Refused, Result},
};

/// The fields of a form, and the faults found in them. Templates call it `form`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Typed {
    fields: Vec<(String, String)>,
    faults: Vec<Fault>,
}

#[derive(Clone, Debug)]
struct Fault {
    field: String,
    refused: Refused,
}

impl Typed {
    /// A form with these values in it.
    pub(crate) fn of<const N: usize>(fields: [(&str, String); N]) -> Self {
        let fields = fields.map(|(field, value)| (field.to_owned(), value)).into();
        Self { fields, faults: Vec::new() }
    }

    /// Adds a value; a field may have several.
    pub(crate) fn add(&mut self, field: &str, value: String) {
        self.fields.push((field.to_owned(), value));
    }

    /// What was typed into `field`; empty when it was not sent.
    pub(crate) fn value(&self, field: &str) -> &str {
        self.values(field).next().unwrap_or_default()
    }

    /// Everything that was chosen in `field`.
    pub(crate) fn values(&self, field: &str) -> impl Iterator<Item = &str> {
        self.fields.iter().filter(move |(name, _)| name == field).map(|(_, value)| value.as_str())
    }

    /// The fields whose names begin with `prefix`: the rest of the name, and the value.
    pub(crate) fn beginning(&self, prefix: &str) -> impl Iterator<Item = (&str, &str)> {
        let rest = move |(name, value)| Some((str::strip_prefix(name, prefix)?, value));
        self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).filter_map(rest)
    }

    /// Whether `value` was chosen in `field`.
    pub(crate) fn has(&self, field: &str, value: &str) -> bool {
        self.values(field).any(|chosen| chosen == value)
    }

    /// The whole number in `field`, in whatever width of digits. `None` when it is no such number.
    pub(crate) fn number(&self, field: &str) -> Option<i64> {
        let half: String = self.value(field).nfkc().filter(|c| !c.is_whitespace()).collect();
        half.parse().ok()
    }

    /// Notes a fault of `field`. The first one of a field is shown.
    pub(crate) fn blame(&mut self, field: &str, refused: Refused) {
        if self.fault(field).is_none() {
            self.faults.push(Fault { field: field.to_owned(), refused });
        }
    }

    /// What is wrong with `field`.
    pub(crate) fn fault(&self, field: &str) -> Option<&Refused> {
        self.faults.iter().find(|fault| fault.field == field).map(|fault| &fault.refused)
    }

    /// Whether nothing is wrong.
    pub(crate) fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }

    /// How much is to be corrected, for templates.
    pub(crate) fn summary(&self, frame: &Frame) -> String {
        let count = self.faults.len();
        frame.say(
            format!("有 {count} 处要改，还没有保存。"),
            format!("{count} to correct; nothing was saved yet."),
        )
    }

    /// The sentence about `field` in the reader's language, for templates.
    pub(crate) fn said<'a>(&'a self, frame: &Frame, field: &str) -> Option<&'a str> {
        Some(self.fault(field)?.text(frame.lang))
    }
}

impl FromRequest<App> for Typed {
    type Rejection = Error;

    async fn from_request(request: Request, app: &App) -> Result<Self> {
        let Form(fields) = Form::from_request(request, app).await.map_err(|_| {
            Error::invalid(
                "form",
                "表单内容无法识别，请返回上一页再试一次。",
                "The form could not be read. Please go back and try again.",
            )
        })?;
        Ok(Self { fields, faults: Vec::new() })
    }
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use super::*;

    #[test]
    fn numbers_are_read_as_people_type_them() {
        for (text, number) in [
            ("52", Some(52)),
            (" ５２ ", Some(52)),
            ("1 000", Some(1000)),
            ("", None),
            ("五十", None),
        ] {
            assert_eq!(Typed::of([("quota", text.to_owned())]).number("quota"), number, "{text}");
        }
    }

    #[test]
    fn a_field_shows_its_first_fault_only() {
        let refused = |code| Refused::new(StatusCode::UNPROCESSABLE_ENTITY, code, "", "");
        let mut form = Typed::of([("union", "a".to_owned())]);
        form.add("union", "b".to_owned());
        form.blame("union", refused("first"));
        form.blame("union", refused("second"));
        assert!(form.has("union", "b") && !form.has("union", "c"));
        assert_eq!(form.fault("union").map(|refused| refused.code), Some("first"));
    }
}
