//! One file per class.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use csv::Writer;
use serde::Serialize;
use store::UnreadableRow;

use super::compare::{Class, Finding};
use super::entry::Money;
use super::export::BadLine;
use super::standing::Standing;
use crate::escape::cell;
use crate::failure::Failure;
use crate::sums::Sums;

/// Where the files are.
#[derive(Clone, Copy)]
pub(crate) enum Place<'a> {
    /// In a directory, each under the name of its class.
    Directory(&'a Path),
    /// In the temporary directory, without names: they are gone when nothing holds them.
    Nameless,
}

/// A file, and how many lines are in it.
pub(crate) struct Listing {
    class: &'static str,
    /// Whether a line in it is a difference.
    differs: bool,
    path: PathBuf,
    writer: Writer<File>,
    count: u64,
    there: Sums,
    here: Sums,
}

/// All files.
pub(crate) struct Files {
    classes: Vec<Listing>,
    bad_lines: Listing,
    bad_rows: Listing,
    ignored: Listing,
}

/// The summary of a file.
#[derive(Serialize)]
pub(crate) struct Total {
    pub(crate) class: &'static str,
    pub(crate) count: u64,
    pub(crate) differs: bool,
    /// What its lines add up to, as the export has them.
    pub(crate) there: Sums,
    /// The same, as the table has them.
    pub(crate) here: Sums,
    pub(crate) file: PathBuf,
    #[serde(skip)]
    pub(crate) content: File,
}

impl Files {
    /// Makes the directory and all files with their heads; what they had in them before is gone.
    pub(crate) fn create(place: Place<'_>) -> Result<Self, Failure> {
        if let Place::Directory(directory) = place {
            fs::create_dir_all(directory)
                .map_err(|error| Failure::Usage(format!("--out {}: {error}", directory.display())))?;
        }
        let heads = ["id", "line", "amount_there", "currency_there", "status_there", "amount_here", "currency_here"];
        let heads = [heads.as_slice(), &["state_here", "remark"]].concat();
        let class = |class: Class| {
            let differs = !matches!(class, Class::Matched | Class::ByHand);
            Listing::create(place, class.as_str(), differs, &heads)
        };
        Ok(Self {
            classes: Class::ALL.into_iter().map(class).collect::<Result<_, _>>()?,
            bad_lines: Listing::create(place, "bad_lines", true, &["line", "column", "reason"])?,
            bad_rows: Listing::create(place, "bad_rows", true, &["id", "reason"])?,
            ignored: Listing::create(place, "ignored", false, &["line", "reason"])?,
        })
    }

    pub(crate) fn bad_line(&mut self, bad: &BadLine) -> Result<(), Failure> {
        self.bad_lines.write(&[&bad.line.to_string(), &bad.column, &bad.reason])
    }

    pub(crate) fn bad_row(&mut self, bad: &UnreadableRow) -> Result<(), Failure> {
        self.bad_rows.write(&[&bad.key, &bad.reason])
    }

    pub(crate) fn ignored(&mut self, line: u64, reason: &str) -> Result<(), Failure> {
        self.ignored.write(&[&line.to_string(), reason])
    }

    pub(crate) fn finding(&mut self, finding: Finding<'_>) -> Result<(), Failure> {
        let Finding { class, key, ours, theirs, remark } = finding;
        let line = theirs.map(|it| it.line.to_string()).unwrap_or_default();
        let status = theirs.map_or("", |it| status(it.standing));
        let state = ours.map_or("", |it| it.state.as_str());
        let (theirs, ours) = (theirs.map(|it| &it.money), ours.map(|it| &it.money));
        let Some(listing) = self.classes.iter_mut().find(|it| it.class == class.as_str()) else { return Ok(()) };
        for (sums, money) in [(&mut listing.there, theirs), (&mut listing.here, ours)] {
            if let Some(Money { amount, currency_code }) = money {
                sums.add(currency_code, *amount);
            }
        }
        let (theirs, ours) = (money(theirs), money(ours));
        listing.write(&[key, &line, &theirs[0], &theirs[1], status, &ours[0], &ours[1], state, remark])
    }

    /// Ends all files.
    pub(crate) fn finish(self) -> Result<Vec<Total>, Failure> {
        self.classes.into_iter().chain([self.bad_lines, self.bad_rows, self.ignored]).map(Listing::finish).collect()
    }
}

fn money(money: Option<&Money>) -> [String; 2] {
    money.map(|it| [it.amount.to_string(), it.currency_code.to_string()]).unwrap_or_default()
}

fn status(standing: Standing) -> &'static str {
    match standing {
        Standing::Success => "success",
        Standing::Fail => "fail",
        Standing::Other => "other",
    }
}

impl Listing {
    fn create(place: Place<'_>, class: &'static str, differs: bool, heads: &[&str]) -> Result<Self, Failure> {
        let name = format!("{class}.csv");
        let (path, file) = match place {
            Place::Directory(directory) => {
                let path = directory.join(name);
                let file = File::create(&path);
                (path, file)
            }
            Place::Nameless => (name.into(), tempfile::tempfile()),
        };
        let writer = Writer::from_writer(file.map_err(|error| unwritten(&path, &error))?);
        let mut listing =
            Self { class, differs, path, writer, count: 0, there: Sums::default(), here: Sums::default() };
        listing.record(heads)?;
        Ok(listing)
    }

    fn write(&mut self, cells: &[&str]) -> Result<(), Failure> {
        self.count = self.count.saturating_add(1);
        self.record(cells)
    }

    fn record(&mut self, cells: &[&str]) -> Result<(), Failure> {
        self.writer.write_record(cells.iter().map(|text| cell(text))).map_err(|error| unwritten(&self.path, &error))
    }

    fn finish(self) -> Result<Total, Failure> {
        let Self { class, differs, path, writer, count, there, here } = self;
        let content = writer.into_inner().map_err(|error| unwritten(&path, error.error()))?;
        Ok(Total { class, count, differs, there, here, file: path, content })
    }
}

fn unwritten(path: &Path, error: &impl ToString) -> Failure {
    Failure::Usage(format!("{}: {}", path.display(), error.to_string()))
}
