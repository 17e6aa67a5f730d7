//! A file that was read: what it would do, and doing it, in one transaction.

use std::collections::HashMap;

use admission::Millis;

use super::headings::Kind;
use super::listing::{Line, Listing, ListingError};
use super::members::MemberChange;
use super::organisations::EnterpriseChange;
use super::rows::{self, MemberRow, OrganisationRow, Rules};
use super::text::name_key;
use super::verdict::{Accepted, Judged, Report, ReportLine};
use super::{members, organisations, store};
use crate::db::{Db, Tx};

/// A file that was read. Holds no card or ID number, only fingerprints.
#[derive(Clone, Debug)]
pub struct Batch {
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    Organisations(Listing<OrganisationRow>),
    Members(Listing<MemberRow>),
}

impl Batch {
    /// Reads a file of this kind.
    ///
    /// # Errors
    /// When the file as a whole is of no use.
    pub fn read(kind: Kind, bytes: &[u8], rules: &Rules<'_>) -> Result<Self, ListingError> {
        let content = match kind {
            Kind::Organisations => Content::Organisations(rows::organisations(bytes, rules)?),
            Kind::Members => Content::Members(rows::members(bytes, rules)?),
        };
        Ok(Self { content })
    }

    /// What it lists.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self.content {
            Content::Organisations(_) => Kind::Organisations,
            Content::Members(_) => Kind::Members,
        }
    }

    /// How many rows it has.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.content {
            Content::Organisations(listing) => listing.lines.len(),
            Content::Members(listing) => listing.lines.len(),
        }
    }

    /// Never: a file without rows is not read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the import would do now; writes nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn preview(&self, db: &Db, accepted: &Accepted) -> sqlx::Result<Report> {
        let mut tx = db.read().await?;
        Ok(self.plan(&mut tx, accepted).await?.report)
    }

    /// Does it: judges again inside the caller's transaction, writes every row that is new or changed, and leaves
    /// out conflicts and errors. `progress` hears how many rows are done.
    ///
    /// # Errors
    /// When the database fails; the caller's transaction is not committed then.
    pub async fn carry_out(
        &self,
        tx: &mut Tx,
        accepted: &Accepted,
        now: Millis,
        progress: impl Fn(usize),
    ) -> sqlx::Result<Report> {
        let plan = self.plan(tx, accepted).await?;
        match plan.changes {
            Changes::Organisations { changes, union_ids } => {
                write_organisations(tx, changes, union_ids, &plan.report, now, progress).await?;
            }
            Changes::Members(changes) => write_members(tx, changes, now, progress).await?,
        }
        Ok(plan.report)
    }

    async fn plan(&self, tx: &mut Tx, accepted: &Accepted) -> sqlx::Result<Plan> {
        match &self.content {
            Content::Organisations(listing) => {
                let known = store::organisations(tx).await?;
                let judged = organisations::judge(&listing.lines, &known, accepted);
                let new_unions = organisations::new_unions(&judged, &known);
                let (report, changes) = report(listing, judged);
                let changes = Changes::Organisations { changes, union_ids: known.union_ids() };
                Ok(Plan { report: Report { new_unions, ..report }, changes })
            }
            Content::Members(listing) => {
                let roster = store::roster(tx).await?;
                let judged = members::judge(&listing.lines, &roster, accepted);
                let (report, changes) = report(listing, judged);
                Ok(Plan { report, changes: Changes::Members(changes) })
            }
        }
    }
}

struct Plan {
    report: Report,
    changes: Changes,
}

/// What is to be written, by row (`None` for rows that write nothing).
enum Changes {
    Organisations {
        changes: Vec<Option<EnterpriseChange>>,
        /// Ids of known unions by name key.
        union_ids: HashMap<String, String>,
    },
    Members(Vec<Option<MemberChange>>),
}

fn report<R, C>(listing: &Listing<R>, judged: Vec<Judged<C>>) -> (Report, Vec<Option<C>>) {
    let (lines, changes) = listing
        .lines
        .iter()
        .zip(judged)
        .map(|(Line { place, label, .. }, Judged { verdict, faults, change })| {
            let (place, label) = (place.clone(), label.clone());
            (ReportLine { place, label, verdict, faults }, change)
        })
        .unzip();
    let report = Report {
        lines,
        new_unions: Vec::new(),
        ignored_columns: listing.ignored_columns.clone(),
        ignored_sheets: listing.ignored_sheets.clone(),
    };
    (report, changes)
}

async fn write_organisations(
    tx: &mut Tx,
    changes: Vec<Option<EnterpriseChange>>,
    mut union_ids: HashMap<String, String>,
    report: &Report,
    now: Millis,
    progress: impl Fn(usize),
) -> sqlx::Result<()> {
    for name in &report.new_unions {
        union_ids.insert(name_key(name), store::add_union(tx, name, now).await?);
    }
    for (at, change) in changes.into_iter().enumerate() {
        if let Some(change) = change {
            let union_id = change.union.as_deref().and_then(|name| union_ids.get(&name_key(name)));
            store::put_enterprise(tx, &change, union_id.map(String::as_str), now).await?;
        }
        progress(at + 1);
    }
    Ok(())
}

async fn write_members(
    tx: &mut Tx,
    changes: Vec<Option<MemberChange>>,
    now: Millis,
    progress: impl Fn(usize),
) -> sqlx::Result<()> {
    let card_changes = changes.iter().flatten().map(MemberChange::card_changes).sum();
    let first = match card_changes {
        0 => 0,
        count => store::take_revisions(tx, count).await?,
    };
    let mut revisions = first..;
    for (at, change) in changes.into_iter().enumerate() {
        if let Some(change) = change {
            store::put_member(tx, &change, &mut revisions, now).await?;
        }
        progress(at + 1);
    }
    Ok(())
}
