//! All SQL for authors.

use accord_foundation::db::keyset::newest;
use accord_foundation::db::versioned::Versioned;
use accord_foundation::db::{Conn, Constraint, DbResult};
use sea_query::{Expr, ExprTrait, Query, ReturningClause, SelectStatement};

use super::model::{AuthorId, StoredAuthor};
use super::tables::Authors;

/// The name is unique.
pub const NAME_KEY: Constraint = Constraint::unique("authors_name_key", "authors.name");

const COLUMNS: [Authors; 5] = [Authors::Id, Authors::Name, Authors::Version, Authors::CreatedAt, Authors::UpdatedAt];

impl Versioned for StoredAuthor {
    type Table = Authors;
    type Values = String;

    fn identity(&self) -> (i64, i64) {
        (self.author.id.0, self.version)
    }

    fn columns(name: String) -> Vec<(Authors, Expr)> {
        vec![(Authors::Name, name.into())]
    }

    fn returning() -> ReturningClause {
        Query::returning().columns(COLUMNS)
    }
}

/// The author of this identifier.
pub async fn find(conn: &mut Conn, id: AuthorId) -> DbResult<Option<StoredAuthor>> {
    conn.maybe(&by_id(id)).await
}

/// The author of this identifier, locked until the transaction ends.
pub async fn find_to_change(conn: &mut Conn, id: AuthorId) -> DbResult<Option<StoredAuthor>> {
    conn.maybe(&by_id(id).lock_exclusive().take()).await
}

fn by_id(id: AuthorId) -> SelectStatement {
    Query::select().columns(COLUMNS).from(Authors::Table).and_where(Expr::col(Authors::Id).eq(id)).take()
}

/// One page, the newest first.
pub async fn list(conn: &mut Conn, before: Option<i64>, limit: u64) -> DbResult<Vec<StoredAuthor>> {
    let mut statement = Query::select().columns(COLUMNS).from(Authors::Table).take();
    newest(&mut statement, Authors::Id, before, limit);
    conn.all(&statement).await
}

/// The number of authors.
pub async fn count(conn: &mut Conn) -> DbResult<i64> {
    let statement = Query::select().expr(Expr::col(Authors::Id).count()).from(Authors::Table).take();
    Ok(conn.one::<(i64,)>(&statement).await?.0)
}
