//! The changes that are proved.

use accord_migrate::tables::Table;
use accord_migrate::tables::declare::{bigint, index, key, postgres, sqlite, text, timestamp, unique};
use accord_migrate::tables::table::{Action, ForeignKey, one_of};

use super::tables::{Posts, Users};

/// A change of the declaration.
pub struct Case {
    pub name: &'static str,
    pub change: fn(&mut Vec<Table>),
    pub renames: &'static [&'static str],
    pub drops: &'static [&'static str],
    /// What the posts are called then.
    pub posts: &'static str,
}

const fn case(name: &'static str, change: fn(&mut Vec<Table>)) -> Case {
    Case { name, change, renames: &[], drops: &[], posts: "posts" }
}

pub fn of<'t>(tables: &'t mut [Table], name: &str) -> &'t mut Table {
    tables.iter_mut().find(|table| table.name == name).expect("a declared table")
}

/// With another name wherever the declaration has one that follows from it.
pub fn called(mut table: Table, old: &str, new: &str) -> Table {
    let other = |name: &mut String| *name = name.replacen(old, new, 1);
    other(&mut table.name);
    table.primary_key.iter_mut().chain(&mut table.uniques).for_each(|key| other(&mut key.name));
    table.foreign_keys.iter_mut().for_each(|key| other(&mut key.name));
    table.checks.iter_mut().for_each(|check| other(&mut check.name));
    table.indexes.iter_mut().for_each(|index| other(&mut index.name));
    table
}

macro_rules! column {
    ($tables:expr, $table:literal, $column:literal) => {
        of(&mut $tables[..], $table)
            .columns
            .iter_mut()
            .find(|column| column.name == $column)
            .expect("a declared column")
    };
}

pub fn replace(tables: &mut Vec<Table>, name: &str, change: impl FnOnce(Table) -> Table) {
    let at = tables.iter().position(|table| table.name == name).expect("a declared table");
    let table = tables.remove(at);
    tables.insert(at, change(table));
}

pub const CASES: &[Case] = &[
    case("a column added", |tables| {
        replace(tables, "posts", |posts| posts.column("subtitle", text().null()));
    }),
    case("a column with words added", |tables| {
        replace(tables, "posts", |posts| posts.column("mood", text().default("'calm'").words(&["calm", "wild"])));
    }),
    case("a column that refers added", |tables| {
        replace(tables, "posts", |posts| {
            let editor = bigint().null().references(Users::Id, Action::SetNull);
            posts.column("editor_id", editor).with(index("posts_editor_id_idx", ["editor_id"]))
        });
    }),
    case("a unique column added", |tables| {
        replace(tables, "posts", |posts| posts.column("slug", text().null().unique()));
    }),
    case("a check changed", |tables| {
        of(tables, "posts").checks[0].expression = "rating BETWEEN 1 AND 10".into();
    }),
    case("a table that refers to itself made anew", |tables| {
        replace(tables, "posts", |posts| {
            posts.column("parent_id", bigint().null().references(Posts::Id, Action::SetNull))
        });
        of(tables, "posts").checks[0].expression = "rating BETWEEN 1 AND 10".into();
    }),
    case("an enum value added", |tables| {
        of(tables, "users").checks[0].expression = one_of("role", &["admin", "staff", "active", "guest"]);
    }),
    case("an enum value removed", |tables| {
        of(tables, "users").checks[0].expression = one_of("role", &["admin", "active"]);
    }),
    case("a check dropped", |tables| of(tables, "posts").checks.clear()),
    case("an index dropped", |tables| of(tables, "posts").indexes.retain(|index| index.name != "posts_votes_idx")),
    case("an index changed", |tables| {
        of(tables, "tasks").indexes[1].condition = Some("lane IS NOT NULL AND state <> 'failed'".into());
    }),
    case("an index renamed", |tables| of(tables, "posts").indexes[1].name = "posts_popular_idx".into()),
    case("a default changed", |tables| column!(tables, "posts", "published").default = Some("FALSE".into())),
    case("a default dropped", |tables| column!(tables, "posts", "votes").default = None),
    case("a foreign key rule changed", |tables| of(tables, "posts").foreign_keys[0].on_delete = Action::Cascade),
    case("a foreign key added", |tables| {
        replace(tables, "audit_events", |mut events| {
            let actor = bigint().null().references(Users::Id, Action::SetNull);
            let at = events.columns.iter().position(|column| column.name == "actor_id").expect("it has one");
            events.columns.remove(at);
            let mut events = events.column("actor_id", actor);
            let column = events.columns.pop().expect("it was pushed");
            events.columns.insert(at, column);
            events
        });
    }),
    case("a unique constraint added", |tables| {
        replace(tables, "posts", |posts| posts.with(unique("posts_title_key", ["owner_id", "title"])));
    }),
    case("a unique constraint dropped", |tables| of(tables, "groups").uniques.clear()),
    case("a primary key changed", |tables| {
        of(tables, "votes").primary_key.as_mut().expect("it has one").columns.reverse();
    }),
    case("a type changed", |tables| {
        let version = column!(tables, "posts", "version");
        (version.kind, version.default) = ("TEXT".into(), Some("'1'".into()));
    }),
    case("null allowed", |tables| column!(tables, "posts", "title").null = true),
    case("null refused", |tables| {
        let name = column!(tables, "users", "name");
        (name.null, name.default) = (false, Some("'nobody'".into()));
    }),
    case("a table added", |tables| {
        let comments = Table::new("comments", "")
            .column("id", key())
            .column("post_id", bigint().references(Posts::Id, Action::Cascade))
            .column("user_id", bigint().null().references(Users::Id, Action::SetNull))
            .column("content", text())
            .column("created_at", timestamp())
            .column("updated_at", timestamp())
            .with(index("comments_post_id_idx", ["post_id", "id"]));
        tables.push(comments);
    }),
    case("a table added that others refer to", |tables| {
        let blogs = Table::new("blogs", "")
            .column("id", key())
            .column("user_id", bigint().null().references(Users::Id, Action::SetNull))
            .column("name", text().unique())
            .column("created_at", timestamp())
            .column("updated_at", timestamp());
        let at = tables.iter().position(|table| table.name == "posts").expect("posts");
        tables.insert(at, blogs);
        replace(tables, "posts", |posts| posts.column("blog_id", bigint().null()));
        of(tables, "posts").foreign_keys.push(ForeignKey {
            name: "posts_blog_id_fkey".into(),
            columns: vec!["blog_id".into()],
            table: "blogs".into(),
            referred: vec!["id".into()],
            on_delete: Action::Restrict,
            on_update: Action::Cascade,
        });
    }),
    case("a table with triggers added", |tables| {
        let notes = Table::new("notes", "")
            .column("id", key())
            .column("content", text())
            .column("created_at", timestamp())
            .column("updated_at", timestamp())
            .with(sqlite("CREATE TRIGGER notes_stay BEFORE DELETE ON notes BEGIN\n    SELECT RAISE(ABORT, 'notes stay');\nEND"))
            .with(postgres("CREATE FUNCTION notes_stay() RETURNS trigger LANGUAGE plpgsql AS $$\nBEGIN\n    RAISE EXCEPTION 'notes stay';\nEND $$"))
            .with(postgres("CREATE TRIGGER notes_stay BEFORE DELETE ON notes\n    FOR EACH ROW EXECUTE FUNCTION notes_stay()"));
        tables.push(notes);
    }),
    case("a table dropped", |tables| tables.retain(|table| table.name != "post_statistics")),
    case("a column dropped", |tables| of(tables, "posts").columns.retain(|column| column.name != "title")),
    case("a trigger changed", |tables| {
        for own in &mut of(tables, "audit_events").own {
            own.create = own.create.replace("events are never changed", "events can never be changed");
        }
    }),
    Case {
        name: "a table renamed",
        change: |tables| {
            replace(tables, "groups", |groups| called(groups, "groups", "teams"));
            for table in tables {
                table
                    .foreign_keys
                    .iter_mut()
                    .filter(|key| key.table == "groups")
                    .for_each(|key| key.table = "teams".into());
            }
        },
        renames: &["groups=teams"],
        drops: &[],
        posts: "posts",
    },
    Case {
        name: "a table with a search renamed",
        change: |tables| {
            replace(tables, "posts", |mut posts| {
                for own in &mut posts.own {
                    own.create = own.create.replace(" ON posts ", " ON articles ").replace("'posts'", "'articles'");
                }
                called(posts, "posts", "articles")
            });
            of(tables, "articles")
                .indexes
                .iter_mut()
                .for_each(|index| index.name = index.name.replace("posts", "articles"));
            for table in tables {
                table
                    .foreign_keys
                    .iter_mut()
                    .filter(|key| key.table == "posts")
                    .for_each(|key| key.table = "articles".into());
            }
        },
        renames: &["posts=articles"],
        drops: &[],
        posts: "articles",
    },
    Case {
        name: "a column that others refer to renamed",
        change: |tables| {
            column!(tables, "permissions", "name").name = "word".into();
            let key = &mut of(tables, "permissions").uniques[0];
            (key.name, key.columns) = ("permissions_word_key".into(), vec!["word".into()]);
            let key = of(tables, "grants").foreign_keys.iter_mut().find(|key| key.table == "permissions");
            key.expect("grants refer to permissions").referred = vec!["word".into()];
        },
        renames: &["permissions.name=permissions.word"],
        drops: &[],
        posts: "posts",
    },
    Case {
        name: "a column renamed",
        change: |tables| column!(tables, "posts", "title").name = "headline".into(),
        renames: &["posts.title=posts.headline"],
        drops: &[],
        posts: "posts",
    },
    Case {
        name: "a column with a check renamed",
        change: |tables| {
            column!(tables, "posts", "rating").name = "stars".into();
            let check = &mut of(tables, "posts").checks[0];
            (check.name, check.expression) = ("posts_stars_check".into(), "stars BETWEEN 1 AND 5".into());
        },
        renames: &["posts.rating=posts.stars"],
        drops: &[],
        posts: "posts",
    },
    Case {
        name: "a column dropped and one like it added",
        change: |tables| {
            let title = column!(tables, "posts", "title");
            (title.name, title.null) = ("headline".into(), true);
        },
        renames: &[],
        drops: &["posts.title"],
        posts: "posts",
    },
    Case {
        name: "several at once",
        change: |tables| {
            replace(tables, "posts", |posts| posts.column("subtitle", text().null()));
            of(tables, "posts").checks[0].expression = "rating BETWEEN 1 AND 10".into();
            column!(tables, "posts", "title").name = "headline".into();
            of(tables, "users").checks[0].expression = one_of("role", &["admin", "staff", "active", "guest"]);
            replace(tables, "groups", |groups| called(groups, "groups", "teams"));
            for table in tables {
                table
                    .foreign_keys
                    .iter_mut()
                    .filter(|key| key.table == "groups")
                    .for_each(|key| key.table = "teams".into());
            }
        },
        renames: &["posts.title=posts.headline", "groups=teams"],
        drops: &[],
        posts: "posts",
    },
];

pub(super) use column;
