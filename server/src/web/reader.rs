//! What the page frame asks about its reader.

use admission::say::Lang;

use super::{
    Frame,
    access::{Access, Caller, Role},
};

impl Frame {
    /// Whichever sentence is in the reader's language.
    #[must_use]
    pub fn say(&self, zh: String, en: String) -> String {
        match self.lang {
            Lang::Zh => zh,
            Lang::En => en,
        }
    }

    /// Who invites: shown in the header and at the foot of each page.
    #[must_use]
    pub const fn host(&self) -> &'static str {
        self.lang.pick("王佐镇总工会", "Wangzuo Unions")
    }

    /// The reader's start page.
    #[must_use]
    pub const fn home(&self) -> &'static str {
        match &self.caller {
            Caller::Staff(staff) if matches!(staff.role, Role::Exhibitor) => "/stand",
            Caller::Staff(staff) if matches!(staff.role, Role::Venue) => "/venue",
            Caller::Staff(_) => "/admin",
            _ => "/",
        }
    }

    /// An employer's agent at a fair.
    #[must_use]
    pub const fn is_exhibitor(&self) -> bool {
        matches!(&self.caller, Caller::Staff(staff) if matches!(staff.role, Role::Exhibitor))
    }

    /// Somebody who redeems at a partner venue.
    #[must_use]
    pub const fn is_venue(&self) -> bool {
        matches!(&self.caller, Caller::Staff(staff) if matches!(staff.role, Role::Venue))
    }

    /// A signed-in member or guest.
    #[must_use]
    pub const fn is_person(&self) -> bool {
        matches!(self.caller, Caller::Person(_))
    }

    /// A signed-in person who is on no roster.
    #[must_use]
    pub fn is_guest(&self) -> bool {
        matches!(&self.caller, Caller::Person(person) if !person.member)
    }

    /// A signed-in member of staff.
    #[must_use]
    pub const fn is_staff(&self) -> bool {
        matches!(self.caller, Caller::Staff(_))
    }

    /// Staff who may change events.
    #[must_use]
    pub fn is_organizer(&self) -> bool {
        Access::Organizer.admits(&self.caller)
    }

    /// Whether the page is at `path` or below it.
    #[must_use]
    pub fn is_at(&self, path: &str) -> bool {
        self.path
            .strip_prefix(path)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
    }
}
