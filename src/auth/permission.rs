//! Permissions: the registry of those that operations demand, and the one statement that decides.
//!
//! A permission is a row that admins grant and take away while the server runs. What code demands is a type of this
//! registry, so a name that is not in it does not compile; the migration inserts a row for each.

use poem_openapi::Enum;
use sea_query::{Expr, ExprTrait, Func, IntoIden, LockType, Query, SelectStatement, UnionType};
use serde::{Deserialize, Serialize};

use crate::db::tables::{Grants, Groups, Memberships, Permissions, Posts, Users};
use crate::db::{Conn, DbResult};

/// A permission of the registry, as a type: `Needs<CanEditPost>`.
pub trait Permission: Send + Sync + 'static {
    /// Its entry in the registry.
    const ENTRY: &'static Entry;
}

/// One line of the registry.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    /// On the wire, in the database, and as a scope of the document.
    pub name: &'static str,
    /// The table whose rows it may be granted on; none if it is always general.
    pub target: Option<Target>,
    /// What its holder may do.
    pub description: &'static str,
}

macro_rules! permissions {
    ($($permission:ident = $name:literal, $target:expr, $description:literal;)*) => {
        $(
            #[doc = $description]
            pub struct $permission;

            impl Permission for $permission {
                const ENTRY: &'static Entry =
                    &Entry { name: $name, target: $target, description: $description };
            }
        )*

        /// Every permission that an operation may demand, by name.
        pub const REGISTRY: &[&Entry] = &[$($permission::ENTRY),*];
    };
}

// each needs a row: `cargo xtask migrate new MESSAGE --auto` writes the migration that inserts it
permissions! {
    CanDeletePost = "can_delete_post", Some(Target::Posts), "Delete the published posts of others";
    CanEditPost = "can_edit_post", Some(Target::Posts), "Change the published posts of others";
    CanInvite = "can_invite", None, "Invite guests";
    CanViewStats = "can_view_stats", Some(Target::PostStatistics), "Read the statistics of the posts of others";
}

/// What completes the four of a table (create, read, edit, delete) and no operation demands, because every account may.
/// An operation that is closed one day moves its line into the registry.
pub const OPEN: &[&Entry] = &[
    &Entry { name: "can_create_post", target: Some(Target::Posts), description: "Write posts, as every account may" },
    &Entry {
        name: "can_read_post",
        target: Some(Target::Posts),
        description: "Read published posts, as every account may",
    },
];

/// All rows that the migrations put into the catalogue.
pub fn catalogue() -> impl Iterator<Item = &'static Entry> {
    REGISTRY.iter().chain(OPEN).copied()
}

/// A table whose rows a permission may be granted on
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, Serialize, Deserialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Posts
    Posts,
    /// Users
    Users,
    /// Groups
    Groups,
    /// Statistics of posts, by the id of the post
    PostStatistics,
}

impl Target {
    const ALL: [Self; 4] = [Self::Posts, Self::Users, Self::Groups, Self::PostStatistics];

    /// The word in the database and on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Posts => "posts",
            Self::Users => "users",
            Self::Groups => "groups",
            Self::PostStatistics => "post_statistics",
        }
    }

    /// Whether the table has a row of this id; in a transaction it stays there until the end.
    ///
    /// # Errors
    /// 503 when the database is away.
    pub async fn has(self, conn: &mut Conn, id: i64) -> DbResult<bool> {
        let (table, column) = match self {
            // a post that nobody has viewed has statistics, too
            Self::Posts | Self::PostStatistics => (Posts::Table.into_iden(), Posts::Id.into_iden()),
            Self::Users => (Users::Table.into_iden(), Users::Id.into_iden()),
            Self::Groups => (Groups::Table.into_iden(), Groups::Id.into_iden()),
        };
        let statement = Query::select()
            .column(column.clone())
            .from(table)
            .and_where(Expr::col(column).eq(id))
            .lock(LockType::KeyShare)
            .take();
        Ok(conn.maybe::<(i64,)>(&statement).await?.is_some())
    }
}

impl TryFrom<String> for Target {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        Self::ALL.into_iter().find(|target| target.word() == word).ok_or_else(|| format!("`{word}` is no target"))
    }
}

/// The entry of this name.
pub fn find(name: &str) -> Option<&'static Entry> {
    REGISTRY.iter().find(|entry| entry.name == name).copied()
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
    let names = REGISTRY.iter().map(|entry| entry.name);
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
    use crate::db::connect::Settings;
    use crate::db::migrate::{self, Direction};
    use crate::db::signals::Hooks;
    use crate::db::{Db, Permit};

    #[tokio::test]
    async fn the_migrations_insert_a_row_for_each() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("sqlite:{}", folder.path().join("t.db").display());
        migrate::run_built_in(&url, Direction::Up, migrate::Target::Head).await.expect("migrates");
        let timeout = std::time::Duration::from_secs(5);
        let settings = Settings { url, timeout, connections: 1, queue: timeout };
        let db = Db::connect(&settings, Hooks::default()).await.expect("connects");
        let mut conn = db.begin().await.expect("a transaction");

        let columns = [Permissions::Name, Permissions::Target, Permissions::Description];
        let select = Query::select().columns(columns).from(Permissions::Table).take();
        let mut rows: Vec<(String, Option<String>, String)> = conn.all(&select).await.expect("reads");
        rows.sort();
        let word = |entry: &&Entry| (entry.name, entry.target.map(Target::word), entry.description);
        let mut entries: Vec<_> = catalogue().map(|entry| word(&entry)).collect();
        entries.sort();
        let rows: Vec<_> = rows.iter().map(|(name, target, text)| (&**name, target.as_deref(), &**text)).collect();
        assert_eq!(rows, entries, "a migration brings the rows in line");
        assert_eq!(missing(&mut conn).await.expect("reads"), Vec::<&str>::new());

        let delete = Query::delete()
            .from_table(Permissions::Table)
            .cond_where(Expr::col(Permissions::Name).eq("can_invite"))
            .take();
        conn.write(Permit::<Permissions>::for_tests(), &delete).await.expect("deletes");
        assert_eq!(missing(&mut conn).await.expect("reads"), ["can_invite"]);
    }

    #[test]
    fn a_table_that_has_one_of_the_four_has_them_all() {
        let names = |target| catalogue().filter(move |entry| entry.target == Some(target)).map(|entry| entry.name);
        let mut posts: Vec<_> = names(Target::Posts).collect();
        posts.sort_unstable();
        assert_eq!(posts, ["can_create_post", "can_delete_post", "can_edit_post", "can_read_post"]);
        assert!(REGISTRY.is_sorted_by_key(|entry| entry.name) && OPEN.is_sorted_by_key(|entry| entry.name));
    }

    #[test]
    fn every_name_can_stand_in_a_scope_and_a_path() {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        assert!(catalogue().all(|entry| entry.name.starts_with("can_") && entry.name.bytes().all(plain)));
    }
}
