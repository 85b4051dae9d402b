//! Targets, and the steps that lead to them.

use std::fmt;
use std::str::FromStr;

use super::MigrationError;
use super::header::Header;
use super::history::Applied;
use super::set::{Revision, Set, number};

/// The revision that a database shall have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The newest revision.
    Head,
    /// The empty database.
    Base,
    /// A number of steps; negative ones go down.
    Relative(i64),
    /// A revision, by name or number.
    Revision(String),
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is no revision: use head, base, +1, -2, a number such as 0003, or a name such as 0003_books"
            )
        };
        match text {
            "head" => Ok(Self::Head),
            "base" => Ok(Self::Base),
            _ if text.starts_with(['+', '-']) => text.parse().map(Self::Relative).map_err(|_| wrong()),
            _ if number(text) > 0 => Ok(Self::Revision(text.to_owned())),
            _ => Err(wrong()),
        }
    }
}

/// The directions that a command allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Up only.
    Up,
    /// Down only.
    Down,
    /// The direction that leads to the target.
    Either,
}

/// One migration to apply or to undo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Applies a migration.
    Up(Revision),
    /// Undoes a migration with the down file of this binary, or with the recorded one if this binary does not know it.
    Down {
        /// The record to delete.
        applied: Applied,
        /// The down file.
        sql: String,
    },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up(revision) => write!(f, "up {revision}"),
            Self::Down { applied, .. } => write!(f, "down {}", applied.id()),
        }
    }
}

/// Returns the steps from the applied migrations to the target.
///
/// # Errors
/// The target does not exist or lies in the other direction, or one of the steps is not allowed.
pub fn plan(
    set: &Set,
    applied: &[Applied],
    direction: Direction,
    target: &Target,
) -> Result<Vec<Step>, MigrationError> {
    let pending: Vec<_> = set.revisions().iter().filter(|r| !applied.iter().any(|row| row.id() == r.id)).collect();
    let back = |kept: usize| -> Result<Vec<Step>, MigrationError> {
        applied[kept..].iter().rev().map(|row| undo(set, row)).collect()
    };
    let forward = |steps: Vec<&Revision>| -> Result<Vec<Step>, MigrationError> {
        may_apply(set, applied, !steps.is_empty())?;
        Ok(steps.into_iter().cloned().map(Step::Up).collect())
    };
    let out_of_reach = || {
        let (pending, applied) = (pending.len(), applied.len());
        MigrationError::Target(format!("that is too far: {applied} are applied, {pending} are pending"))
    };
    let steps = |count: &i64| usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);

    let (way, found) = match target {
        Target::Head => {
            one_head(set)?;
            (Direction::Up, forward(pending)?)
        }
        Target::Base => (Direction::Down, back(0)?),
        Target::Relative(count) if *count >= 0 => {
            one_head(set)?;
            (Direction::Up, forward(pending.get(..steps(count)).ok_or_else(out_of_reach)?.to_vec())?)
        }
        Target::Relative(count) => {
            let kept = applied.len().checked_sub(steps(count)).ok_or_else(out_of_reach)?;
            (Direction::Down, back(kept)?)
        }
        Target::Revision(name) => {
            let id = resolve(set, applied, name)?;
            match applied.iter().position(|row| row.id() == id) {
                Some(index) => (Direction::Down, back(index + 1)?),
                None => {
                    let needed = pending.into_iter().filter(|revision| set.needs(&id, &revision.id)).collect();
                    (Direction::Up, forward(needed)?)
                }
            }
        }
    };
    if direction == Direction::Either || direction == way || found.is_empty() {
        return Ok(found);
    }
    let other = if direction == Direction::Up { "down" } else { "up" };
    Err(MigrationError::Target(format!("the target lies the other way: use `migrate {other}` or `migrate to`")))
}

/// Finds the one revision of this name or number.
fn resolve(set: &Set, applied: &[Applied], name: &str) -> Result<String, MigrationError> {
    let mut known: Vec<String> = set.revisions().iter().map(|revision| revision.id.clone()).collect();
    known.extend(applied.iter().map(Applied::id).filter(|id| set.find(id).is_none()));
    let is_number = name.bytes().all(|byte| byte.is_ascii_digit());
    let means = |id: &&String| if is_number { number(id) == number(name) } else { **id == name };
    let found: Vec<_> = known.iter().filter(means).collect();
    match found[..] {
        [id] => Ok(id.clone()),
        [] => {
            let ends = [known.first(), known.last()].into_iter().flatten().cloned().collect::<Vec<_>>().join(" … ");
            Err(MigrationError::Target(format!("there is no revision {name}: known are {ends}; see `migrate history`")))
        }
        _ => {
            let names = found.into_iter().cloned().collect::<Vec<_>>().join(", ");
            Err(MigrationError::Target(format!("{name} may be {names}: give the whole name")))
        }
    }
}

fn one_head(set: &Set) -> Result<(), MigrationError> {
    let heads = set.heads();
    if heads.len() < 2 {
        return Ok(());
    }
    let names: Vec<_> = heads.into_iter().map(|head| (head.id.clone(), head.header.parents.join(", "))).collect();
    Err(MigrationError::Heads(names))
}

/// Rejects to apply anything after a migration that is unknown or was edited.
fn may_apply(set: &Set, applied: &[Applied], something: bool) -> Result<(), MigrationError> {
    for row in applied {
        match set.find(&row.id()) {
            Some(known) if known.checksum != row.checksum => return Err(MigrationError::Edited(known.id.clone())),
            Some(_) => {}
            None if something || !row.suits(set) => {
                let newest = applied.iter().map(Applied::id).rfind(|id| set.find(id).is_some());
                return Err(MigrationError::Newer { id: row.id(), newest });
            }
            None => {}
        }
    }
    Ok(())
}

fn undo(set: &Set, row: &Applied) -> Result<Step, MigrationError> {
    let id = row.id();
    let known = set.find(&id).filter(|known| known.checksum == row.checksum).map(|known| known.down.as_str());
    let Some(sql) = known.or(row.down()) else {
        let text = format!("cannot undo {id}: this binary does not know it, and the database has not kept how");
        return Err(MigrationError::Target(text));
    };
    if let Ok((Header { irreversible: Some(reason), .. }, _)) = Header::split(sql) {
        return Err(MigrationError::Target(format!("{id} cannot be undone: {reason}; nothing was changed")));
    }
    Ok(Step::Down { applied: row.clone(), sql: sql.to_owned() })
}
