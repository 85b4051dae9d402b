//! Permissions: the registry of those that operations demand, and the one statement that decides.
//!
//! A permission is a row that admins grant and take away while the server runs. An operation demands a permission by its
//! type, which a resource declares with [`permissions!`](crate::permissions); the migration inserts a row for each.

use sea_query::{Alias, Expr, ExprTrait, Func, LockType, Query, SelectStatement, UnionType};

use crate::auth::tables::{Grants, Memberships, Permissions};
use crate::db::{Conn, DbResult};
use crate::declared::{List, declared_enum};

/// A permission of the registry, as a type: `Needs<CanEditPost>`.
pub trait Permission: Send + Sync + 'static {
    /// Its entry in the registry.
    const ENTRY: &'static Entry;
}

/// A permission of the registry.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    /// On the wire, in the database, and as a scope of the document.
    pub name: &'static str,
    /// The table whose rows it may be granted on; `None` if it is always general.
    pub target: Option<Target>,
    /// What its holder may do.
    pub description: &'static str,
}

/// Declares permissions that operations demand, each as a type: `CanEditGroup = "can_edit_group" on Some(GROUPS), "…";`. Also
/// makes the list `PERMISSIONS` for the declaration of the resource. Each permission needs a row:
/// `cargo xtask migrate new MESSAGE --auto` writes the migration that inserts it.
#[macro_export]
macro_rules! permissions {
    ($($permission:ident = $name:literal on $target:expr, $description:literal;)*) => {
        $(
            #[doc = $description]
            pub struct $permission;

            impl $crate::auth::permission::Permission for $permission {
                const ENTRY: &'static $crate::auth::permission::Entry = &$crate::auth::permission::Entry {
                    name: $name,
                    target: $target,
                    description: $description,
                };
            }
        )*

        /// The permissions that operations of the resource demand.
        pub const PERMISSIONS: &[&$crate::auth::permission::Entry] =
            &[$(<$permission as $crate::auth::permission::Permission>::ENTRY),*];
    };
}

static REGISTRY: List<&'static Entry> = List::new();
static OPEN: List<&'static Entry> = List::new();
static TARGETS: List<Target> = List::new();
static EXAMPLE: List<&'static Entry> = List::new();

/// Completes the lists of all permissions and of the tables that they are granted on.
pub(crate) fn complete(
    demanded: Vec<&'static Entry>,
    open: Vec<&'static Entry>,
    targets: Vec<Target>,
    example: &'static Entry,
) {
    let sorted = |mut entries: Vec<&'static Entry>| {
        entries.sort_by_key(|entry| entry.name);
        entries
    };
    REGISTRY.complete(sorted(demanded));
    OPEN.complete(sorted(open));
    TARGETS.complete(targets);
    EXAMPLE.complete(vec![example]);
}

/// The permission that stands as an example in the document.
pub fn example() -> &'static Entry {
    EXAMPLE.get()[0]
}

/// The tables whose rows permissions are granted on.
pub fn targets() -> &'static [Target] {
    TARGETS.get()
}

/// Every permission that an operation demands, by name.
pub fn registry() -> &'static [&'static Entry] {
    REGISTRY.get()
}

/// The permissions that complete the four of a table (create, read, edit, delete) and that no operation demands, because
/// every account may. A resource that closes such an operation moves the entry to its `permissions!`.
pub fn open() -> &'static [&'static Entry] {
    OPEN.get()
}

/// All rows that the migrations insert.
pub fn catalogue() -> impl Iterator<Item = &'static Entry> {
    registry().iter().chain(open()).copied()
}

/// A table whose rows a permission may be granted on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Target {
    name: &'static str,
    table: &'static str,
    id: &'static str,
}

declared_enum! {
    /// A table whose rows a permission may be granted on
    Target in TARGETS
}

impl Target {
    /// Accounts.
    pub const USERS: Self = Self::new("users", "users", "id");
    /// Groups.
    pub const GROUPS: Self = Self::new("groups", "groups", "id");

    /// A target: its name on the wire, the table that has its objects, and the column that identifies them.
    pub const fn new(name: &'static str, table: &'static str, id: &'static str) -> Self {
        Self { name, table, id }
    }

    /// The table that has its objects.
    pub const fn table(self) -> &'static str {
        self.table
    }

    /// Returns whether the table has a row of this id. In a transaction the row stays until its end.
    ///
    /// # Errors
    /// 503 when the database is away.
    pub async fn has(self, conn: &mut Conn, id: i64) -> DbResult<bool> {
        let column = Alias::new(self.id);
        let statement = Query::select()
            .column(column.clone())
            .from(Alias::new(self.table))
            .and_where(Expr::col(column).eq(id))
            .lock(LockType::KeyShare)
            .take();
        Ok(conn.maybe::<(i64,)>(&statement).await?.is_some())
    }
}

/// The entry of this name.
pub fn find(name: &str) -> Option<&'static Entry> {
    registry().iter().find(|entry| entry.name == name).copied()
}

/// Whether a user holds a permission in general, or on this object: by a grant to them, or to one of their groups.
///
/// One statement, and no cache: what was granted or taken away counts for the next request, on every instance.
///
/// # Errors
/// 503 when the database is away.
pub async fn holds(conn: &mut Conn, user_id: i64, permission: &str, object_id: Option<i64>) -> DbResult<bool> {
    // two branches, each of which looks into the unique index of its holder; an OR or a join would walk every grant of
    // the permission on SQLite
    let mut own = granted(permission, object_id);
    own.and_where(Expr::col(Grants::UserId).eq(user_id));
    let groups = Query::select()
        .column(Memberships::GroupId)
        .from(Memberships::Table)
        .and_where(Expr::col(Memberships::UserId).eq(user_id))
        .take();
    let mut by_group = granted(permission, object_id);
    by_group.and_where(Expr::col(Grants::GroupId).in_subquery(groups));
    let statement = own.union(UnionType::All, by_group).limit(1).take();
    Ok(conn.maybe::<(i64,)>(&statement).await?.is_some())
}

/// The grants of a permission that count for an object. A name without a row has none: grants refer to rows.
fn granted(permission: &str, object_id: Option<i64>) -> SelectStatement {
    // as the unique indexes have it: a grant on all objects is one on object 0
    let covers = Func::coalesce([Expr::col(Grants::ObjectId), Expr::cust("0")]);
    Query::select()
        .column(Grants::Id)
        .from(Grants::Table)
        .and_where(Expr::col(Grants::Permission).eq(permission))
        .and_where(Expr::expr(covers).is_in([0, object_id.unwrap_or(0)]))
        .take()
}

/// The permissions of the registry that have no row: nobody but admins passes them.
///
/// # Errors
/// 503 when the database is away.
pub async fn missing(conn: &mut Conn) -> DbResult<Vec<&'static str>> {
    let names = registry().iter().map(|entry| entry.name);
    let statement = Query::select()
        .column(Permissions::Name)
        .from(Permissions::Table)
        .and_where(Expr::col(Permissions::Name).is_in(names.clone()))
        .take();
    let rows = conn.all::<(String,)>(&statement).await?;
    Ok(names.filter(|name| !rows.iter().any(|(row,)| row == name)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOUR: [&str; 4] = ["create", "delete", "edit", "read"];

    #[test]
    fn a_table_that_has_one_of_the_four_has_them_all() {
        let names = |target| catalogue().filter(move |entry| entry.target == Some(target)).map(|entry| entry.name);
        for target in TARGETS.get() {
            let verb = |name: &'static str| name.split('_').nth(1).expect("can_VERB_NOUN");
            let mut verbs: Vec<_> = names(*target).map(verb).filter(|verb| FOUR.contains(verb)).collect();
            verbs.sort_unstable();
            assert!(verbs.is_empty() || verbs == FOUR, "{target:?} has only {verbs:?}");
        }
    }

    #[test]
    fn every_name_can_stand_in_a_scope_and_a_path() {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        assert!(catalogue().all(|entry| entry.name.starts_with("can_") && entry.name.bytes().all(plain)));
    }
}
