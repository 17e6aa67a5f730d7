//! What was typed into a form, kept as it was typed, and what is wrong with it: a form never loses what was typed.

use std::borrow::Borrow;

use admission::Millis;
use axum::{
    Form,
    extract::{FromRequest, Request},
};
use unicode_normalization::UnicodeNormalization as _;

use super::{Frame, frame::zone, local_time};
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

    /// The amount in `field` in cents, typed in yuan with at most two decimals; nothing is nought. `None` when it is no
    /// such amount.
    pub(crate) fn cents(&self, field: &str) -> Option<i64> {
        let typed: String = self.value(field).nfkc().filter(|c| !c.is_whitespace()).collect();
        let (yuan, rest) = typed.split_once('.').unwrap_or((&typed, ""));
        let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
        if rest.len() > 2 || !digits(yuan) || !digits(rest) {
            return None;
        }
        format!("{}{rest:0<2}", if yuan.is_empty() { "0" } else { yuan }).parse().ok()
    }

    /// The moment in `field`, as a browser's field of date and time holds it, on the clocks of `time_zone`.
    pub(crate) fn moment(&self, field: &str, time_zone: &str) -> Option<Millis> {
        local_time::read(self.value(field), &zone(time_zone))
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

/// An amount in yuan, without decimals that say nothing: 18, 18.50.
pub(crate) fn yuan(cents: impl Borrow<i64>) -> String {
    let cents: i64 = *cents.borrow();
    let (sign, cents) = (if cents < 0 { "-" } else { "" }, cents.unsigned_abs());
    match (cents / 100, cents % 100) {
        (yuan, 0) => format!("{sign}{yuan}"),
        (yuan, rest) => format!("{sign}{yuan}.{rest:02}"),
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
    fn an_amount_is_read_in_yuan_and_written_as_it_was_typed() {
        for (text, cents) in [
            ("18", Some(1_800)),
            ("１８．５", Some(1_850)),
            ("0.05", Some(5)),
            ("", Some(0)),
            ("1.234", None),
            ("-3", None),
            ("十元", None),
        ] {
            assert_eq!(Typed::of([("cents", text.to_owned())]).cents("cents"), cents, "{text}");
        }
        for (cents, text) in [(0, "0"), (1_800, "18"), (1_805, "18.05"), (-50, "-0.50")] {
            assert_eq!(yuan(cents), text);
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
