//! The rules of the lint, each a pattern and what it means for who uses the database meanwhile.

use crate::Dialect;

/// What a rule asks for.
#[derive(Clone, Copy, PartialEq)]
pub enum Needs {
    /// `-- destructive: why`
    Destructive,
    /// `-- locks: why`
    Locks,
    /// Another way.
    Never,
}

/// Something that a statement may do.
pub struct Rule {
    pub name: &'static str,
    pub dialects: &'static [Dialect],
    pub needs: Needs,
    /// Finds it in a statement in upper case, one space between words; group `t` is the table.
    pub pattern: &'static str,
    /// Unless this is found, too.
    pub except: &'static str,
    /// What happens, and what to do.
    pub says: &'static str,
}

const BOTH: &[Dialect] = &[Dialect::Sqlite, Dialect::Postgres];
const POSTGRES: &[Dialect] = &[Dialect::Postgres];

/// In no order that matters.
pub const RULES: &[Rule] = &[
    Rule {
        name: "drop-table",
        dialects: BOTH,
        needs: Needs::Destructive,
        pattern: r"^DROP TABLE (IF EXISTS )?(?<t>\S+)",
        except: "",
        says: "the rows are gone, and servers that still use the table fail",
    },
    Rule {
        name: "drop-column",
        dialects: BOTH,
        needs: Needs::Destructive,
        pattern: r"^ALTER TABLE (ONLY )?(?<t>\S+) (.*, ?)?DROP (COLUMN |[^ ,]+( CASCADE| RESTRICT)?(,|$))",
        except: "",
        says: "the values are gone, and servers that still read the column fail",
    },
    Rule {
        name: "rename",
        dialects: BOTH,
        needs: Needs::Destructive,
        pattern: r"^ALTER TABLE (?<t>\S+) RENAME (COLUMN )?(\S+ )?TO ",
        except: "",
        says: "servers that know the old name fail; without downtime it takes three releases (DEVELOPING.md)",
    },
    Rule {
        name: "delete-all",
        dialects: BOTH,
        needs: Needs::Destructive,
        pattern: r"^(DELETE FROM|TRUNCATE( TABLE)?) (?<t>\S+)",
        except: r" WHERE ",
        says: "all rows are gone",
    },
    Rule {
        name: "not-null-without-default",
        dialects: BOTH,
        needs: Needs::Never,
        pattern: r"^ALTER TABLE (?<t>\S+) ADD (COLUMN )?.* NOT NULL",
        except: r" DEFAULT | GENERATED |^ALTER TABLE \S+ ADD CONSTRAINT ",
        says: "fails as soon as there is a row: add the column with a default, or let it be null, fill it, and set NOT NULL then",
    },
    Rule {
        name: "volatile-default",
        dialects: POSTGRES,
        needs: Needs::Locks,
        pattern: r"^ALTER TABLE (?<t>\S+) ADD (COLUMN )?.* (DEFAULT \(?(CLOCK_TIMESTAMP|RANDOM|GEN_RANDOM_UUID|NEXTVAL)|GENERATED )",
        except: "",
        says: "writes the whole table again under an exclusive lock: add the column without it, fill it in batches, then set the default",
    },
    Rule {
        name: "change-type",
        dialects: POSTGRES,
        needs: Needs::Locks,
        pattern: r"^ALTER TABLE (?<t>\S+) .*\bALTER (COLUMN )?\S+ (SET DATA )?TYPE ",
        except: "",
        says: "writes the whole table again under an exclusive lock: add a new column, fill it in batches, and change over",
    },
    Rule {
        name: "set-not-null",
        dialects: POSTGRES,
        needs: Needs::Locks,
        pattern: r"^ALTER TABLE (?<t>\S+) .*\bALTER (COLUMN )?\S+ SET NOT NULL",
        except: "",
        says: "reads the whole table under an exclusive lock: a CHECK (… IS NOT NULL) NOT VALID, validated in a migration of its own, spares it",
    },
    Rule {
        name: "validate-at-once",
        dialects: POSTGRES,
        needs: Needs::Locks,
        pattern: r"^ALTER TABLE (?<t>\S+) .*\bADD CONSTRAINT \S+ (CHECK|FOREIGN KEY)\b",
        except: " NOT VALID",
        says: "reads the whole table under an exclusive lock: add it NOT VALID, and VALIDATE CONSTRAINT in a migration of its own",
    },
    Rule {
        name: "unique-at-once",
        dialects: POSTGRES,
        needs: Needs::Locks,
        pattern: r"^ALTER TABLE (?<t>\S+) .*\bADD CONSTRAINT \S+ (UNIQUE|PRIMARY KEY|EXCLUDE)\b",
        except: " USING INDEX ",
        says: "builds an index under an exclusive lock: nobody reads or writes the table meanwhile",
    },
    Rule {
        name: "index",
        dialects: POSTGRES,
        needs: Needs::Locks,
        pattern: r"^CREATE (UNIQUE )?INDEX (IF NOT EXISTS )?(\S+ )?ON (ONLY )?(?<t>[^\s(]+)",
        except: "",
        says: "nobody writes the table while the index is built",
    },
    Rule {
        name: "update-all",
        dialects: POSTGRES,
        needs: Needs::Locks,
        pattern: r"^UPDATE (ONLY )?(?<t>\S+) SET ",
        except: " WHERE ",
        says: "writes every row in one go and holds them until the end: a WHERE, a LIMIT and `-- repeat until no row changes` show progress",
    },
    Rule {
        name: "concurrently",
        dialects: POSTGRES,
        needs: Needs::Never,
        pattern: r"^(CREATE|DROP|REINDEX)\b.* CONCURRENTLY |^VACUUM|^(CREATE|DROP) (DATABASE|TABLESPACE) |^ALTER SYSTEM ",
        except: "",
        says: "cannot run in a transaction, and each migration is one",
    },
    Rule {
        name: "transaction",
        dialects: BOTH,
        needs: Needs::Never,
        pattern: r"^(BEGIN|COMMIT|END|ROLLBACK|SAVEPOINT|RELEASE)\b",
        except: "",
        says: "each migration is one transaction already",
    },
    Rule {
        name: "if-exists",
        dialects: BOTH,
        needs: Needs::Never,
        pattern: r"\bIF (NOT )?EXISTS\b",
        except: "^(CREATE|DROP) EXTENSION ",
        says: "hides a schema that is not what it should be: say what is there",
    },
    Rule {
        name: "cascade",
        dialects: BOTH,
        needs: Needs::Never,
        pattern: r"^(DROP|TRUNCATE|ALTER TABLE \S+ DROP)\b.* CASCADE$",
        except: "",
        says: "takes away what nobody named: name it, each in its own statement",
    },
    Rule {
        name: "type",
        dialects: POSTGRES,
        needs: Needs::Never,
        pattern: r"\b(SMALLSERIAL|SERIAL|BIGSERIAL|SMALLINT|INT|INTEGER|VARCHAR|CHAR|MONEY|JSON|TIMESTAMP|TIMETZ)( WITHOUT TIME ZONE)?( NOT NULL|\(| DEFAULT | PRIMARY |,|\)$|$)",
        except: r"^(CREATE|DROP) (OR REPLACE )?FUNCTION ",
        says: "another type is the house's: BIGINT, TEXT, BOOLEAN, TIMESTAMPTZ; identifiers are BIGINT GENERATED BY DEFAULT AS IDENTITY",
    },
];
