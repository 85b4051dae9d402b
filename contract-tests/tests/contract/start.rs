//! What keeps a server from starting: one sentence that says what to change, and an exit code.

use contract_tests::{ACCORD, Database, World, command_line_with, refused_start};

/// EX_CONFIG of sysexits.h: the settings are at fault.
const CONFIGURATION: i32 = 78;

#[tokio::test]
async fn a_setting_at_fault_is_named() {
    let database = Database::fresh(&ACCORD).await;
    let url = database.url();
    let unset_secret = ("SECRET_KEY", "");
    let (prod, memory) = (("ACCORD_ENV", "prod"), ("ACCORD_PASSWORD_MEMORY", "19456"));
    for (settings, file, words) in [
        (vec![("ACCORD_RATE_LIMITS", "3")], "", vec!["ACCORD_RATE_LIMITS", "ACCORD_RATE_LIMIT"]),
        (vec![("ACCORD_TOKEN_TTL", "soon")], "", vec!["ACCORD_TOKEN_TTL"]),
        (vec![("ACCORD_TOKEN_TTL", "-1")], "", vec!["ACCORD_TOKEN_TTL"]),
        (vec![("PORT", "65536")], "", vec!["port"]),
        (vec![("ACCORD_ENV", "production")], "", vec!["production"]),
        (vec![("DATABASE_URL", "mysql://localhost/accord")], "", vec!["DATABASE_URL", "sqlite:", "postgres://"]),
        (vec![("SECRET_KEY", "short")], "", vec!["SECRET_KEY", "32"]),
        (vec![("ACCORD_DB_TIMEOUT", "9223372036854775807")], "", vec!["db_timeout", "3600"]),
        (vec![("ACCORD_DEMO", "maybe")], "", vec!["ACCORD_DEMO", "auto"]),
        (vec![("ACCORD_CORS_ORIGINS", "*")], "", vec!["ACCORD_CORS_ORIGINS", "https://"]),
        (vec![("DATABASE_URL", "sqlite::memory:")], "", vec!["DATABASE_URL", "file"]),
        (vec![prod, memory, unset_secret], "", vec!["SECRET_KEY"]),
        (vec![prod, memory, ("ACCORD_DEMO", "true")], "", vec!["ACCORD_DEMO"]),
        (vec![prod, memory, ("DEBUG", "true")], "", vec!["DEBUG"]),
        (vec![prod, ("ACCORD_PASSWORD_MEMORY", "19455")], "", vec!["password_memory", "19456"]),
        (vec![prod, memory, ("ACCORD_PASSWORD_TIME", "1")], "", vec!["password_time", "47104 and 1"]),
        (vec![("ACCORD_PASSWORD_MEMORY", "7")], "", vec!["password_memory", "8"]),
        (vec![("ACCORD_PASSWORD_TIME", "0")], "", vec!["password_time"]),
        (
            vec![("ACCORD_TRUSTED_PROXIES", "10.0.0.0/8 172.16.0.1")],
            "",
            vec!["trusted_proxies", "10.0.0.0/8 172.16.0.1"],
        ),
        (vec![], "prot = 3000", vec!["accord.toml", "prot", "port"]),
        (vec![], "port = \"3000\"", vec!["accord.toml", "port"]),
        (vec![], "port = ", vec!["accord.toml:1:"]),
        (vec![], "debug = false\nsecret_key = 'hunter2-hunter2-hunter2-hunter2\n", vec!["accord.toml:2:"]),
        (vec![], "secret_key = hunter2-hunter2-hunter2-hunter2", vec!["accord.toml:1:"]),
        (vec![], "secret_key = ['hunter2-hunter2-hunter2-hunter2']", vec!["secret_key", "must be text"]),
    ] {
        let files: Vec<_> = (!file.is_empty()).then_some(("accord.toml", file)).into_iter().collect();
        let (code, told) = refused_start(&ACCORD, &url, &settings, &files).await;
        let case = format!("{settings:?} {file:?}: exit {code}: {told}");
        assert_eq!(code, CONFIGURATION, "{case}");
        assert!(words.iter().all(|word| told.contains(word)), "{words:?}: {case}");
        assert!(!told.contains("hunter2"), "the value of a setting is shown: {case}");
        assert_plain(&told);
    }
}

#[tokio::test]
async fn a_place_that_is_taken_or_closed_is_named() {
    let world = World::start(&ACCORD).await;
    let url = world.database.url();
    let port = world.server.address.rsplit(':').next().unwrap();
    let (code, told) = refused_start(&ACCORD, &url, &[("PORT", port)], &[]).await;
    assert!([1, CONFIGURATION].contains(&code) && told.contains(port), "exit {code}: {told}");
    assert_plain(&told);

    let (code, told) =
        refused_start(&ACCORD, "sqlite:blocked/accord.db", &[], &[("blocked", "a file where a folder must be")]).await;
    assert!([1, CONFIGURATION].contains(&code) && told.contains("blocked"), "exit {code}: {told}");
    assert_plain(&told);

    let (code, told) =
        refused_start(&ACCORD, "sqlite:accord.db", &[], &[("accord.db", &"this is no database ".repeat(100))]).await;
    assert!([1, CONFIGURATION].contains(&code) && told.contains("accord.db"), "exit {code}: {told}");
    assert_plain(&told);

    let nowhere = "postgres://user:hunter2@127.0.0.1:1/accord";
    let (code, told) = refused_start(&ACCORD, nowhere, &[("ACCORD_DB_WAIT", "1"), ("ACCORD_LOG", "error")], &[]).await;
    assert!([1, CONFIGURATION].contains(&code), "exit {code}: {told}");
    assert!(!told.contains("hunter2"), "{told}");
    assert_plain(&told);
}

#[tokio::test]
async fn server_that_other_machines_reach_needs_a_secret_key_and_has_no_demo_data() {
    let database = Database::fresh(&ACCORD).await;
    let url = database.url();
    let secret = ("SECRET_KEY", "0123456789abcdef0123456789abcdef");
    let dev = [("ACCORD_ENV", "dev"), ("HOST", "0.0.0.0")];
    for (settings, words) in [
        ([dev[0], dev[1], ("SECRET_KEY", ""), ("ACCORD_DEMO", "auto")], ["SECRET_KEY", "0.0.0.0"]),
        ([dev[0], dev[1], secret, ("ACCORD_DEMO", "true")], ["ACCORD_DEMO=true", "0.0.0.0"]),
    ] {
        let (code, told) = refused_start(&ACCORD, &url, &settings, &[]).await;
        assert_eq!(code, CONFIGURATION, "{settings:?}: {told}");
        assert!(words.iter().all(|word| told.contains(word)), "{words:?}: {told}");
        assert_plain(&told);
    }
    // a host of the command line is checked like one of the settings
    let settings = [("ACCORD_ENV", "dev"), ("SECRET_KEY", ""), ("ACCORD_DEMO", "false")];
    let ended = command_line_with(&ACCORD, &["serve", "--host", "0.0.0.0", "--port", "0"], &url, &settings).await;
    assert_eq!(ended.code, CONFIGURATION, "{}", ended.stderr);
    assert!(ended.stderr.contains("SECRET_KEY") && ended.stderr.contains("0.0.0.0"), "{}", ended.stderr);
}

#[tokio::test]
async fn database_with_demo_accounts_is_not_served_in_production() {
    let database = Database::fresh(&ACCORD).await;
    let url = database.url();
    let loaded = command_line_with(&ACCORD, &["fixtures", "load"], &url, &[]).await;
    assert_eq!(loaded.code, 0, "{}", loaded.stderr);
    let prod = [("ACCORD_ENV", "prod"), ("ACCORD_PASSWORD_MEMORY", "19456"), ("ACCORD_DEMO", "auto")];
    let (code, told) = refused_start(&ACCORD, &url, &prod, &[]).await;
    assert_eq!(code, CONFIGURATION, "{told}");
    // ann and ben of the test's own fixture have other passwords
    assert!(told.contains("password: admin@example.com;") && told.contains("accord user disable"), "{told}");
    assert!(!told.contains("battery"), "{told}");

    database.execute("UPDATE users SET status = 'disabled' WHERE email = 'admin@example.com'").await;
    let world = World::on(database, &url, &prod).await;
    world.nobody().get("/health/ready").await.expect(200);
}

/// One sentence for a person (the excerpt of a settings file may follow), nothing for a debugger.
#[track_caller]
fn assert_plain(told: &str) {
    assert!(!told.contains("panicked") && !told.to_lowercase().contains("backtrace"), "{told}");
    let sentences = told.lines().filter(|line| line.starts_with("accord: ")).count();
    assert!(told.starts_with("accord: ") && sentences == 1, "{told}");
}
